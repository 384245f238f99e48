"""Arrays as sets: by value equality, so that every NaN is an element of its own and 0 and -0 are one."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyengine import creation, dtypes, ops
from pyengine.ops.complex import imag, is_complex, real
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = ["isin", "unique_all", "unique_counts", "unique_inverse", "unique_values"]


class UniqueAll(NamedTuple):
    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    values: Tensor
    inverse_indices: Tensor


def _sorting(x: Tensor) -> Tensor:
    """The indices that bring equal elements together, in ascending order; complex numbers by real part, then by imaginary part."""
    if not is_complex(x):
        return ops.argsort(x)
    by_imag = ops.argsort(imag(x))
    return ops.take(by_imag, ops.argsort(ops.take(real(x), by_imag)))


def unique_all(x: Any, /) -> UniqueAll:
    """The different elements of x flattened, in ascending order, with

    ``indices``, where each occurs first; ``inverse_indices``, of x's shape, so that ``values[inverse_indices] = x``; and ``counts``, how
    often each occurs. NaNs stand last, each with count 1. Indices and counts are int64. Not differentiable but by ``x[indices]``.
    """
    x = as_tensor(x)
    flat = ops.reshape(x, (-1,)) if x.size else creation.empty((0,), dtype=x.dtype, device=x.device)
    order = _sorting(flat)
    ordered = ops.take(flat.detach(), order)
    starts_one = ops.not_equal(ordered[1:], ordered[:-1])
    is_first = ops.concat([creation.ones((min(x.size, 1),), dtypes.bool_, device=x.device), starts_one])
    starts = ops.nonzero(is_first)[0]
    indices = ops.take(order, starts)  # sorting is stable, so the first of equals is the one that occurs first
    rank = ops.subtract(ops.cumulative_sum(ops.astype(is_first, dtypes.int64, copy=False), axis=0), 1)
    inverse = creation.zeros((x.size,), dtypes.int64, device=x.device)
    inverse[order] = rank
    ends = ops.concat([starts[1:], creation.full((min(x.size, 1),), x.size, device=x.device)])
    return UniqueAll(ops.take(flat, indices), indices, ops.reshape(inverse, x.shape), ops.subtract(ends, starts))


def unique_counts(x: Any, /) -> UniqueCounts:
    """The different elements of x in ascending order, and how often each occurs; see :func:`unique_all`."""
    every = unique_all(x)
    return UniqueCounts(every.values, every.counts)


def unique_inverse(x: Any, /) -> UniqueInverse:
    """The different elements of x in ascending order, and the indices that rebuild x from them; see :func:`unique_all`."""
    every = unique_all(x)
    return UniqueInverse(every.values, every.inverse_indices)


def unique_values(x: Any, /) -> Tensor:
    """The different elements of x in ascending order; see :func:`unique_all`."""
    return unique_all(x).values


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Whether each element of x1 equals some element of x2, as bool of x1's shape; with ``invert``, whether it equals none.

    Both in their common dtype; a NaN is in nothing. By binary search in x2 sorted: O((n1 + n2) log n2).
    """
    a, b = coerce(x1, x2)
    common = dtypes.promote(a.dtype, b.dtype)
    a, b = ops.astype(a.detach(), common, copy=False), ops.reshape(ops.astype(b.detach(), common, copy=False), (-1,))
    found = _found(a, b) if b.size and a.size else creation.zeros(a.shape, dtypes.bool_, device=a.device)
    return ops.logical_not(found) if invert else found


def _found(a: Tensor, b: Tensor) -> Tensor:
    if not is_complex(a):
        ordered = ops.sort(b)
        places = ops.minimum(ops.searchsorted(ordered, ops.reshape(a, (-1,))), b.size - 1)
        return ops.equal(ops.reshape(ops.take(ordered, places), a.shape), a)
    values, groups = unique_inverse(ops.concat([ops.reshape(a, (-1,)), b]))  # equal numbers have one group
    is_there = creation.zeros(values.shape, dtypes.bool_, device=values.device)
    is_there[groups[a.size :]] = True
    return ops.logical_and(ops.reshape(is_there[groups[: a.size]], a.shape), ops.equal(a, a))
