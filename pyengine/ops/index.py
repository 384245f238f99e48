"""Indexing, as NumPy defines it: slices, integers, ellipsis and new axes give views; integer and boolean arrays give copies."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import record
from pyengine.fast import fast
from pyengine.ops.in_place import check_writable, rebind
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = ["getitem", "setitem"]


@fast("getitem")
def getitem(x: Tensor, key: Any, /) -> Tensor:
    """``x[key]``. Gradient: zeros with g at the elements read, summed where one was read twice."""
    selection = _Selection(x, key)
    array = selection.read(x._array)
    return record("getitem", array, (x,), (partial(_getitem_vjp, selection),))


def _getitem_vjp(selection: _Selection, g: Tensor) -> Tensor:
    return _scatter(selection, g)


def _scatter(selection: _Selection, g: Tensor) -> Tensor:
    """Zeros of the selected array's shape with g added in at the selection: the transpose of reading."""
    array = creation.zeros(selection.shape, g.dtype, device=g.device)._array
    selection.write(array, g._array, accumulate=True)
    return record("scatter", array, (g,), (partial(_gather, selection),))


def _gather(selection: _Selection, g: Tensor) -> Tensor:
    return record("gather", selection.read(g._array), (g,), (partial(_scatter, selection),))


def setitem(x: Tensor, key: Any, value: Any, /) -> None:
    """``x[key] = value``, broadcast and converted. Gradient: g at the key goes to value, the rest to what x was before."""
    value = coerce(x, value)[1]
    selection = _Selection(x, key)
    check_writable("setitem", x, value)
    shape = selection.result_shape(x._array)
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:  # as NumPy has it
        value = ops.reshape(value, value.shape[extra:])
    _engine.broadcast_to(value._array, shape)  # raises before anything is changed
    stands = selection.shows(x._array, value._array)
    if stands and value._version == x._array.version == x._version + 1:
        x._version += 1  # nothing but value was changed in x's memory since: the last step of x[key] op= other
    result = record("setitem", x._array, (x, value), (partial(_rest_vjp, selection), partial(_value_vjp, selection)))
    if not stands:
        selection.write(x._array, value._array, accumulate=False)
    rebind(x, result)


def _value_vjp(selection: _Selection, g: Tensor) -> Tensor:
    """g at the elements written; where one was written twice, to the value that stands there."""
    if not selection.indices:
        return _gather(selection, g)
    shape = selection.result_shape(g._array)
    numbers = ops.reshape(creation.arange(math.prod(shape), device=g.device), shape)
    last = creation.zeros(selection.shape, dtypes.int64, device=g.device)._array
    selection.write(last, numbers._array, accumulate=False)
    return ops.where(ops.equal(Tensor(selection.read(last)), numbers), _gather(selection, g), 0.0)


def _rest_vjp(selection: _Selection, g: Tensor) -> Tensor:
    mask = creation.ones(selection.shape, g.dtype, device=g.device)
    selection.write(mask._array, creation.zeros((), g.dtype, device=g.device)._array, accumulate=False)
    return ops.multiply(g, mask)


class _Selection:
    """What a key selects from an array of one shape: a view, and, with index arrays in the key, elements of that view.

    ``layout`` lists the view's axes: the array's axis, or None for a new one. ``indices`` lists (axis of the view, index array); arrays
    next to each other leave their common shape where the first stood, otherwise it comes first (NumPy's rule; integers beside arrays
    count).
    """

    def __init__(self, x: Tensor, key: Any) -> None:
        self.shape = x.shape
        self.starts, self.steps, self.sizes = [0] * x.ndim, [1] * x.ndim, list(x.shape)
        self.layout: list[int | None] = []
        self.indices: list[tuple[int, Tensor]] = []
        items = _expand(key, x.shape)
        advanced = any(_is_array(item) for item in items)
        axis = 0
        places = []
        for place, item in enumerate(items):
            if item is Ellipsis:
                continue
            if item is None:
                self.layout.append(None)
            elif isinstance(item, slice):
                self._slice(axis, item)
                axis += 1
            elif advanced:
                places.append(place)
                axis += self._arrays(axis, item)
            else:
                self._integer(axis, item)
                axis += 1
        self.adjacent = not places or places[-1] - places[0] == len(places) - 1
        if self.indices:
            shape = _common_shape([index.shape for _, index in self.indices])
            self.indices = [(axis, ops.broadcast_to(index, shape)) for axis, index in self.indices]

    def _slice(self, axis: int, item: slice) -> None:
        start, stop, step = item.indices(self.shape[axis])
        size = len(range(start, stop, step))
        self.starts[axis], self.steps[axis], self.sizes[axis] = start, step if size > 1 else 1, size  # a step not taken may be huge
        self.layout.append(axis)

    def _integer(self, axis: int, item: Any) -> None:
        self.starts[axis], self.sizes[axis] = self._in_range(axis, item), 1

    def _in_range(self, axis: int, item: Any) -> int:
        index, size = int(item), self.shape[axis]
        if not -size <= index < size:
            raise IndexError(f"getitem: index out of range: {index} on axis {axis} of size {size}; must be in [{-size}, {size})")
        return index % size

    def _arrays(self, axis: int, item: Any) -> int:
        """Adds the index arrays of one item; returns how many axes of the array it uses up."""
        if not _is_array(item):
            item = self._in_range(axis, item)
        index = (
            item
            if isinstance(item, Tensor)
            else as_tensor(np.asarray(item, dtype=np.int64 if isinstance(item, list) and np.size(item) == 0 else None))
        )
        if dtypes.is_floating(index.dtype):
            raise IndexError(f"getitem: not integers or booleans: index array of {index.dtype}; only these can select")
        if index.dtype is not dtypes.bool_:
            self.indices.append((len(self.layout), ops.astype(index, dtypes.int64, copy=False)))
            self.layout.append(axis)
            return 1
        if index.ndim == 0:  # as if on a new axis of size 1: kept or not
            self.indices.append((len(self.layout), creation.arange(int(index.item()))))
            self.layout.append(None)
            return 0
        sizes = self.shape[axis : axis + index.ndim]
        if len(sizes) < index.ndim or any(own not in (0, size) for own, size in zip(index.shape, sizes, strict=True)):
            raise IndexError(
                f"getitem: mask does not fit: {index.shape} on axes {axis} to {axis + index.ndim - 1} of {self.shape}; "
                "sizes must be equal, or 0"
            )
        for offset, places in enumerate(ops.nonzero(index)):
            self.indices.append((len(self.layout), places))
            self.layout.append(axis + offset)
        return index.ndim

    def read(self, array: _engine.Array) -> _engine.Array:
        view = self._view(array)
        if not self.indices:
            return view
        picked = _engine.index_get(view, self._index_arrays(), self._index_axes())
        return _engine.permute_dims(picked, self._order(len(picked.shape)))

    def write(self, array: _engine.Array, value: _engine.Array, accumulate: bool) -> None:
        view = self._view(array)
        if not self.indices:
            _engine.assign(view, value)  # no element is selected twice, so onto zeros this accumulates too
            return
        shape = self.result_shape(array)
        inverse = [0] * len(shape)
        for i, axis in enumerate(self._order(len(shape))):
            inverse[axis] = i
        value = _engine.astype(_engine.permute_dims(_engine.broadcast_to(value, shape), inverse), array.dtype)
        _engine.index_put(view, self._index_arrays(), self._index_axes(), value, accumulate)

    def shows(self, array: _engine.Array, value: _engine.Array) -> bool:
        """Whether value is the very elements of the array that are selected, by a key without index arrays."""
        if self.indices or not value.shares_storage(array):
            return False
        view = self._view(array)
        return (view.address, view.shape, view.strides, view.dtype) == (value.address, value.shape, value.strides, value.dtype)

    def result_shape(self, array: _engine.Array) -> tuple[int, ...]:
        view = self._view(array)
        if not self.indices:
            return view.shape
        rest = [size for axis, size in enumerate(view.shape) if axis not in self._index_axes()]
        moved = (*self.indices[0][1].shape, *rest)
        return tuple(moved[axis] for axis in self._order(len(moved)))

    def _view(self, array: _engine.Array) -> _engine.Array:
        sliced = _engine.slice(array, self.starts, self.steps, self.sizes)
        shape = [1 if axis is None else self.sizes[axis] for axis in self.layout]
        strides = [0 if axis is None else sliced.strides[axis] for axis in self.layout]
        return _engine.as_strided(sliced, shape, strides, 0)

    def _index_arrays(self) -> list[_engine.Array]:
        return [index._array for _, index in self.indices]

    def _index_axes(self) -> list[int]:
        return [axis for axis, _ in self.indices]

    def _order(self, ndim: int) -> list[int]:
        """The permutation from (index axes, other axes) to the result's order."""
        order = list(range(ndim))
        if not self.adjacent:
            return order
        count = self.indices[0][1].ndim
        before = self.indices[0][0]
        return order[count : count + before] + order[:count] + order[count + before :]


def _common_shape(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    try:
        return ops.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(map(str, shapes))
        raise IndexError(
            f"getitem: index arrays cannot be broadcast: {listed}; sizes must be equal or 1, aligned at the last axis"
        ) from None


def _is_array(item: Any) -> bool:
    """Whether an item of a key selects by array; integers of rank 0 do not."""
    if isinstance(item, Tensor):
        return item.ndim > 0 or item.dtype is dtypes.bool_
    if isinstance(item, np.ndarray | np.generic):
        return item.ndim > 0 or item.dtype == np.bool_
    return isinstance(item, list | bool)


def _expand(key: Any, shape: tuple[int, ...]) -> list[Any]:
    """The key as a list of items that together use every axis: the ellipsis filled in, or full slices added at the end."""
    items = list(key) if isinstance(key, tuple) else [key]
    ellipses = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(ellipses) > 1:
        raise IndexError("getitem: more than one ellipsis; at most one can be filled in")
    used = sum(_axes_used(item) for item in items)
    if used > len(shape):
        raise IndexError(f"getitem: too many indices: {used} for shape {shape}; at most one for each axis")
    fill: list[Any] = [slice(None)] * (len(shape) - used)
    if ellipses and not fill:
        fill = [Ellipsis]  # it stands for no axis, but parts the arrays on its sides all the same
    at = ellipses[0] if ellipses else len(items)
    return items[:at] + fill + items[at + 1 :]


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, Tensor):
        return item.ndim if item.dtype is dtypes.bool_ else 1
    if isinstance(item, list | np.ndarray | np.generic):
        array = np.asarray(item)
        return array.ndim if array.dtype == np.bool_ else 1
    if isinstance(item, slice) or hasattr(item, "__index__"):
        return 1
    raise IndexError(
        f"getitem: not an index: {type(item).__name__}; must be an integer, slice, ellipsis, None, or an integer or boolean array"
    )
