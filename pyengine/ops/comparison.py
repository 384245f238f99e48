"""Comparisons, logic and bits, element by element. None of these has a gradient; results are off the tape."""

from __future__ import annotations

from typing import Any

from pyengine import _engine
from pyengine.fast import fast
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "signbit",
]


@fast("equal")
def equal(x1: Any, x2: Any, /) -> Tensor:
    """``x1 == x2`` as bool; False where either is NaN. The two are compared in their common dtype."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.equal(a._array, b._array))


@fast("not_equal")
def not_equal(x1: Any, x2: Any, /) -> Tensor:
    """``x1 != x2`` as bool; True where either is NaN."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.not_equal(a._array, b._array))


@fast("less")
def less(x1: Any, x2: Any, /) -> Tensor:
    """``x1 < x2`` as bool; False where either is NaN."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.less(a._array, b._array))


@fast("less_equal")
def less_equal(x1: Any, x2: Any, /) -> Tensor:
    """``x1 <= x2`` as bool; False where either is NaN."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.less_equal(a._array, b._array))


@fast("greater")
def greater(x1: Any, x2: Any, /) -> Tensor:
    """``x1 > x2`` as bool; False where either is NaN."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.greater(a._array, b._array))


@fast("greater_equal")
def greater_equal(x1: Any, x2: Any, /) -> Tensor:
    """``x1 >= x2`` as bool; False where either is NaN."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.greater_equal(a._array, b._array))


@fast("isnan")
def isnan(x: Any, /) -> Tensor:
    """Whether x is not a number, as bool."""
    return Tensor(_engine.isnan(as_tensor(x)._array))


@fast("isinf")
def isinf(x: Any, /) -> Tensor:
    """Whether x is infinite, of either sign, as bool."""
    return Tensor(_engine.isinf(as_tensor(x)._array))


@fast("isfinite")
def isfinite(x: Any, /) -> Tensor:
    """Whether x is neither infinite nor NaN, as bool."""
    return Tensor(_engine.isfinite(as_tensor(x)._array))


@fast("signbit")
def signbit(x: Any, /) -> Tensor:
    """Whether the sign of x is minus, as bool; True for -0.0, and for NaN with that sign."""
    return Tensor(_engine.signbit(as_tensor(x)._array))


@fast("logical_and")
def logical_and(x1: Any, x2: Any, /) -> Tensor:
    """``x1 and x2`` as bool; numbers count as ``x != 0``."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.logical_and(a._array, b._array))


@fast("logical_or")
def logical_or(x1: Any, x2: Any, /) -> Tensor:
    """``x1 or x2`` as bool; numbers count as ``x != 0``."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.logical_or(a._array, b._array))


@fast("logical_xor")
def logical_xor(x1: Any, x2: Any, /) -> Tensor:
    """Whether just one of the two holds, as bool; numbers count as ``x != 0``."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.logical_xor(a._array, b._array))


@fast("logical_not")
def logical_not(x: Any, /) -> Tensor:
    """``not x`` as bool; numbers count as ``x != 0``."""
    return Tensor(_engine.logical_not(as_tensor(x)._array))


@fast("bitwise_and")
def bitwise_and(x1: Any, x2: Any, /) -> Tensor:
    """The bits set in both. Integers and booleans; TypeError for floats."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.bitwise_and(a._array, b._array))


@fast("bitwise_or")
def bitwise_or(x1: Any, x2: Any, /) -> Tensor:
    """The bits set in either. Integers and booleans; TypeError for floats."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.bitwise_or(a._array, b._array))


@fast("bitwise_xor")
def bitwise_xor(x1: Any, x2: Any, /) -> Tensor:
    """The bits set in just one. Integers and booleans; TypeError for floats."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.bitwise_xor(a._array, b._array))


@fast("bitwise_invert")
def bitwise_invert(x: Any, /) -> Tensor:
    """Every bit inverted; of booleans ``not x``. TypeError for floats."""
    return Tensor(_engine.bitwise_invert(as_tensor(x)._array))


@fast("bitwise_left_shift")
def bitwise_left_shift(x1: Any, x2: Any, /) -> Tensor:
    """``x1 2^x2``, modulo 2^bits; 0 where x2 is negative or not below the width. Integers; TypeError otherwise."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.bitwise_left_shift(a._array, b._array))


@fast("bitwise_right_shift")
def bitwise_right_shift(x1: Any, x2: Any, /) -> Tensor:
    """``floor(x1 / 2^x2)``; 0 or -1, by the sign, where x2 is negative or not below the width. Integers; TypeError otherwise."""
    a, b = coerce(x1, x2)
    return Tensor(_engine.bitwise_right_shift(a._array, b._array))
