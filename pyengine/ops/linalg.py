"""Products of vectors and matrices, and diagonals."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from pyengine import _engine, creation, ops
from pyengine.autograd import record
from pyengine.ops.complex import conj, from_parts, imag, is_complex, real
from pyengine.ops.shape import _axes, _normalize_axis
from pyengine.tensor import Tensor, as_tensor, integers

__all__ = ["cross", "diagonal", "matmul", "outer", "tensordot", "trace", "vecdot"]


def matmul(x1: Any, x2: Any, /) -> Tensor:
    """``y[..., i, j] = sum_p a[..., i, p] b[..., p, j]``

    Shapes: a (..., m, k), b (..., k, n), y (..., m, n); the axes in front broadcast. A vector a counts as one row, a vector b as one
    column, and the axis of size 1 is left out of y. Transposed and otherwise strided operands are read where they lie.
    Dtypes: the common one of both. float16 and bfloat16 are multiplied and added in float32 and rounded once, integers wrap.
    Accuracy: ``|error| <= gamma_k |a| |b|`` with ``gamma_k = k u / (1 - k u)``, u the unit roundoff (Higham, Accuracy and Stability of
    Numerical Algorithms, section 3.5). The bits do not depend on the number of threads. On GPUs :func:`set_float32_matmul_precision` lets
    float32 use tensor cores, for less accuracy.
    Gradient: ``g b^T`` for a, ``a^T g`` for b. ValueError if shapes do not fit, TypeError for booleans.

    >>> pe.matmul(pe.ones((2, 3)), pe.ones(3)).tolist()
    [3.0, 3.0]
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if is_complex(a) or is_complex(b):
        return _complex_matmul(a, b)
    # Each gradient needs the other operand alone: where that one is constant, nothing is kept for it.
    saved = (a if b._requires_grad else None, b if a._requires_grad else None, b.ndim)
    return record("matmul", _engine.matmul(a._array, b._array), (a, b), (_left_vjp, _right_vjp), saved)


def _complex_matmul(a: Tensor, b: Tensor) -> Tensor:
    """By parts, which are strided views of the operands."""
    if not is_complex(a):
        return from_parts(matmul(a, real(b)), matmul(a, imag(b)))
    if not is_complex(b):
        return from_parts(matmul(real(a), b), matmul(imag(a), b))
    a_real, a_imag, b_real, b_imag = real(a), imag(a), real(b), imag(b)
    return from_parts(ops.subtract(matmul(a_real, b_real), matmul(a_imag, b_imag)), ops.add(matmul(a_real, b_imag), matmul(a_imag, b_real)))


def _left_vjp(g: Tensor, _a: Tensor | None, b: Tensor, _b_rank: int) -> Tensor:
    if b.ndim == 1:
        return ops.multiply(ops.expand_dims(g, -1), b)
    if g.ndim < b.ndim:  # a is a vector
        return matmul(b, ops.expand_dims(g, -1))[..., 0]
    return matmul(g, b.mT)


def _right_vjp(g: Tensor, a: Tensor, _b: Tensor | None, b_rank: int) -> Tensor:
    if a.ndim == 1:
        return ops.multiply(a, ops.expand_dims(g, -1)) if b_rank == 1 else ops.multiply(ops.expand_dims(a, -1), ops.expand_dims(g, -2))
    if b_rank > 2 or a.ndim == 2:
        return matmul(a.mT, g)
    # One b for the whole batch: a single product of all rows sums over the batch by itself.
    rows = math.prod(a.shape[:-1])
    return matmul(ops.reshape(a, (rows, a.shape[-1])).mT, ops.reshape(g, (rows, *g.shape[a.ndim - 1 :])))


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """``y = sum_i conj(a_i) b_i`` along ``axis`` of both; the other axes broadcast.

    Dtypes, accuracy and gradient as of :func:`matmul`. ValueError if the sizes along the axis differ.
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"vecdot: operand without axes: a {a.shape}, b {b.shape}; both need at least one, use multiply for scalars")
    a, b = (ops.moveaxis(x, _normalize_axis("vecdot", axis, x.ndim), x.ndim - 1) for x in (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"vecdot: sizes differ: a {a.shape[-1]}, b {b.shape[-1]} along axis {axis}; they must be equal")
    return matmul(ops.expand_dims(conj(a), -2), ops.expand_dims(b, -1))[..., 0, 0]


def _numbers(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """A mask beside numbers counts as zeros and ones of their dtype."""
    if a.dtype.kind == "b" != b.dtype.kind:
        return ops.astype(a, b.dtype), b
    return (a, ops.astype(b, a.dtype)) if b.dtype.kind == "b" != a.dtype.kind else (a, b)


def tensordot(x1: Any, x2: Any, /, *, axes: int | Sequence[int | Sequence[int]] = 2) -> Tensor:
    """``y[i.., j..] = sum_p a[i.., p..] b[p.., j..]`` over the axes paired in ``axes``: one product of matrices.

    ``axes=n`` pairs the last n axes of a with the first n of b; ``axes=(of_a, of_b)`` pairs those named. What is left of a stands first.
    Dtypes, accuracy and gradient as of :func:`matmul`. ValueError if paired sizes differ.
    """
    a, b = _numbers(as_tensor(x1), as_tensor(x2))
    if not isinstance(axes, Sequence):
        if not 0 <= axes <= builtins.min(a.ndim, b.ndim):
            raise ValueError(
                f"tensordot: too many axes: {axes} of a {a.shape}, b {b.shape}; must be in [0, {builtins.min(a.ndim, b.ndim)}]"
            )
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    of_a, of_b = (_axes("tensordot", integers("tensordot", "axes", of), x.ndim) for of, x in zip(axes, (a, b), strict=True))
    if [a.shape[i] for i in of_a] != [b.shape[i] for i in of_b]:
        raise ValueError(f"tensordot: paired sizes differ: a {a.shape} on axes {of_a}, b {b.shape} on axes {of_b}; they must be equal")
    rest_a, rest_b = (tuple(i for i in range(x.ndim) if i not in of) for x, of in ((a, of_a), (b, of_b)))
    rows, columns = tuple(a.shape[i] for i in rest_a), tuple(b.shape[i] for i in rest_b)
    inner = math.prod(a.shape[i] for i in of_a)
    left = ops.reshape(ops.permute_dims(a, rest_a + of_a), (math.prod(rows), inner))
    right = ops.reshape(ops.permute_dims(b, of_b + rest_b), (inner, math.prod(columns)))
    return ops.reshape(matmul(left, right), rows + columns)


def outer(x1: Any, x2: Any, /) -> Tensor:
    """``y[i, j] = a_i b_j`` of two vectors. ValueError for other ranks."""
    a, b = as_tensor(x1), as_tensor(x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"outer: not vectors: a {a.shape}, b {b.shape}; both must have one axis")
    return ops.multiply(ops.expand_dims(a, 1), b)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """``y = (a_1 b_2 - a_2 b_1, a_2 b_0 - a_0 b_2, a_0 b_1 - a_1 b_0)`` along ``axis``, counted from the last; the other axes broadcast.

    Gradients: ``b x g`` for a, ``g x a`` for b (of conjugates, if complex). IndexError unless the axis is negative and both operands have
    it, ValueError unless its size is 3 in both.
    """
    a, b = as_tensor(x1), as_tensor(x2)
    rank = builtins.min(a.ndim, b.ndim)
    if not -rank <= axis < 0:
        raise IndexError(f"cross: axis out of range: {axis} for a {a.shape}, b {b.shape}; must be in [{-rank}, -1]")
    if (a.shape[axis], b.shape[axis]) != (3, 3):
        raise ValueError(f"cross: not of three elements: a {a.shape}, b {b.shape} along axis {axis}; the size must be 3 in both")
    a1, a2, b1, b2 = (ops.roll(x, shift, axis=axis) for x in (a, b) for shift in (-1, -2))
    return ops.subtract(ops.multiply(a1, b2), ops.multiply(a2, b1))


def diagonal(x: Any, /, *, offset: int = 0) -> Tensor:
    """``y[..., i] = x[..., i, i + offset]``, the diagonals of a stack of matrices (below the main one for negative offsets); a view.

    Gradient: g on the diagonal, zeros elsewhere. ValueError for rank below 2.
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"diagonal: rank too low: shape {x.shape}; at least 2 axes are needed")
    rows, columns = x.shape[-2:]
    row, column = builtins.max(-offset, 0), builtins.max(offset, 0)
    size = builtins.max(builtins.min(rows - row, columns - column), 0)
    start = row * x.strides[-2] + column * x.strides[-1] if size else 0
    array = _engine.as_strided(x._array, (*x.shape[:-2], size), (*x.strides[:-2], x.strides[-2] + x.strides[-1]), start)
    return record("diagonal", array, (x,), (partial(_diagonal_vjp, (rows, columns), (row, column)),))


def _diagonal_vjp(shape: tuple[int, int], start: tuple[int, int], g: Tensor) -> Tensor:
    size = g.shape[-1]
    square = ops.multiply(ops.expand_dims(g, -1), creation.eye(size, dtype=g.dtype, device=g.device))
    widths = [(first, full - first - size) for first, full in zip(start, shape, strict=True)]
    return ops.pad(square, [(0, 0)] * (g.ndim - 1) + widths)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """``y = sum_i x[..., i, i + offset]``; dtypes as of :func:`pyengine.sum`. Gradient: g on the diagonal."""
    return ops.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)
