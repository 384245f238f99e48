"""Running sums and products along an axis, and differences."""

from __future__ import annotations

from functools import partial
from typing import Any

from pyengine import _engine, ops
from pyengine.autograd import record
from pyengine.fast import fast
from pyengine.ops.complex import by_parts, is_complex
from pyengine.ops.reduce import _converted
from pyengine.ops.shape import _normalize_axis
from pyengine.tensor import Tensor, as_tensor

__all__ = ["cumulative_prod", "cumulative_sum", "diff"]


@fast("cumulative_sum")
def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """``y_i = x_0 + ... + x_i`` along ``axis``, which a vector need not name; with ``include_initial``, a 0 stands first.

    Dtypes as for :func:`sum`; floats accumulate in float64 and every y_i is rounded once. Gradient: the running sum of g from the end.
    ValueError without an axis where x has several.
    """
    x = _converted(x, dtype)
    along = _axis("cumulative_sum", x, axis)
    if is_complex(x):
        return by_parts(partial(cumulative_sum, axis=along, include_initial=include_initial), x)
    array = _engine.cumulative_sum(x._array, along, include_initial)
    result = record("cumulative_sum", array, (x,), (partial(_cumulative_sum_vjp, along, include_initial),))
    return result if dtype is None else ops.astype(result, dtype, copy=False)


def _axis(op: str, x: Tensor, axis: int | None) -> int:
    if axis is None and x.ndim != 1:
        raise ValueError(f"{op}: axis missing: shape {x.shape}; only a vector needs none")
    return _normalize_axis(op, 0 if axis is None else axis, x.ndim)


def _cumulative_sum_vjp(axis: int, include_initial: bool, g: Tensor) -> Tensor:
    g = _without_initial(g, axis, include_initial)
    return ops.flip(cumulative_sum(ops.flip(g, axis=axis), axis=axis), axis=axis)


def _without_initial(g: Tensor, axis: int, include_initial: bool) -> Tensor:
    return g[(slice(None),) * axis + (slice(1, None),)] if include_initial else g


@fast("cumulative_prod")
def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """``y_i = x_0 ... x_i`` along ``axis``, which a vector need not name; with ``include_initial``, a 1 stands first.

    Dtypes as for :func:`prod`; floats accumulate in float64 and every y_i is rounded once. Gradient: of x_j, the sum over i >= j of g_i
    times the product of the other factors of y_i, never a division by x_j, so zeros are no exception.
    ValueError without an axis where x has several.
    """
    x = _converted(x, dtype)
    along = _axis("cumulative_prod", x, axis)
    if is_complex(x):
        return _complex_prod(x, along, include_initial)
    array = _engine.cumulative_prod(x._array, along, include_initial)
    result = record("cumulative_prod", array, (x,), (partial(_cumulative_prod_vjp, along, include_initial),), (x,))
    return result if dtype is None else ops.astype(result, dtype, copy=False)


def _complex_prod(x: Tensor, axis: int, include_initial: bool) -> Tensor:
    """In log2 n steps, as the gradient below."""
    step = 1
    while step < x.shape[axis]:
        x = ops.multiply(x, _shifted(x, axis, step, 1.0))
        step *= 2
    return _with_one_first(x, axis) if include_initial else x


def _with_one_first(x: Tensor, axis: int) -> Tensor:
    widths = [(0, 0)] * x.ndim
    widths[axis] = (1, 0)
    return ops.pad(x, widths, value=1.0)


def _cumulative_prod_vjp(axis: int, include_initial: bool, g: Tensor, x: Tensor) -> Tensor:
    """The scan as log2 n steps (Hillis and Steele 1986), y_i <- y_i y_{i - s} with s = 1, 2, 4, ..., and the gradient back through them."""
    g = _without_initial(g, axis, include_initial)
    levels, step = [x], 1
    while step < x.shape[axis]:
        levels.append(ops.multiply(levels[-1], _shifted(levels[-1], axis, step, 1.0)))
        step *= 2
    for y in reversed(levels[:-1]):
        step //= 2
        g = ops.add(ops.multiply(g, _shifted(y, axis, step, 1.0)), _shifted(ops.multiply(g, y), axis, -step, 0.0))
    return g


def _shifted(y: Tensor, axis: int, steps: int, fill: float) -> Tensor:
    """y moved along an axis, with ``fill`` behind it."""
    widths = [(0, 0)] * y.ndim
    widths[axis] = (steps, -steps)
    return ops.pad(y, widths, value=fill)


def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """``y_i = x_{i+1} - x_i`` along ``axis``, n times over; ``prepend`` and ``append`` are put before and behind x first.

    In x's dtype, integers wrap; booleans: whether the two differ. Gradient: that of the subtraction.
    ValueError if n is negative, IndexError if the axis is out of range.
    """
    x = as_tensor(x)
    along = _normalize_axis("diff", axis, x.ndim)
    if n < 0:
        raise ValueError(f"diff: negative order: {n}; must be at least 0")
    parts = [as_tensor(part) for part in (prepend, x, append) if part is not None]
    y = ops.concat(parts, axis=along) if len(parts) > 1 else x
    lead = (slice(None),) * along
    for _ in range(n):
        later, earlier = y[(*lead, slice(1, None))], y[(*lead, slice(None, -1))]
        y = ops.not_equal(later, earlier) if y.dtype.kind == "b" else ops.subtract(later, earlier)
    return y
