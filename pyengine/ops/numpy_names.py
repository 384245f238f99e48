"""Functions that libraries look for in any namespace of arrays under NumPy's names, with NumPy's arguments: xarray, dask, opt_einsum.

Those that begin with ``nan`` leave NaN out. All have the gradients of the ops they are made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pyengine import creation, dtypes, ops
from pyengine.tensor import Axis, Tensor, as_tensor

__all__ = [
    "concatenate",
    "cumprod",
    "cumsum",
    "diag",
    "dot",
    "gradient",
    "median",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "quantile",
    "transpose",
]


def concatenate(arrays: Sequence[Any], /, axis: int | None = 0) -> Tensor:
    """:func:`concat` under NumPy's name."""
    return ops.concat(arrays, axis=axis)


def transpose(x: Any, /, axes: Sequence[int] | None = None) -> Tensor:
    """:func:`permute_dims`; without ``axes``, in reverse order."""
    x = as_tensor(x)
    return ops.permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else axes)


def cumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Tensor:
    """:func:`cumulative_sum`; without an axis, of x flattened."""
    return _scan(ops.cumulative_sum, x, axis, dtype)


def cumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Tensor:
    """:func:`cumulative_prod`; without an axis, of x flattened."""
    return _scan(ops.cumulative_prod, x, axis, dtype)


def _scan(scan: Callable[..., Tensor], x: Any, axis: int | None, dtype: Any) -> Tensor:
    x = as_tensor(x)
    return scan(ops.reshape(x, (-1,)), axis=0, dtype=dtype) if axis is None else scan(x, axis=axis, dtype=dtype)


def diag(x: Any, /, k: int = 0) -> Tensor:
    """The diagonal ``k`` of a matrix, or the matrix with this diagonal and zeros elsewhere. ValueError for other ranks."""
    x = as_tensor(x)
    if x.ndim == 2:
        return ops.diagonal(x, offset=k)
    if x.ndim != 1:
        raise ValueError(f"diag: neither a vector nor a matrix: shape {x.shape}; use diagonal for stacks of matrices")
    square = ops.multiply(ops.expand_dims(x, -1), creation.eye(x.shape[0], dtype=x.dtype, device=x.device))
    return ops.pad(square, [(max(-k, 0), max(k, 0)), (max(k, 0), max(-k, 0))])


def dot(x1: Any, x2: Any, /) -> Tensor:
    """``y[i.., j..] = sum_p a[i.., p] b[.., p, j]``: over a's last axis and b's last but one, or only one; a number scales."""
    a, b = as_tensor(x1), as_tensor(x2)
    if a.ndim == 0 or b.ndim == 0:
        return ops.multiply(a, b)
    return ops.tensordot(a, b, axes=((-1,), (max(b.ndim - 2, 0),)))


# Without NaN ------------------------------------------------------------------------------------------------------------------------------


def _filled(x: Any, value: float) -> Tensor:
    """x with ``value`` where it is NaN."""
    x = as_tensor(x)
    return ops.where(ops.isnan(x), value, x) if dtypes.is_inexact(x.dtype) else x


def _count(x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """How many elements over ``axis`` are not NaN, in x's dtype."""
    kept = ops.logical_not(ops.isnan(x))
    return ops.sum(ops.astype(kept, x.dtype if dtypes.is_inexact(x.dtype) else dtypes.get_default_dtype()), axis=axis, keepdims=keepdims)


def nansum(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    """:func:`sum` of what is not NaN."""
    return ops.sum(_filled(x, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nanprod(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    """:func:`prod` of what is not NaN."""
    return ops.prod(_filled(x, 1.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nancumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Tensor:
    """:func:`cumsum` with NaN taken as 0."""
    return cumsum(_filled(x, 0.0), axis, dtype)


def nancumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Tensor:
    """:func:`cumprod` with NaN taken as 1."""
    return cumprod(_filled(x, 1.0), axis, dtype)


def nanmax(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """:func:`max` of what is not NaN; of NaN alone, NaN."""
    x = as_tensor(x)
    return _or_nan(ops.max(_filled(x, -math.inf), axis=axis, keepdims=keepdims), x, axis, keepdims)


def nanmin(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """:func:`min` of what is not NaN; of NaN alone, NaN."""
    x = as_tensor(x)
    return _or_nan(ops.min(_filled(x, math.inf), axis=axis, keepdims=keepdims), x, axis, keepdims)


def _or_nan(y: Tensor, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    return ops.where(ops.all(ops.isnan(x), axis=axis, keepdims=keepdims), math.nan, y) if dtypes.is_inexact(x.dtype) else y


def nanargmax(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """:func:`argmax` of what is not NaN."""
    return ops.argmax(_filled(x, -math.inf), axis=axis, keepdims=keepdims)


def nanargmin(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """:func:`argmin` of what is not NaN."""
    return ops.argmin(_filled(x, math.inf), axis=axis, keepdims=keepdims)


def nanmean(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    """:func:`mean` of what is not NaN; of NaN alone, NaN."""
    x = as_tensor(x) if dtype is None else ops.astype(x, dtype)
    return ops.divide(nansum(x, axis, keepdims=keepdims), _count(x, axis, keepdims))


def nanvar(x: Any, /, axis: Axis = None, dtype: Any = None, *, ddof: float = 0.0, keepdims: bool = False) -> Tensor:
    """:func:`var` of what is not NaN, with ``ddof`` the correction; NaN where ``n - ddof`` is not positive."""
    x = as_tensor(x) if dtype is None else ops.astype(x, dtype)
    deviation = ops.where(ops.isnan(x), 0.0, ops.subtract(_filled(x, 0.0), nanmean(x, axis, keepdims=True)))
    squares = ops.sum(ops.square(deviation), axis=axis, keepdims=keepdims)
    divisor = ops.subtract(_count(x, axis, keepdims), ddof)
    return ops.divide(squares, ops.where(ops.greater(divisor, 0), divisor, math.nan))


def nanstd(x: Any, /, axis: Axis = None, dtype: Any = None, *, ddof: float = 0.0, keepdims: bool = False) -> Tensor:
    """``sqrt(nanvar(x))``."""
    return ops.sqrt(nanvar(x, axis, dtype, ddof=ddof, keepdims=keepdims))


# Quantiles --------------------------------------------------------------------------------------------------------------------------------


def quantile(x: Any, /, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The value below which the fraction ``q`` of x lies, over ``axis``: linear between ``x_(k)`` and ``x_(k+1)``, ``k = q (n - 1)``.

    NaN if any element is. q's axes come first. Gradient: to the two neighbours. ValueError for other methods, and for q outside [0, 1].
    """
    x = as_tensor(x)
    has_nan = ops.any(ops.isnan(x), axis=axis, keepdims=keepdims)
    return ops.where(has_nan, math.nan, nanquantile(x, q, axis, method=method, keepdims=keepdims))


def nanquantile(x: Any, /, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """:func:`quantile` of what is not NaN; of NaN alone, NaN."""
    if method != "linear":
        raise ValueError(f"quantile: unknown method: {method!r}; must be 'linear'")
    x, wanted = as_tensor(x), as_tensor(q)
    if not bool(ops.all(ops.logical_and(wanted >= 0, wanted <= 1))):
        raise ValueError(f"quantile: fraction out of range: {wanted.tolist()}; must be in [0, 1]")
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
    rest = tuple(a for a in range(x.ndim) if a not in axes)
    rows = ops.reshape(ops.permute_dims(x, (*rest, *axes)), (*(x.shape[a] for a in rest), math.prod(x.shape[a] for a in axes)))
    rows = rows if dtypes.is_inexact(rows.dtype) else ops.astype(rows, dtypes.get_default_dtype())
    result = ops.stack([_order_statistic(ops.sort(rows), float(one)) for one in ops.reshape(wanted, (-1,)).tolist()])
    kept = tuple(1 if a in axes else size for a, size in enumerate(x.shape)) if keepdims else rows.shape[:-1]
    return ops.reshape(result, (*wanted.shape, *kept))


def _order_statistic(ordered: Tensor, fraction: float) -> Tensor:
    """NaN stands last, so that what counts is in front."""
    last = ops.subtract(_count(ordered, -1, keepdims=True), 1.0)
    place = ops.maximum(ops.multiply(last, fraction), 0.0)
    below = ops.astype(ops.floor(place), dtypes.int64)
    above = ops.astype(ops.minimum(ops.ceil(place), ops.maximum(last, 0.0)), dtypes.int64)
    low, high = (ops.take_along_axis(ordered, index, axis=-1) for index in (below, above))
    weight = ops.subtract(place, ops.floor(place))
    between = ops.add(low, ops.multiply(ops.where(ops.equal(low, high), 0.0, ops.subtract(high, low)), weight))
    return between[..., 0]


def median(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``quantile(x, 0.5)``."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


def nanmedian(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``nanquantile(x, 0.5)``."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


# Differences ------------------------------------------------------------------------------------------------------------------------------


def gradient(x: Any, spacing: Any = 1.0, /, *, axis: int, edge_order: int = 1) -> Tensor:
    """``dx_i ~ (h_l^2 x_{i+1} + (h_r^2 - h_l^2) x_i - h_r^2 x_{i-1}) / (h_l h_r (h_l + h_r))`` along ``axis``, one-sided at the ends.

    ``spacing`` is the step, or the places of the elements. ``edge_order`` 2 fits a parabola through the last three. Second order inside
    for even steps (Fornberg, 1988). ValueError for other edge orders and where there are too few elements.
    """
    x = as_tensor(x)
    size = x.shape[axis]
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: no such edge order: {edge_order}; must be 1 or 2")
    if size <= edge_order:
        raise ValueError(f"gradient: too few elements: {size} on axis {axis}; at least {edge_order + 1} are needed")
    y = ops.moveaxis(x, axis, -1)
    given = ops.astype(spacing, y.dtype if dtypes.is_inexact(y.dtype) else dtypes.get_default_dtype())
    step = ops.diff(given) if given.ndim else ops.broadcast_to(given, (size - 1,))
    slope = ops.divide(ops.diff(y), step)
    left, right = step[:-1], step[1:]
    inner = ops.divide(ops.add(ops.multiply(slope[..., :-1], right), ops.multiply(slope[..., 1:], left)), ops.add(left, right))
    first, last = slope[..., :1], slope[..., -1:]
    if edge_order == 2:  # the parabola's slope at its end
        first = ops.subtract(ops.multiply(first, 2.0), inner[..., :1]) if not given.ndim else _end(slope[..., :2], step[:2])
        last = (
            ops.subtract(ops.multiply(last, 2.0), inner[..., -1:])
            if not given.ndim
            else _end(ops.flip(slope[..., -2:], axis=-1), ops.flip(step[-2:]))
        )
    return ops.moveaxis(ops.concat([first, inner, last], axis=-1), -1, axis)


def _end(slope: Tensor, step: Tensor) -> Tensor:
    """The slope at the outer end of two intervals, the outer one first."""
    bend = ops.divide(ops.subtract(slope[..., 1:], slope[..., :1]), ops.add(step[:1], step[1:]))
    return ops.subtract(slope[..., :1], ops.multiply(bend, step[:1]))
