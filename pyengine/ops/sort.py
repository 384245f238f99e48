"""Ops that order elements. Sorting is stable; NaN comes last, also descending."""

from __future__ import annotations

from typing import Any

from pyengine import _engine, ops
from pyengine.ops.shape import _normalize_axis
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = ["argsort", "searchsorted", "sort", "topk"]


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices, int64, that sort x along ``axis``. Equal elements keep their order, whether that is asked for or not."""
    return Tensor(_engine.argsort(as_tensor(x)._array, axis, descending))


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """x in ascending (descending) order along ``axis``. Gradient: every g goes back to where its element stood."""
    x = as_tensor(x)
    return ops.take_along_axis(x, argsort(x, axis=axis, descending=descending), axis=axis)


def topk(x: Any, k: int, /, *, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (smallest) elements along ``axis`` in descending (ascending) order, and their indices; NaN counts as neither.

    Gradient: every g goes back to where its element stood. ValueError unless 0 <= k <= the axis' size.
    """
    x = as_tensor(x)
    along = _normalize_axis("topk", axis, x.ndim)
    if not 0 <= k <= x.shape[along]:
        raise ValueError(f"topk: k out of range: {k} of {x.shape[along]} elements on axis {axis}; must be in [0, {x.shape[along]}]")
    order = argsort(x, axis=along, descending=largest)
    chosen = order[(slice(None),) * along + (slice(0, k),)]
    return ops.take_along_axis(x, chosen, axis=along), chosen


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Tensor:
    """``y = how many elements of the sorted vector x1 are < x2`` (side "right": <=), int64: where x2 would be inserted.

    NaN counts as largest. ``sorter`` holds the indices that sort x1. ValueError if x1 is not a vector, or the side is another.
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: unknown side: {side!r}; must be 'left' or 'right'")
    x1, x2 = coerce(x1, x2)
    ordered = x1 if sorter is None else ops.take(x1, sorter)
    return Tensor(_engine.searchsorted(ordered._array, x2._array, side == "right"))
