"""Norms of vectors and matrices, and the rank, which counts what is not negligible in them."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import numpy as np

from pyengine import dtypes, interop, ops
from pyengine.autograd import OUTPUT, no_grad, record
from pyengine.ops.decompositions import svdvals
from pyengine.ops.matrices import lapack, matrices
from pyengine.ops.reduce import _count, _spread, _wide
from pyengine.ops.shape import _axes
from pyengine.ops.solving import tolerance_of
from pyengine.tensor import Axis, Tensor, as_tensor

MatrixOrder = float | Literal["fro", "nuc"] | None


def _inexact(op: str, value: Any) -> Tensor:
    x = as_tensor(value)
    if not dtypes.is_inexact(x.dtype):
        raise TypeError(f"{op}: dtype not supported: {x.dtype}; must be floating or complex")
    return x


def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """``y = (sum_i |x_i|^p)^(1/p)`` over ``axis`` (None: all), p = ``ord``.

    Inf and -Inf give the largest and the smallest ``|x_i|``, 0 counts ``x_i != 0``. Any real p will do, but below 1 it is no norm.
    Dtype: that of x, of its parts if complex; 16-bit floats compute in float32. Elements are scaled by the largest one (p < 0: the
    smallest), so that no power overflows. Gradient: ``g sign(x) (|x| / y)^(p - 1)``, 0 where y is 0; shared between equal elements for
    the infinities; none for p = 0. TypeError for integers.
    """
    x = _inexact("vector_norm", x)
    axes = _axes("vector_norm", axis, x.ndim)
    dtype = dtypes.real_of(x.dtype)
    if ord == 0:
        return ops.astype(ops.count_nonzero(x, axis=axes, keepdims=keepdims), dtype, copy=False)
    if math.isinf(ord):
        return (ops.max if ord > 0 else ops.min)(ops.abs(x), axis=axes, keepdims=keepdims)
    with no_grad():
        y = ops.astype(_power_mean(_wide(x), axes, float(ord), keepdims), dtype, copy=False)
    return record("vector_norm", y._array, (x,), (partial(_vector_norm_vjp, axes, float(ord)),), (x, OUTPUT))


def _power_mean(x: Tensor, axes: tuple[int, ...], p: float, keepdims: bool) -> Tensor:
    lengths = ops.abs(x)
    if _count(x.shape, axes) == 0:
        return ops.pow(ops.sum(lengths, axis=axes, keepdims=keepdims), 1 / p)
    scale = (ops.max if p > 0 else ops.min)(lengths, axis=axes, keepdims=True)
    scale = ops.where(ops.logical_and(ops.isfinite(scale), ops.greater(scale, 0)), scale, 1.0)
    total = ops.sum(ops.pow(ops.divide(lengths, scale), p), axis=axes, keepdims=True)
    y = ops.multiply(scale, ops.pow(total, 1 / p))
    return y if keepdims else ops.squeeze(y, axes)


def _vector_norm_vjp(axes: tuple[int, ...], p: float, g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    y = _spread(x.shape, axes, y)
    zero = ops.equal(y, 0)
    divisor = ops.where(zero, 1.0, y)
    if p == 2:
        slope = ops.divide(x, divisor)
    else:
        ratio = ops.where(zero, 1.0, ops.divide(ops.abs(x), divisor))
        slope = ops.multiply(ops.sign(x), ops.pow(ratio, p - 1))
    return ops.multiply(_spread(x.shape, axes, g), ops.where(zero, 0.0, slope))


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: MatrixOrder = "fro") -> Tensor:
    """A norm of every matrix of x (..., m, n).

    "fro" or None: ``(sum_ij |x_ij|^2)^(1/2)``; "nuc": the sum of the singular values; 2 and -2: the largest and the smallest of them;
    1 and -1: the largest and the smallest sum of ``|x_ij|`` in a column; Inf and -Inf: in a row. Gradient: that of the sums and of
    :func:`svdvals`, shared where several are largest or smallest. ValueError for other orders, TypeError for integers.
    """
    x = _inexact("matrix_norm", x)
    if x.ndim < 2:
        raise ValueError(f"matrix_norm: rank too low: shape {x.shape}; at least 2 axes are needed")
    if ord in ("fro", None):
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise ValueError(f"matrix_norm: unknown order: {ord!r}; must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    if ord == "nuc":
        y = ops.sum(svdvals(x), axis=-1)
    else:
        values = svdvals(x) if ord in (2, -2) else ops.sum(ops.abs(x), axis=-2 if ord in (1, -1) else -1)
        y = (ops.max if ord in (1, 2, math.inf) else ops.min)(values, axis=-1)
    return ops.expand_dims(y, (-2, -1)) if keepdims else y


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Tensor:
    """How many singular values of every matrix are above ``rtol max(s)``, int64; x (..., m, n). Not differentiable.

    ``rtol`` is a number or one for each matrix, by default ``max(m, n) eps``.
    """
    x = matrices("matrix_rank", x)
    s = lapack("matrix_rank", "every element must be finite", np.linalg.svd, x, compute_uv=False)
    cutoff = tolerance_of(x, rtol)[..., None] * s.max(axis=-1, keepdims=True, initial=0)
    return Tensor(interop.from_result(np.count_nonzero(s > cutoff, axis=-1), dtypes.int64, x.device))
