"""How far a correct result may lie from the exact one: the one place where tolerances are derived.

Model (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 2.2): every operation returns (x op y)(1 + d) + e with
|d| <= u, the unit roundoff (half the spacing at 1), and |e| <= s / 2, half the smallest subnormal, which matters only where it underflows.
A product of n factors (1 + d) lies within gamma(n) = n u / (1 - n u) of 1 (Lemma 3.1). The reference is computed in float64 by NumPy; for
float64 results it has an error of the same size as the one under test, so the bound counts twice.

float16 and bfloat16 are stored in 16 bits and computed in float32: the bound of the float32 computation, then one rounding to 16 bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]


class Format(NamedTuple):
    """A binary format of IEEE 754: p bits of significand, smallest normal exponent, largest finite value."""

    precision: int
    min_exponent: int
    largest: float

    @property
    def unit_roundoff(self) -> float:
        return 2.0**-self.precision

    @property
    def smallest_subnormal(self) -> float:
        return 2.0 ** (self.min_exponent - self.precision + 1)


FORMATS = {
    "float16": Format(11, -14, 65504.0),
    "bfloat16": Format(8, -126, (2.0 - 2.0**-7) * 2.0**127),
    "float32": Format(24, -126, float(np.finfo(np.float32).max)),
    "float64": Format(53, -1022, float(np.finfo(np.float64).max)),
    "tf32": Format(11, -126, (2.0 - 2.0**-10) * 2.0**127),
}
"""Those of the dtypes, and of what tensor cores multiply."""


def format_of(dtype: Any) -> Format:
    """``dtype`` is a name, a NumPy dtype or scalar type, or a pyengine dtype."""
    return FORMATS[dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or np.dtype(dtype).name]


def computed_in(dtype: Any) -> Format:
    """The format of the arithmetic: float32 for the 16-bit floats."""
    stored = format_of(dtype)
    return FORMATS["float32"] if stored.precision < 24 else stored


def gamma(n: int, dtype: Any) -> float:
    """Bound of n roundings one upon another, relative to the magnitude they act on."""
    nu = n * computed_in(dtype).unit_roundoff
    if nu >= 1.0:
        raise ValueError(f"gamma: bound is void: {n} roundings in {dtype}; n u must stay below 1")
    return nu / (1.0 - nu)


def spacing(x: npt.ArrayLike, dtype: Any) -> Float64s:
    """The gap between neighbours in the stored format at |x|: one ulp."""
    stored = format_of(dtype)
    x = np.asarray(x, np.float64)
    _, exponent = np.frexp(x)
    exponent = np.where(x == 0.0, stored.min_exponent, np.maximum(exponent - 1, stored.min_exponent))
    return np.asarray(np.ldexp(1.0, exponent - stored.precision + 1))


def elementwise(expected: npt.ArrayLike, ulps: float, dtype: Any) -> Float64s:
    """``ulps`` is the claim of the op's docstring, in float32 or float64; 0.5 for correctly rounded ones (+, -, *, /, sqrt).

    For 16-bit floats the computation in float32 counts scaled down, and the rounding to 16 bits is half an ulp more. The reference
    counts too: NumPy's own functions keep within one ulp of float64.
    """
    stored, used = format_of(dtype), computed_in(dtype)
    of_storing = 0.0 if stored is used else 0.5
    of_reference = 2.0 ** (stored.precision - 53)
    return (ulps * 2.0 ** (stored.precision - used.precision) + of_storing + of_reference) * spacing(expected, dtype)


def roundings(magnitude: npt.ArrayLike, expected: npt.ArrayLike, n: int, dtype: Any) -> Float64s:
    """n roundings on any path from an input to the result, on partial results of at most ``magnitude`` (a sum of absolute values)."""
    stored, used = format_of(dtype), computed_in(dtype)
    magnitude, expected = np.asarray(magnitude, np.float64), np.asarray(expected, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        bound = gamma(n, dtype) * magnitude + n * used.smallest_subnormal
        if used is FORMATS["float64"]:
            bound = 2.0 * bound
        if stored is not used:  # the rounding to 16 bits acts on the float32 result, which lies within `bound` of the expected
            bound = bound + stored.unit_roundoff * (np.abs(expected) + bound) + stored.smallest_subnormal
    return np.asarray(bound)


def summation(magnitude: npt.ArrayLike, expected: npt.ArrayLike, n: int, dtype: Any, block: int | None = None) -> Float64s:
    """A sum of n terms, ``magnitude`` = sum of |terms|.

    In any order: n - 1 additions at most act on a term. Blocks of ``block`` terms summed in any order, then added up as a balanced tree:
    block - 1 + ceil(log2(n / block)) additions, so the bound grows with log n (Higham, section 4.2).
    """
    if block is None or n <= block:
        return roundings(magnitude, expected, max(n - 1, 1), dtype)
    return roundings(magnitude, expected, block - 1 + math.ceil(math.log2(n / block)), dtype)


def contraction(magnitude: npt.ArrayLike, expected: npt.ArrayLike, k: int, dtype: Any) -> Float64s:
    """A sum of k products, ``magnitude`` = |A| |B|: matmul, convolution, attention scores.

    A product is rounded once and passes k - 1 additions at most, in any order of summation; a fused multiply-add saves one rounding:
    |fl(AB) - AB| <= gamma(k) |A| |B| (Higham, section 3.5).
    """
    return roundings(magnitude, expected, max(k, 1), dtype)


def assert_within(
    actual: npt.ArrayLike, expected: npt.ArrayLike, bound: npt.ArrayLike, dtype: Any, magnitude: npt.ArrayLike | None = None
) -> None:
    """|actual - expected| <= bound, NaN where NaN is expected, and Inf of the same sign where Inf is.

    Where expected + bound reaches the largest finite value of ``dtype``, Inf of its sign is right, too. Where ``magnitude`` is given
    and reaches it, partial sums may overflow in one order and not in another: such elements are not compared.
    """
    actual, expected, bound = (np.asarray(x, np.float64) for x in (actual, expected, bound))
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    largest = format_of(dtype).largest
    with np.errstate(invalid="ignore", over="ignore"):
        right = np.abs(actual - expected) <= bound
        right |= (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        right |= np.isinf(actual) & (np.sign(actual) == np.sign(expected)) & (np.abs(expected) + bound >= largest)
        if magnitude is not None:
            full = np.asarray(magnitude, np.float64)
            right |= np.isfinite(expected) & (full + bound >= largest)
    if not right.all():
        at = tuple(int(i) for i in np.argwhere(~right)[0])
        limit = np.broadcast_to(bound, expected.shape)[at]
        raise AssertionError(
            f"{np.count_nonzero(~right)} of {right.size} elements are off; at {at}: {actual[at]!r}, expected {expected[at]!r}, "
            f"error {abs(actual[at] - expected[at]):.3g}, bound {limit:.3g}"
        )
