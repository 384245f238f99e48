"""Errors of the elementwise functions in ulp, over all arguments: every exponent with random digits, and the hard cases.

The reference is the C library's function of the next wider type: float64 for float32, long double for float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

import pyengine as pe
from pyengine import _engine
from tests.ops.cuda_accuracy import claimed
from tests.ops.layouts import Array
from tests.tolerance import spacing

LEVELS = _engine.available_isas()
WIDER: dict[str, Any] = {"float32": np.float64, "float64": np.longdouble}


class Function(NamedTuple):
    """Its name, NumPy's, and the largest error claimed, in ulp; the last half is the rounding of any result."""

    name: str
    reference: str
    ulps: float

    def __str__(self) -> str:
        return self.name


UNARY = [
    Function("sin", "sin", 0.9),
    Function("cos", "cos", 0.9),
    Function("tan", "tan", 1.5),
    Function("asin", "arcsin", 1.0),
    Function("acos", "arccos", 1.0),
    Function("atan", "arctan", 1.0),
    Function("log2", "log2", 1.0),
    Function("log10", "log10", 2.0),
    Function("sinh", "sinh", 2.0),
    Function("cosh", "cosh", 2.0),
    Function("asinh", "arcsinh", 2.0),
    Function("acosh", "arccosh", 2.0),
    Function("atanh", "arctanh", 2.0),
]
BINARY = [
    Function("atan2", "arctan2", 1.5),
    Function("pow", "power", 1.5),
]


def hard_cases() -> Array:
    """Where reductions cancel, and where formulas or results change: multiples of pi / 2, 1, powers, thresholds."""
    quarter_turns = np.unique(np.round(np.geomspace(1, 2.0**30, 3000)))
    points = [np.float64(np.longdouble(math.pi) / 2) * quarter_turns, 2.0 ** np.arange(-30, 31), 10.0 ** np.arange(-20, 20)]
    points.append(np.array([0.1716, 0.3466, 0.4142, 0.5, 0.7071, 1.0, 1.4142, 2.4142, 9.01, 88.72, 89.41, 103.97, 709.78, 710.47, 745.13]))
    return np.concatenate(points)


def arguments(dtype: str) -> Array:
    """Of either sign: every exponent with 100 random significands, the hard cases with three neighbours on each side, special values."""
    integer = np.dtype(dtype.replace("float", "uint"))
    info = np.finfo(dtype)
    rng = np.random.default_rng(0)
    exponents = np.arange(2**info.nexp - 1, dtype=integer)[:, None] << integer.type(info.nmant)
    everywhere = (exponents | rng.integers(0, 2**info.nmant, (len(exponents), 100), dtype=integer)).ravel()
    hard = hard_cases().astype(dtype).view(integer)[:, None] + np.arange(-3, 4).astype(integer)
    special = np.array([0, info.smallest_subnormal, info.tiny, info.max, math.inf, math.nan], dtype)
    positive = np.concatenate([everywhere.view(dtype), hard.ravel().view(dtype), special])
    return np.concatenate([positive, -positive])


def errors(actual: Array, expected: Any, dtype: str) -> Array:
    """In ulp of ``dtype``; Inf where a NaN, an infinity or the sign of a zero is wrong."""
    with np.errstate(all="ignore"):
        narrow = expected.astype(dtype)
        finite = np.isfinite(expected) & np.isfinite(actual)
        distance = np.where(finite, abs(actual - expected), 0) / spacing(np.where(finite, narrow, 0.0), dtype)
        # Within its rounding error of the largest number a result may be infinite.
        overflow = np.isinf(actual) & (abs(expected) >= np.finfo(dtype).max) & (np.sign(actual) == np.sign(expected))
        overflow |= np.isinf(narrow) & (abs(actual) == np.finfo(dtype).max) & np.isfinite(expected)
        wrong = np.isnan(actual) != np.isnan(expected)
        wrong |= (np.isinf(actual) != np.isinf(narrow)) & ~overflow
        wrong |= np.signbit(actual) != np.signbit(narrow)
        wrong &= ~(np.isnan(actual) & np.isnan(expected))
    return np.where(wrong, math.inf, np.where(np.isinf(narrow), 0.0, distance))


def assert_accurate(actual: Array, expected: Any, inputs: list[Array], dtype: str, ulps: float) -> None:
    error = errors(actual, expected, dtype)
    at = int(np.argmax(error))
    values = ", ".join(float(x[at]).hex() for x in inputs)
    assert error[at] <= ulps, f"{error[at]:.3f} ulp at ({values}): {actual[at]!r}, expected {expected[at]!r}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", list(WIDER))
@pytest.mark.parametrize("function", UNARY, ids=str)
def test_unary(function: Function, dtype: str, level: str) -> None:
    check(function, [arguments(dtype)], dtype, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", list(WIDER))
@pytest.mark.parametrize("function", BINARY, ids=str)
def test_binary(function: Function, dtype: str, level: str) -> None:
    """Each argument with any other, with one that makes no trivial result, and the special values with each other."""
    x = arguments(dtype)
    rng = np.random.default_rng(1)
    partners = [rng.permutation(x), *telling_partners(function, x, rng)]
    special = np.array(
        [*(m * f for m in (0.0, 0.5, 1.0, 2.0, 3.0, 1e30, math.inf, math.nan) for f in (1, -1)), np.finfo(dtype).tiny], dtype
    )
    grid = [part.ravel() for part in np.meshgrid(special, special)]
    check(function, [np.concatenate([*[x] * len(partners), grid[0]]), np.concatenate([*partners, grid[1]])], dtype, level)


def telling_partners(function: Function, x: Array, rng: np.random.Generator) -> list[Array]:
    """For atan2 numbers of the same size; for pow exponents that give results of every size, and integers, for negative bases."""
    with np.errstate(all="ignore"):
        if function.name == "atan2":
            return [(x * rng.uniform(-4, 4, len(x))).astype(x.dtype)]
        info = np.finfo(x.dtype)
        exponents = rng.uniform(info.minexp - info.nmant - 2, info.maxexp + 2, len(x)) / np.log2(abs(x.astype(np.float64)))
        return [exponents.astype(x.dtype), np.rint(exponents).astype(x.dtype)]


def check(function: Function, inputs: list[Array], dtype: str, level: str) -> None:
    if np.finfo(WIDER[dtype]).nmant <= np.finfo(dtype).nmant:
        pytest.skip("long double is no wider than double here")
    _engine.set_isa(level)
    with np.errstate(all="ignore"):
        expected = getattr(np, function.reference)(*(x.astype(WIDER[dtype]) for x in inputs))
    ulps = claimed(function.name, dtype, function.ulps)
    assert_accurate(getattr(pe, function.name)(*map(pe.asarray, inputs)).numpy(), expected, inputs, dtype, ulps)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", list(WIDER))
@pytest.mark.parametrize("function", UNARY + BINARY, ids=str)
def test_an_element_has_the_same_bits_at_every_place(function: Function, dtype: str, level: str) -> None:
    """In every lane, in the tail, and whatever its neighbours: those beyond the limit of a reduction take another path."""
    _engine.set_isa(level)
    x = arguments(dtype)[::997]
    inputs = [x, x[::-1].copy()] if function in BINARY else [x]
    f = getattr(pe, function.name)
    whole = f(*map(pe.asarray, inputs)).numpy()
    for begin in range(17):
        for length in (1, 3, 8, 17, 40):
            part = f(*(pe.asarray(x[begin : begin + length]) for x in inputs)).numpy()
            assert part.tobytes() == whole[begin : begin + length].tobytes()
