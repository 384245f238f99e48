"""Ops that rearrange elements and compute nothing. Results are views where strides can express them, copies otherwise."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Any

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import record
from pyengine.device import as_device
from pyengine.fast import fast
from pyengine.tensor import Axis, Tensor, as_tensor, integers

__all__ = [
    "astype",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "concat",
    "copy",
    "expand_dims",
    "flatten",
    "flip",
    "matrix_transpose",
    "moveaxis",
    "pad",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "tile",
    "to",
    "tril",
    "triu",
    "unstack",
]


def _normalize_axis(op: str, axis: int, ndim: int) -> int:
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise IndexError(f"{op}: axis out of range: {axis} for rank {ndim}; must be in [{-ndim}, {ndim})")
    return axis % ndim


def _axes(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    wanted = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else integers(op, "axis", axis)
    axes = tuple(_normalize_axis(op, a, ndim) for a in wanted)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: axis named twice: {axis}; every axis may occur once")
    return axes


@fast("reshape")
def reshape(x: Any, /, shape: int | Sequence[int], *, copy: bool | None = None) -> Tensor:
    """The same elements, in row-major order, under another shape; one size may be -1 and is inferred.

    A view where the strides allow it. ``copy=True`` always copies; ``copy=False`` raises ValueError where a copy would be needed.
    Gradient: reshaped back. ValueError if the element counts differ.
    """
    x = as_tensor(x)
    sizes = integers("reshape", "shape", shape)
    array = _engine.reshape(x._array, sizes)
    shared = array.shares_storage(x._array)
    if copy is False and not shared:
        raise ValueError(f"reshape: a copy is needed: shape {x.shape}, strides {x.strides}, to {sizes}; copy=False forbids it")
    if copy and shared:
        array = _copied(array)
    return record("reshape", array, (x,), (partial(_reshape_vjp, x.shape),))


def _reshape_vjp(shape: tuple[int, ...], g: Tensor) -> Tensor:
    return reshape(g, shape)


def flatten(x: Any, /, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """Axes start to end, both included, joined into one."""
    x = as_tensor(x)
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = _normalize_axis("flatten", start_axis, x.ndim), _normalize_axis("flatten", end_axis, x.ndim)
    if start > end:
        raise ValueError(f"flatten: axes out of order: start {start}, end {end}; start must not lie behind end")
    count = 1
    for size in x.shape[start : end + 1]:
        count *= size
    return reshape(x, (*x.shape[:start], count, *x.shape[end + 1 :]))


@fast("permute_dims")
def permute_dims(x: Any, /, axes: Sequence[int]) -> Tensor:
    """Axis i of the result is axis ``axes[i]`` of x; a view. Gradient: the inverse permutation."""
    x = as_tensor(x)
    axes = integers("permute_dims", "axes", axes)
    return record("permute_dims", _engine.permute_dims(x._array, axes), (x,), (partial(_permute_vjp, axes),))


def _permute_vjp(axes: tuple[int, ...], g: Tensor) -> Tensor:
    inverse = [0] * len(axes)
    for i, axis in enumerate(axes):
        inverse[axis % len(axes)] = i
    return permute_dims(g, inverse)


def swapaxes(x: Any, /, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged; a view."""
    x = as_tensor(x)
    axes = list(range(x.ndim))
    i, j = _normalize_axis("swapaxes", axis1, x.ndim), _normalize_axis("swapaxes", axis2, x.ndim)
    axes[i], axes[j] = j, i
    return permute_dims(x, axes)


@fast("matrix_transpose")
def matrix_transpose(x: Any, /) -> Tensor:
    """The last two axes exchanged; a view."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: rank too low: shape {x.shape}; at least 2 axes are needed")
    return swapaxes(x, -1, -2)


@fast("moveaxis")
def moveaxis(x: Any, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Tensor:
    """Axes ``source`` come to stand at ``destination``, the others keep their order; a view."""
    x = as_tensor(x)
    sources, destinations = _axes("moveaxis", source, x.ndim), _axes("moveaxis", destination, x.ndim)
    if len(sources) != len(destinations):
        raise ValueError(f"moveaxis: counts differ: source {source}, destination {destination}; one destination for each source")
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, order)


@fast("expand_dims")
def expand_dims(x: Any, /, axis: int | tuple[int, ...] = 0) -> Tensor:
    """New axes of size 1, at ``axis`` of the result; a view."""
    x = as_tensor(x)
    axes = integers("expand_dims", "axis", axis)
    ndim = x.ndim + len(axes)
    places = _axes("expand_dims", axes, ndim)
    old = iter(x.shape)
    return reshape(x, tuple(1 if i in places else next(old) for i in range(ndim)))


@fast("squeeze")
def squeeze(x: Any, /, axis: Axis = None) -> Tensor:
    """Axes of size 1 left out: those named, or all. A view. ValueError if one named has another size."""
    x = as_tensor(x)
    axes = tuple(i for i, size in enumerate(x.shape) if size == 1) if axis is None else _axes("squeeze", axis, x.ndim)
    for i in axes:
        if x.shape[i] != 1:
            raise ValueError(f"squeeze: size is not 1: axis {i} of shape {x.shape}; only axes of size 1 can be left out")
    return reshape(x, tuple(size for i, size in enumerate(x.shape) if i not in axes))


@fast("broadcast_to")
def broadcast_to(x: Any, /, shape: Sequence[int]) -> Tensor:
    """x stretched along axes of size 1 and new leading axes; a view with stride 0. Gradient: summed over them."""
    x = as_tensor(x)
    return record("broadcast_to", _engine.broadcast_to(x._array, integers("broadcast_to", "shape", shape)), (x,), (_identity_vjp,))


def _identity_vjp(g: Tensor) -> Tensor:
    return g


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape of all, by NumPy's rule. ValueError if there is none."""
    result: tuple[int, ...] = ()
    for shape in shapes:
        result = _engine.broadcast_shapes(result, tuple(shape))
    return result


@fast("broadcast_arrays")
def broadcast_arrays(*arrays: Any) -> tuple[Tensor, ...]:
    """Views of all arrays under their common shape."""
    tensors = [as_tensor(a) for a in arrays]
    shape = broadcast_shapes(*(t.shape for t in tensors))
    return tuple(broadcast_to(t, shape) for t in tensors)


@fast("concat")
def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Tensor:
    """The arrays one after the other along ``axis`` (None: all flattened first), in their common dtype. Gradient: cut apart again."""
    tensors = [as_tensor(a) for a in arrays]
    if axis is None:
        tensors, axis = [reshape(t, (-1,)) for t in tensors], 0
    array = _engine.concat([t._array for t in tensors], axis)
    along = axis % len(array.shape)
    return record("concat", array, tensors, partial(_concat_vjp, along, [t.shape[along] for t in tensors]))


def _concat_vjp(axis: int, sizes: list[int], g: Tensor) -> tuple[Tensor, ...]:
    return tuple(_pieces(g, axis, sizes))


def _pieces(x: Tensor, axis: int, sizes: Sequence[int]) -> list[Tensor]:
    before, start, pieces = (slice(None),) * axis, 0, []
    for size in sizes:
        pieces.append(x[(*before, slice(start, start + size))])
        start += size
    return pieces


@fast("stack")
def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Arrays of one shape along a new axis."""
    tensors = [as_tensor(a) for a in arrays]
    if len({t.shape for t in tensors}) > 1:
        raise ValueError(f"stack: shapes differ: {', '.join(str(t.shape) for t in tensors)}; they must all be equal")
    return concat([expand_dims(t, axis) for t in tensors], axis=axis)


@fast("unstack")
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, without it; views."""
    x = as_tensor(x)
    before = (slice(None),) * _normalize_axis("unstack", axis, x.ndim)
    return tuple(x[(*before, i)] for i in range(x.shape[len(before)]))


def split(x: Any, sizes: int | Sequence[int], /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of the given sizes along an axis; an int cuts equal pieces of that size, the last maybe smaller."""
    x = as_tensor(x)
    axis = _normalize_axis("split", axis, x.ndim)
    total = x.shape[axis]
    if isinstance(sizes, Integral):
        (size,) = integers("split", "sizes", sizes)
        if size <= 0:
            raise ValueError(f"split: size not positive: {size}; must be at least 1")
        sizes = [builtins.min(size, total - start) for start in range(0, total, size)]
    sizes = integers("split", "sizes", sizes)
    if builtins.sum(sizes) != total or builtins.any(size < 0 for size in sizes):
        raise ValueError(f"split: sizes do not add up: {list(sizes)} for axis {axis} of size {total}; their sum must be the axis's size")
    return tuple(_pieces(x, axis, sizes))


@fast("flip")
def flip(x: Any, /, *, axis: Axis = None) -> Tensor:
    """The order reversed along the axes named, or all; a view."""
    tensor = as_tensor(x)
    axes = _axes("flip", axis, tensor.ndim)
    return tensor[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(tensor.ndim))]


@fast("roll")
def roll(x: Any, /, shift: int | tuple[int, ...], *, axis: Axis = None) -> Tensor:
    """Elements moved on by ``shift``, those that leave at the end coming back at the start; without an axis, in flattened order."""
    rolled = as_tensor(x)
    if axis is None:
        return reshape(roll(reshape(rolled, (-1,)), shift, axis=0), rolled.shape)
    axes, shifts = integers("roll", "axis", axis), integers("roll", "shift", shift)
    if isinstance(shift, Integral):
        shifts *= len(axes)
    if len(shifts) != len(axes):
        raise ValueError(f"roll: counts differ: shift {shift}, axis {axis}; one shift for each axis")
    for one, by in zip(axes, shifts, strict=True):
        one = _normalize_axis("roll", one, rolled.ndim)
        size = rolled.shape[one]
        if size and by % size:
            head, tail = split(rolled, (size - by % size, by % size), axis=one)
            rolled = concat((tail, head), axis=one)
    return copy(rolled) if rolled is x else rolled


@fast("tile")
def tile(x: Any, repetitions: Sequence[int], /) -> Tensor:
    """x laid ``repetitions[i]`` times along axis i; the shorter of shape and repetitions is filled up with ones in front."""
    x = as_tensor(x)
    counts = integers("tile", "repetitions", repetitions)
    rank = builtins.max(x.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - x.ndim) + x.shape
    wide = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    narrow = tuple(n for size in shape for n in (1, size))
    return reshape(broadcast_to(reshape(x, narrow), wide), tuple(c * s for c, s in zip(counts, shape, strict=True)), copy=True)


@fast("repeat")
def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Every element, or slice along ``axis``, ``repeats`` times in a row; without an axis, of the flattened array."""
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = _normalize_axis("repeat", axis, x.ndim)
    if isinstance(repeats, int):
        if repeats < 0:
            raise ValueError(f"repeat: negative count: {repeats}; must be at least 0")
        wide = broadcast_to(expand_dims(x, axis + 1), (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]))
        return reshape(wide, (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]), copy=True)
    counts = as_tensor(repeats).tolist()
    if isinstance(counts, int):
        return repeat(x, counts, axis=axis)
    if len(counts) == 1:
        return repeat(x, counts[0], axis=axis)
    if len(counts) != x.shape[axis] or builtins.any(c < 0 for c in counts):
        raise ValueError(
            f"repeat: counts do not fit: {counts} for axis {axis} of size {x.shape[axis]}; one count, at least 0, for each slice"
        )
    indices = creation.asarray([i for i, c in enumerate(counts) for _ in range(c)], dtype=dtypes.int64, device=x.device)
    return ops.take(x, indices, axis=axis)


def pad(x: Any, widths: Sequence[tuple[int, int]], /, mode: str = "constant", *, value: float = 0.0, constant_values: Any = None) -> Tensor:
    """``widths[i]`` elements of ``value`` before and behind axis i; negative widths crop. Gradient: the part that was x.

    ``mode`` and ``constant_values`` are NumPy's: one value for all sides. ValueError for other modes, which ``nn.functional.pad`` has.
    """
    x = as_tensor(x)
    if mode != "constant":
        raise ValueError(f"pad: no such mode: {mode!r}; must be 'constant', nn.functional.pad has others")
    value = value if constant_values is None else _one_value(constant_values)
    if len(widths) != x.ndim:
        raise ValueError(f"pad: wrong number of widths: {len(widths)} for shape {x.shape}; one (before, behind) for each axis")
    sizes = tuple(size + low + high for size, (low, high) in zip(x.shape, widths, strict=True))
    if builtins.any(size < 0 for size in sizes):
        raise ValueError(f"pad: cropped below nothing: shape {x.shape}, widths {tuple(widths)}; every resulting size must be at least 0")
    array = creation.full(sizes, value, dtype=x.dtype, device=x.device)._array
    spans = [
        (builtins.max(-low, 0), builtins.max(low, 0), size + builtins.min(low, 0) + builtins.min(high, 0))
        for size, (low, high) in zip(x.shape, widths, strict=True)
    ]
    kept = tuple(builtins.max(span[2], 0) for span in spans)
    ones = (1,) * x.ndim
    if 0 not in kept:
        inner = _engine.slice(array, tuple(s[1] for s in spans), ones, kept)
        _engine.assign(inner, _engine.slice(x._array, tuple(s[0] for s in spans), ones, kept))
    return record("pad", array, (x,), (partial(_pad_vjp, [(-low, -high) for low, high in widths]),))


def _one_value(values: Any) -> Any:
    """NumPy's constant_values, a number or one for each side, where all are the same."""
    first, *others = as_tensor(values).flatten().tolist()
    if builtins.any(other != first and other == other for other in others):
        raise ValueError(f"pad: several values: {values}; all sides get the same")
    return first


def _pad_vjp(widths: list[tuple[int, int]], g: Tensor) -> Tensor:
    return pad(g, widths)


def _copied(array: _engine.Array) -> _engine.Array:
    result = _engine.empty(array.shape, array.dtype, array.device)
    _engine.assign(result, array)
    return result


@fast("copy")
def copy(x: Any, /) -> Tensor:
    """A contiguous copy. Gradient: handed through."""
    x = as_tensor(x)
    return record("copy", _copied(x._array), (x,), (_identity_vjp,))


@fast("astype")
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """x converted, in memory of its own; with ``copy=False`` x itself if it has the dtype already. Gradient: converted back."""
    x = as_tensor(x)
    if device is not None:
        x = to(x, device)
    target = dtypes.as_dtype(dtype)
    if target is x.dtype:
        return ops.copy(x) if copy else x
    array = _engine.astype(x._array, target)
    if not (dtypes.is_inexact(target) and dtypes.is_inexact(x.dtype)):
        return Tensor(array)
    return record("astype", array, (x,), (_identity_vjp,))


def to(x: Any, /, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, non_blocking: bool = False) -> Tensor:
    """``to(x, dtype)``, ``to(x, device)``, ``to(x, device, dtype)``, in any order. Gradient: converted and moved back.

    With ``non_blocking=True`` a copy between pinned memory (:func:`pyengine.cuda.pin_memory`) and a GPU goes on while the CPU does.
    """
    dtype, device = creation.destination(args, dtype, device)
    x = as_tensor(x)
    if device is not None and (where := as_device("to", device)) != x.device:
        x, copy = _moved(x, where, non_blocking), False
    return astype(x, x.dtype if dtype is None else dtype, copy=copy)


def _moved(x: Tensor, device: str, non_blocking: bool) -> Tensor:
    """A copy on another device. Gradient: moved back."""
    home = x.device
    overlaps = non_blocking and "cuda" in (home[:4], device[:4])
    array = (_engine.cuda_to_device_without_waiting if overlaps else _engine.to_device)(x._array, device)
    return record("to", array, (x,), (lambda g: to(g, home),))


def tril(x: Any, /, *, k: int = 0) -> Tensor:
    """The lower triangles of a stack of matrices: zeros above diagonal k. Gradient: that of the part kept."""
    return _triangle("tril", as_tensor(x), k, lower=True)


def triu(x: Any, /, *, k: int = 0) -> Tensor:
    """The upper triangles of a stack of matrices: zeros below diagonal k. Gradient: that of the part kept."""
    return _triangle("triu", as_tensor(x), k, lower=False)


def _triangle(op: str, x: Tensor, k: int, lower: bool) -> Tensor:
    if x.ndim < 2:
        raise ValueError(f"{op}: rank too low: shape {x.shape}; at least 2 axes are needed")
    rows, columns = creation.arange(x.shape[-2], device=x.device), creation.arange(x.shape[-1], device=x.device)
    distance = ops.subtract(expand_dims(columns, 0), expand_dims(rows, 1))
    keep = ops.less_equal(distance, k) if lower else ops.greater_equal(distance, k)
    return ops.where(keep, x, creation.zeros((), x.dtype, device=x.device))
