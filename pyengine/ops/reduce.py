"""Ops that sum, count, compare or search over axes, and ops of these. ``axis`` is one axis, a tuple of them, or None for all."""

from __future__ import annotations

import builtins
import math
from functools import partial
from typing import Any

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import OUTPUT, no_grad, record
from pyengine.fast import fast
from pyengine.ops.complex import by_parts, is_complex
from pyengine.ops.shape import _axes, _normalize_axis
from pyengine.tensor import Axis, Tensor, as_tensor

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "sum_to",
    "var",
]


def _spread(shape: tuple[int, ...], axes: tuple[int, ...], g: Tensor) -> Tensor:
    """A reduced tensor stretched along the axes it lost: the transpose of summing."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return ops.broadcast_to(ops.reshape(g, kept), shape)


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return math.prod(shape[axis] for axis in axes)


def _converted(x: Any, dtype: Any) -> Tensor:
    """x in the dtype asked for, before anything is added; integers are added in 64 bits first, which gives the same."""
    tensor = as_tensor(x)
    if dtype is None or (not dtypes.is_inexact(tensor.dtype) and not dtypes.is_floating(dtypes.as_dtype(dtype))):
        return tensor
    return ops.astype(tensor, dtype, copy=False)


def _as_float(x: Any) -> Tensor:
    x = as_tensor(x)
    return x if dtypes.is_inexact(x.dtype) else ops.astype(x, dtypes.get_default_dtype(), copy=False)


def _wide(x: Tensor) -> Tensor:
    """x, 16-bit floats in float32."""
    return ops.astype(x, dtypes.float32, copy=False) if x.dtype.itemsize == 2 else x


@fast("sum")
def sum(x: Any, /, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """``y = sum_i x_i`` over ``axis``; an empty sum is 0.

    Floats keep their dtype (float16 and bfloat16 are added in float32 and rounded once); booleans and signed integers give int64, unsigned
    ones uint64, and wrap. ``dtype`` converts x first. Pairwise: the error is at most about (32 + log2 n) eps sum |x_i| (Higham, Accuracy
    and Stability of Numerical Algorithms, section 4.2), and the bits do not depend on the number of threads.
    Gradient: g at every element. IndexError if an axis is out of range.
    """
    x = _converted(x, dtype)
    axes = _axes("sum", axis, x.ndim)
    if is_complex(x):
        return by_parts(partial(sum, axis=axes, keepdims=keepdims), x)
    result = record("sum", _engine.sum(x._array, axes, keepdims), (x,), (partial(_spread, x.shape, axes),))
    return result if dtype is None else ops.astype(result, dtype, copy=False)


def sum_to(x: Any, shape: tuple[int, ...], /) -> Tensor:
    """x summed over the axes along which broadcasting stretched ``shape`` to x's shape: the transpose of ``broadcast_to``."""
    x = as_tensor(x)
    lead = x.ndim - len(shape)
    if lead < 0 or builtins.any(size not in (1, full) for size, full in zip(shape, x.shape[builtins.max(lead, 0) :], strict=True)):
        raise ValueError(f"sum_to: shape cannot be broadcast: {shape} to {x.shape}; sizes must be equal or 1, aligned at the last axis")
    stretched = (*range(lead), *(lead + i for i, size in enumerate(shape) if size != x.shape[lead + i]))
    return ops.reshape(sum(x, axis=stretched), shape) if stretched else x


@fast("mean")
def mean(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``y = (1 / n) sum_i x_i`` over ``axis``; of nothing, NaN.

    Floats keep their dtype, float16 and bfloat16 are rounded once, after the division; integers and booleans give the default dtype.
    Gradient: g / n at every element.
    """
    x = _as_float(x)
    axes = _axes("mean", axis, x.ndim)
    if is_complex(x):
        return by_parts(partial(mean, axis=axes, keepdims=keepdims), x)
    return record("mean", _engine.mean(x._array, axes, keepdims), (x,), (partial(_mean_vjp, x.shape, axes),))


def _mean_vjp(shape: tuple[int, ...], axes: tuple[int, ...], g: Tensor) -> Tensor:
    return _spread(shape, axes, ops.divide(g, float(builtins.max(_count(shape, axes), 1))))


@fast("prod")
def prod(x: Any, /, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """``y = prod_i x_i`` over ``axis``; an empty product is 1. Dtypes as for :func:`sum`.

    Gradient: g times the product of all other elements, never a division by x_i, so zeros are no exception.
    """
    x = _converted(x, dtype)
    axes = _axes("prod", axis, x.ndim)
    if is_complex(x):
        return _complex_prod(x, axes, keepdims)
    result = record("prod", _engine.prod(x._array, axes, keepdims), (x,), (partial(_prod_vjp, axes),), (x,))
    return result if dtype is None else ops.astype(result, dtype, copy=False)


def _complex_prod(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """As a tree: the first half of the factors times the second, until one is left."""
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    y = ops.reshape(ops.permute_dims(x, (*kept, *axes)), (*(x.shape[axis] for axis in kept), _count(x.shape, axes)))
    if y.shape[-1] == 0:
        return creation.ones(shape if keepdims else y.shape[:-1], x.dtype, device=x.device)
    while (count := y.shape[-1]) > 1:
        half = count // 2
        halves = ops.multiply(y[..., :half], y[..., half : 2 * half])
        y = ops.concat([halves, y[..., 2 * half :]], axis=-1) if count % 2 else halves
    return ops.reshape(y, shape if keepdims else y.shape[:-1])


def _prod_vjp(axes: tuple[int, ...], g: Tensor, x: Tensor) -> Tensor:
    rest = tuple(axis for axis in range(x.ndim) if axis not in axes)
    moved = ops.permute_dims(x, rest + axes)
    others = ops.reshape(_products_of_others(ops.reshape(moved, (*moved.shape[: len(rest)], _count(x.shape, axes)))), moved.shape)
    inverse = sorted(range(x.ndim), key=(rest + axes).__getitem__)
    return ops.multiply(_spread(x.shape, axes, g), ops.permute_dims(others, inverse))


def _products_of_others(x: Tensor) -> Tensor:
    """For each element the product of all others on the last axis: up a binary tree of products, and down again past the siblings."""
    count = x.shape[-1]
    if 0 in x.shape:
        return x
    padded = 1 << (count - 1).bit_length()
    lead = [(0, 0)] * (x.ndim - 1)
    level = ops.pad(x, [*lead, (0, padded - count)], value=1.0)
    siblings = []
    while level.shape[-1] > 1:
        pairs = ops.reshape(level, (*x.shape[:-1], -1, 2))
        siblings.append(ops.flip(pairs, axis=-1))
        level = ops.multiply(pairs[..., 0], pairs[..., 1])
    others = creation.ones_like(level)
    for sibling in reversed(siblings):
        others = ops.reshape(ops.multiply(ops.expand_dims(others, -1), sibling), (*x.shape[:-1], -1))
    return others[..., :count]


# Extremes ---------------------------------------------------------------------------------------------------------------------------------


@fast("max")
def max(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``y = max_i x_i`` over ``axis``, in x's dtype; NaN if any element is.

    Gradient: g at the largest element; where several are equal, each gets the same share. ValueError if there is nothing to compare.
    """
    return _extreme("max", as_tensor(x), axis, keepdims)


@fast("min")
def min(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``y = min_i x_i`` over ``axis``, in x's dtype; NaN if any element is.

    Gradient: g at the smallest element; where several are equal, each gets the same share. ValueError if there is nothing to compare.
    """
    return _extreme("min", as_tensor(x), axis, keepdims)


def _extreme(op: str, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = _axes(op, axis, x.ndim)
    array: _engine.Array = getattr(_engine, op)(x._array, axes, keepdims)
    return record(op, array, (x,), (partial(_extreme_vjp, axes),), (x, OUTPUT))


def _extreme_vjp(axes: tuple[int, ...], g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    chosen = ops.astype(ops.equal(x, _spread(x.shape, axes, y)), x.dtype, copy=False)
    share = ops.divide(g, ops.reshape(sum(chosen, axis=axes), g.shape))
    return ops.multiply(_spread(x.shape, axes, share), chosen)


@fast("argmax")
def argmax(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The index of the first largest element along ``axis`` (None: of x flattened), int64; the first NaN counts as largest.

    ValueError if there is nothing to compare.
    """
    return _place("argmax", as_tensor(x), axis, keepdims)


@fast("argmin")
def argmin(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The index of the first smallest element along ``axis`` (None: of x flattened), int64; the first NaN counts as smallest.

    ValueError if there is nothing to compare.
    """
    return _place("argmin", as_tensor(x), axis, keepdims)


def _place(op: str, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    array = x._array if axis is not None else _engine.reshape(x._array, (x.size,))
    along = 0 if axis is None else _normalize_axis(op, axis, x.ndim)
    places = getattr(_engine, op)(array, along, keepdims)
    return Tensor(_engine.reshape(places, (1,) * x.ndim) if axis is None and keepdims else places)


# Truth ------------------------------------------------------------------------------------------------------------------------------------


@fast("any")
def any(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether any element over ``axis`` is not 0 (NaN is not); of nothing, False."""
    x = as_tensor(x)
    return Tensor(_engine.any(x._array, _axes("any", axis, x.ndim), keepdims))


@fast("all")
def all(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether all elements over ``axis`` are not 0 (NaN is not); of nothing, True."""
    x = as_tensor(x)
    return Tensor(_engine.all(x._array, _axes("all", axis, x.ndim), keepdims))


@fast("count_nonzero")
def count_nonzero(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """How many elements over ``axis`` are not 0 (NaN is not), int64."""
    x = as_tensor(x)
    return Tensor(_engine.count_nonzero(x._array, _axes("count_nonzero", axis, x.ndim), keepdims))


# Of these ---------------------------------------------------------------------------------------------------------------------------------


@fast("var")
def var(x: Any, /, axis: Axis = None, *, correction: float = 0.0, ddof: float = 0.0, keepdims: bool = False) -> Tensor:
    """``y = sum_i (x_i - m)^2 / (n - correction)`` over ``axis``, with ``m`` the mean; correction 1 makes it unbiased.

    ``ddof`` is NumPy's name of the correction.

    Two passes, so that a large mean costs no digits (Higham, section 1.9); float16 and bfloat16 are computed in float32.
    NaN or Inf where n - correction is not positive. Gradient: 2 g (x_i - m) / (n - correction).
    """
    x = _as_float(x)
    if is_complex(x):
        raise TypeError(f"var: dtype not supported: {x.dtype}; must be real")
    wide = _wide(x)
    axes = _axes("var", axis, x.ndim)
    deviation = ops.subtract(wide, mean(wide, axis=axes, keepdims=True))
    squares = sum(ops.multiply(deviation, deviation), axis=axes, keepdims=keepdims)
    divisor = builtins.max(_count(x.shape, axes) - (correction or ddof), 0.0)
    return ops.astype(ops.divide(squares, divisor), x.dtype, copy=False)


@fast("std")
def std(x: Any, /, axis: Axis = None, *, correction: float = 0.0, ddof: float = 0.0, keepdims: bool = False) -> Tensor:
    """``y = sqrt(var(x))``, the standard deviation; see :func:`var`. The gradient is not finite where y is 0."""
    return ops.sqrt(var(x, axis=axis, correction=correction or ddof, keepdims=keepdims))


def logsumexp(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``y = log sum_i exp x_i`` over ``axis``, as ``m + log sum_i exp(x_i - m)`` with ``m = max_i x_i``: nothing overflows.

    Of -Inf alone, and of nothing, it is -Inf. Gradient: g times softmax(x) (0 where y is -Inf).
    """
    x = _as_float(x)
    axes = _axes("logsumexp", axis, x.ndim)
    with no_grad():
        array = _engine.astype(_logsumexp(_wide(x), axes, keepdims)._array, x.dtype)
    return record("logsumexp", array, (x,), (partial(_logsumexp_vjp, axes),), (x, OUTPUT))


def _logsumexp(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    if _count(x.shape, axes) == 0:
        empty = creation.full(shape, -math.inf, dtype=x.dtype, device=x.device)
        return empty if keepdims else ops.squeeze(empty, axes)
    largest = max(x, axis=axes, keepdims=True)
    shift = ops.where(ops.isfinite(largest), largest, creation.zeros_like(largest))
    y = ops.add(ops.log(sum(ops.exp(ops.subtract(x, shift)), axis=axes, keepdims=True)), shift)
    return y if keepdims else ops.squeeze(y, axes)


def _logsumexp_vjp(axes: tuple[int, ...], g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    shift = ops.where(ops.equal(y, -math.inf), creation.zeros_like(y), y)
    return ops.multiply(_spread(x.shape, axes, g), ops.exp(ops.subtract(x, _spread(x.shape, axes, shift))))
