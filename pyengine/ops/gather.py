"""Ops that read and write at places named by integer arrays. Negative indices count from the end; others out of range are IndexErrors.

Writing ops return a new tensor. Values for the same place are added in the order of the indices: the same bits for any number of threads.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import OUTPUT, record
from pyengine.dtypes import DType
from pyengine.tensor import Tensor, as_tensor

__all__ = [
    "index_add",
    "nonzero",
    "scatter",
    "scatter_add",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_sum",
    "take",
    "take_along_axis",
]


# Whole slices -----------------------------------------------------------------------------------------------------------------------------


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Tensor:
    """``y[i..., j..., k...] = x[i..., indices[j...], k...]``, with ``indices`` standing on ``axis``, which a vector need not name.

    The shape is x's with ``axis`` replaced by the shape of ``indices``. Gradient: g added up at the indices, see :func:`index_add`.
    ValueError without an axis where x has several.
    """
    x, indices = as_tensor(x), as_tensor(indices)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: axis missing: shape {x.shape}; only a vector needs none")
        axis = 0
    array = _engine.take(x._array, indices._array, axis)
    return record("take", array, (x,), (partial(_take_vjp, x.shape, indices, axis),))


def _take_vjp(shape: tuple[int, ...], indices: Tensor, axis: int, g: Tensor) -> Tensor:
    return index_add(creation.zeros(shape, g.dtype, device=g.device), indices, g, axis=axis)


def index_add(x: Any, indices: Any, values: Any, /, *, axis: int = 0) -> Tensor:
    """``y = x``, then ``y[i..., indices[j...], k...] += values[i..., j..., k...]`` for every j in order: what :func:`take` reads, added to.

    ``values`` broadcasts to the shape that :func:`take` gives. float16 and bfloat16 are added in float32 and rounded once.
    Gradient: g to x, ``take(g, indices)`` to the values.
    """
    x, indices, values = as_tensor(x), as_tensor(indices), as_tensor(values)
    array = _engine.copy(x._array, x.dtype)
    _engine.index_add(array, indices._array, axis, values._array)
    return record("index_add", array, (x, values), (_same, partial(_index_add_vjp, indices, axis)))


def _same(g: Tensor) -> Tensor:
    return g


def _index_add_vjp(indices: Tensor, axis: int, g: Tensor) -> Tensor:
    return take(g, indices, axis=axis)


# Single elements --------------------------------------------------------------------------------------------------------------------------


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    """``y[i..., j, k...] = x[i..., indices[i..., j, k...], k...]``: one element of x for every index, found along ``axis``.

    ``indices`` and x have the same sizes on all other axes, or 1 on one side. Gradient: g added up at the indices, see :func:`scatter_add`.
    """
    x, indices = _aligned(as_tensor(x), as_tensor(indices), axis)
    array = _engine.take_along_axis(x._array, indices._array, axis)
    return record("take_along_axis", array, (x,), (partial(_along_vjp, x.shape, indices, axis),))


def _aligned(x: Tensor, indices: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Both, broadcast against each other on all axes but one."""
    if x.ndim != indices.ndim or not -x.ndim <= axis < x.ndim:
        return x, indices  # the engine explains
    along = axis % x.ndim
    shape = ops.broadcast_shapes(_without(x.shape, along), _without(indices.shape, along))
    sizes = [(*shape[:along], size, *shape[along:]) for size in (x.shape[along], indices.shape[along])]
    return ops.broadcast_to(x, sizes[0]), ops.broadcast_to(indices, sizes[1])


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _along_vjp(shape: tuple[int, ...], indices: Tensor, axis: int, g: Tensor) -> Tensor:
    return scatter_add(creation.zeros(shape, g.dtype, device=g.device), indices, g, axis=axis)


def scatter_add(x: Any, indices: Any, values: Any, /, *, axis: int = -1) -> Tensor:
    """``y = x``, then ``y[i..., indices[i..., j, k...], k...] += values[i..., j, k...]``: what :func:`take_along_axis` reads, added to.

    ``indices`` has x's sizes on all axes but ``axis``; ``values`` broadcasts to the shape of ``indices``. float16 and bfloat16 are added in
    float32 and rounded once. Gradient: g to x, ``take_along_axis(g, indices)`` to the values.
    """
    x, indices, values = as_tensor(x), as_tensor(indices), as_tensor(values)
    array = _engine.copy(x._array, x.dtype)
    _engine.scatter_add(array, indices._array, axis, values._array)
    return record("scatter_add", array, (x, values), (_same, partial(_scatter_add_vjp, indices, axis)))


def _scatter_add_vjp(indices: Tensor, axis: int, g: Tensor) -> Tensor:
    return take_along_axis(g, indices, axis=axis)


def scatter(x: Any, indices: Any, values: Any, /, *, axis: int = -1) -> Tensor:
    """``y = x``, then ``y[i..., indices[i..., j, k...], k...] = values[i..., j, k...]``; of several values for one place, the last.

    Shapes as for :func:`scatter_add`. Gradient: g to x where nothing was written, and to the values that stand in y.
    """
    x, indices, values = as_tensor(x), as_tensor(indices), as_tensor(values)
    array = _engine.copy(x._array, x.dtype)
    _engine.scatter(array, indices._array, axis, values._array)
    vjps = (partial(_overwritten_vjp, indices, axis), partial(_written_vjp, x.shape, indices, axis))
    return record("scatter", array, (x, values), vjps)


def _overwritten_vjp(indices: Tensor, axis: int, g: Tensor) -> Tensor:
    return scatter(g, indices, creation.zeros((), g.dtype, device=g.device), axis=axis)


def _written_vjp(shape: tuple[int, ...], indices: Tensor, axis: int, g: Tensor) -> Tensor:
    numbers = ops.reshape(creation.arange(indices.size, device=g.device), indices.shape)
    winners = scatter(creation.zeros(shape, dtypes.int64, device=g.device), indices, numbers, axis=axis)
    wins = ops.equal(take_along_axis(winners, indices, axis=axis), numbers)
    return ops.multiply(take_along_axis(g, indices, axis=axis), ops.astype(wins, g.dtype, copy=False))


# Segments ---------------------------------------------------------------------------------------------------------------------------------


def segment_sum(x: Any, segment_ids: Any, /, num_segments: int | None = None) -> Tensor:
    """``y[s] = sum of x[i] over all i with segment_ids[i] = s``, along axis 0; an empty segment is 0.

    ``segment_ids`` (n,) in any order; ``num_segments`` defaults to the largest id and one. On a graph: the messages that reach each node.
    Gradient: ``g[segment_ids]``.
    """
    x, ids, count = _segments("segment_sum", x, segment_ids, num_segments)
    return index_add(creation.zeros((count, *x.shape[1:]), x.dtype, device=x.device), ids, x)


def segment_mean(x: Any, segment_ids: Any, /, num_segments: int | None = None) -> Tensor:
    """``y[s] = mean of x[i] over all i with segment_ids[i] = s``, along axis 0; an empty segment is 0. Floats only."""
    x, ids, count = _segments("segment_mean", x, segment_ids, num_segments)
    if not dtypes.is_floating(x.dtype):
        raise TypeError(f"segment_mean: dtype is not floating: {x.dtype}; convert first")
    wide = ops.astype(x, dtypes.float32, copy=False) if x.dtype.itemsize == 2 else x
    sizes = segment_sum(creation.ones((ids.size,), wide.dtype, device=x.device), ids, count)
    divisors = ops.reshape(ops.maximum(sizes, 1.0), (count,) + (1,) * (x.ndim - 1))
    return ops.astype(ops.divide(segment_sum(wide, ids, count), divisors), x.dtype, copy=False)


def segment_max(x: Any, segment_ids: Any, /, num_segments: int | None = None) -> Tensor:
    """``y[s] = max of x[i] over all i with segment_ids[i] = s``, along axis 0; an empty segment is -Inf (the least integer).

    NaN where a segment has one. Gradient: g at the largest element; where several are equal, each gets the same share.
    """
    return _segment_extreme("max", x, segment_ids, num_segments)


def segment_min(x: Any, segment_ids: Any, /, num_segments: int | None = None) -> Tensor:
    """``y[s] = min of x[i] over all i with segment_ids[i] = s``, along axis 0; an empty segment is Inf (the greatest integer).

    NaN where a segment has one. Gradient: g at the smallest element; where several are equal, each gets the same share.
    """
    return _segment_extreme("min", x, segment_ids, num_segments)


def _segments(op: str, x: Any, segment_ids: Any, num_segments: int | None) -> tuple[Tensor, Tensor, int]:
    x, ids = as_tensor(x), as_tensor(segment_ids)
    if x.ndim == 0 or ids.shape != x.shape[:1]:
        raise ValueError(
            f"{op}: one id for each row is needed: x {x.shape}, segment_ids {ids.shape}; segment_ids.shape must be x.shape[:1]"
        )
    if num_segments is None:
        num_segments = int(ops.max(ids)) + 1 if ids.size else 0
    if num_segments < 0:
        raise ValueError(f"{op}: negative number of segments: {num_segments}; must be at least 0")
    return x, ids, num_segments


def _segment_extreme(which: str, x: Any, segment_ids: Any, num_segments: int | None) -> Tensor:
    op = f"segment_{which}"
    x, ids, count = _segments(op, x, segment_ids, num_segments)
    array = creation.full((count, *x.shape[1:]), _neutral(which, x.dtype), dtype=x.dtype, device=x.device)._array
    getattr(_engine, f"index_{which}")(array, ids._array, 0, x._array)
    return record(op, array, (x,), (partial(_segment_extreme_vjp, ids),), (x, OUTPUT))


def _neutral(which: str, dtype: DType) -> float | int:
    if dtypes.is_floating(dtype):
        return -math.inf if which == "max" else math.inf
    info = dtypes.iinfo(dtype)
    return info.min if which == "max" else info.max


def _segment_extreme_vjp(ids: Tensor, g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    chosen = ops.astype(ops.equal(x, take(y, ids, axis=0)), x.dtype, copy=False)
    share = ops.divide(g, segment_sum(chosen, ids, y.shape[0]))  # of an empty segment nobody takes one
    return ops.multiply(take(share, ids, axis=0), chosen)


# Masks ------------------------------------------------------------------------------------------------------------------------------------


def nonzero(x: Any, /) -> tuple[Tensor, ...]:
    """Where x is not 0, in row-major order: one int64 array of positions for each axis. ValueError for rank 0."""
    return tuple(Tensor(array) for array in _engine.nonzero(as_tensor(x)._array))
