"""One of several values, element by element, under NumPy's broadcasting: by a condition, or by size. Dtypes as in arithmetic."""

from __future__ import annotations

from typing import Any

from pyengine import _engine, dtypes, ops
from pyengine.autograd import record
from pyengine.fast import fast
from pyengine.ops.elementwise import multiply, of_two
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = ["clip", "maximum", "minimum", "where"]


@fast("maximum")
def maximum(x1: Any, x2: Any, /) -> Tensor:
    """The greater of the two; NaN if either is. Gradients: g to the greater, halves to both where they are equal."""
    return of_two("maximum", x1, x2, lambda g, a, b: _share(g, a, ops.less(a, b), b), lambda g, a, b: _share(g, b, ops.less(b, a), a))


@fast("minimum")
def minimum(x1: Any, x2: Any, /) -> Tensor:
    """The lesser of the two; NaN if either is. Gradients: g to the lesser, halves to both where they are equal."""
    return of_two("minimum", x1, x2, lambda g, a, b: _share(g, a, ops.less(b, a), b), lambda g, a, b: _share(g, b, ops.less(a, b), a))


def _share(g: Tensor, x: Tensor, lost: Tensor, other: Tensor) -> Tensor:
    return where(lost, 0.0, where(ops.equal(x, other), multiply(g, 0.5), g))


@fast("clip")
def clip(x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    """``min(max(x, lower), upper)``; a bound of None is no bound. Where the bounds are crossed, the upper one wins; NaN in any gives NaN.

    Gradients: g to x within the bounds, both included; to the lower bound where x is below it; to the upper where it decides.
    """
    x = as_tensor(x)
    if min is None and max is None:
        return ops.copy(x)
    low = _unbounded(x, -1) if min is None else coerce(x, min)[1]
    high = _unbounded(x, 1) if max is None else coerce(x, max)[1]
    array = _engine.clip(x._array, low._array, high._array)
    result: Tensor = record("clip", array, (x, low, high), (_clip_vjp, _clip_low_vjp, _clip_high_vjp), (x, low, high))
    return result


def _unbounded(x: Tensor, sign: int) -> Tensor:
    if dtypes.is_floating(x.dtype):
        return coerce(x, sign * float("inf"))[1]
    if x.dtype is dtypes.bool_:
        return coerce(x, sign > 0)[1]
    info = dtypes.iinfo(x.dtype)
    return coerce(x, info.max if sign > 0 else info.min)[1]


def _clip_vjp(g: Tensor, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return where(ops.logical_or(ops.less(x, low), ops.greater(x, high)), 0.0, g)


def _clip_low_vjp(g: Tensor, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return where(ops.logical_and(ops.less(x, low), ops.less(low, high)), g, 0.0)


def _clip_high_vjp(g: Tensor, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return where(ops.logical_or(ops.greater(x, high), ops.logical_and(ops.less(x, low), ops.greater_equal(low, high))), g, 0.0)


@fast("where")
def where(condition: Any, x1: Any, x2: Any, /) -> Tensor:
    """x1 where the condition holds, x2 elsewhere. Gradients: g there, 0 elsewhere. TypeError unless the condition is boolean."""
    condition = as_tensor(condition)
    a, b = coerce(x1, x2)
    array = _engine.where(condition._array, a._array, b._array)
    vjps = (lambda g, c: where(c, g, 0.0), lambda g, c: where(c, 0.0, g))
    result: Tensor = record("where", array, (a, b), vjps, (condition,))
    return result
