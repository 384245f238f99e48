"""Conversion between all pairs of element types, against exact arithmetic; copies of every layout; assignment."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests.ops.layouts import FLOATS, INTEGERS, numpy_of, operands
from tests.tolerance import format_of

LEVELS = _engine.available_isas()
DTYPES = ("bool", *INTEGERS, *FLOATS)


def rounded(value: Fraction, dtype: str) -> float:
    """To nearest, ties to even, by exact arithmetic (IEEE 754 section 4.3.1)."""
    f = format_of(dtype)
    if value == 0:
        return 0.0
    exponent = math.floor(math.log2(abs(value)))
    while Fraction(2) ** exponent > abs(value):
        exponent -= 1
    while Fraction(2) ** (exponent + 1) <= abs(value):
        exponent += 1
    gap = Fraction(2) ** (max(exponent, f.min_exponent) - f.precision + 1)
    result = round(value / gap) * gap  # Python rounds ties to even
    return float(result) if abs(result) <= Fraction(f.largest) else math.copysign(math.inf, value)


def converted(value: Any, dtype: str) -> Any:
    """What ``value``, a Python scalar, must become."""
    if dtype == "bool":
        return value != 0
    special = isinstance(value, float) and not math.isfinite(value)
    if dtype in FLOATS:
        return value if special or value == 0 else rounded(Fraction(value), dtype)
    info = np.iinfo(dtype)
    if isinstance(value, float):
        return 0 if math.isnan(value) else info.max if value >= info.max else info.min if value <= info.min else math.trunc(value)
    return (int(value) - int(info.min)) % 2**info.bits + int(info.min)


def ties(dtype: str) -> list[float]:
    """Halfway between neighbours, and just beside: where a second rounding shows."""
    f = format_of(dtype)
    half = Fraction(2) ** -f.precision
    nudge = Fraction(2) ** -45
    return [
        float(1 + k * half + d) * s for k in (1, 3) for d in (0, nudge, -nudge) for s in (1.0, -1.0, 2.0**70, 2.0 ** (f.min_exponent - 3))
    ]


def samples(dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        edges = {0, 1, -1, 2, 127, 128, 129, 255, 256, 257, 2**15, 2**24 + 1, 2**24 + 3, 2**31, 2**32, 2**53 + 1, 2**63}
        half = (
            {2**30 + 2**22 + d for d in (-1, 0, 1)}
            | {(2**40 + 2**32) + d for d in (-1, 0, 1)}
            | {2**60 + 2**52 + d for d in (-1, 0, 1)}
            | {2**60 + 2**36 + d for d in (-1, 0, 1)}
        )
        values = sorted(v for v in edges | half | {-e for e in edges | half} | {info.min, info.max} if info.min <= v <= info.max)
        return np.array(values, dtype)
    inside = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        -2.5,
        127.9,
        128.0,
        -128.9,
        255.9,
        -1.0,
        -0.9,
        65504.0,
        65520.0,
        1e-8,
        3e38,
        1e39,
        1e300,
        -1e300,
        5e-324,
    ]
    powers = [2.0**k + d for k in (7, 8, 15, 16, 31, 32, 63, 64) for d in (-1.0, 0.0, 1.0)]
    return np.array(
        [*inside, *powers, *(-p for p in powers), *ties("float16"), *ties("bfloat16"), *ties("float32"), math.inf, -math.inf, math.nan]
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_every_pair(source: str, target: str, level: str) -> None:
    _engine.set_isa(level)
    x = pe.asarray(samples(source))
    if source in FLOATS:
        x = pe.astype(x, source)
    values = numpy_of(x).tolist()
    expected = np.array([converted(v, target) for v in values], dtype=np.float64 if target in FLOATS else target)
    result = pe.astype(x, target)
    assert result.dtype.name == target
    np.testing.assert_array_equal(numpy_of(result), expected)
    zeros = (expected == 0) & (np.array(values, dtype=np.float64) == 0)
    np.testing.assert_array_equal(
        np.signbit(numpy_of(result)[zeros]) if target in FLOATS else False,
        np.signbit(np.array(values)[zeros]) if source in FLOATS and target in FLOATS else False,
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("target", FLOATS)
def test_every_nan_stays_one(target: str, level: str) -> None:
    """Its bits may all be set, or only one that a narrower type has no room for."""
    _engine.set_isa(level)
    bits = np.array([0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF, 0xFF800001] * 9, np.uint32)
    assert np.isnan(numpy_of(pe.astype(pe.asarray(bits.view(np.float32)), target))).all()


@pytest.mark.parametrize("level", LEVELS)
@given(data=st.data())
def test_layouts(level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    source, target = (data.draw(st.sampled_from(DTYPES)) for _ in range(2))
    ((x, y),) = data.draw(operands(1, source, -100, 100))
    flat = [converted(v, target) for v in y.reshape(-1).tolist()]
    expected = np.array(flat, dtype=np.float64 if target in FLOATS else target).reshape(y.shape)
    result = pe.astype(x, target, copy=True)
    np.testing.assert_array_equal(numpy_of(result), expected)
    assert result._array.is_contiguous()
    assert not result._array.shares_storage(x._array)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (31, 33), (64, 128), (257, 100), (2, 70, 3, 41)])
def test_transposed_copies(shape: tuple[int, ...], dtype: str, level: str) -> None:
    _engine.set_isa(level)
    x = pe.reshape(pe.astype(pe.arange(math.prod(shape)) % 97, dtype), shape)
    expected = numpy_of(x).reshape(shape)
    for axes in (tuple(reversed(range(len(shape)))), (1, 0, *range(2, len(shape)))):
        moved = pe.permute_dims(x, axes)
        np.testing.assert_array_equal(numpy_of(pe.copy(moved)), expected.transpose(axes))
        np.testing.assert_array_equal(numpy_of(pe.astype(moved, "float64")), expected.transpose(axes))


@pytest.mark.parametrize("level", LEVELS)
@given(data=st.data(), start=st.integers(0, 300), other=st.integers(0, 300), n=st.integers(0, 300), step=st.sampled_from([1, -1]))
def test_assign_between_overlapping_views(level: str, data: st.DataObject, start: int, other: int, n: int, step: int) -> None:
    _engine.set_isa(level)
    memory = np.arange(600, dtype=np.int32)
    expected = memory.copy()
    expected[start : start + n] = expected[other : other + n][::step].copy()
    x = pe.asarray(memory)
    source = x[other : other + n]
    _engine.assign(x[start : start + n]._array, (source[::-1] if step < 0 else source)._array)
    np.testing.assert_array_equal(x.numpy(), expected)


def test_assign_broadcasts_converts_and_counts() -> None:
    x = pe.zeros((2, 3), dtype=pe.int32)
    before = x._array.version
    _engine.assign(x._array, pe.asarray([1.9, -2.9, math.nan])._array)
    assert x.tolist() == [[1, -2, 0]] * 2
    assert x._array.version == before + 1
    with pytest.raises(ValueError, match=r"assign: elements of the output share memory: shape \(4,\), strides \(0,\); write to a copy"):
        _engine.assign(_engine.broadcast_to(pe.zeros((1,))._array, (4,)), x._array)


def test_astype_copies_unless_told_otherwise() -> None:
    x = pe.ones((3,))
    assert pe.astype(x, pe.float32, copy=False) is x
    for y in (pe.astype(x, pe.float32), x.astype(pe.float32), pe.astype(pe.broadcast_to(pe.ones(()), (3,)), pe.float32)):
        y[0] = 2.0
        assert (x.tolist(), y.tolist()) == ([1.0, 1.0, 1.0], [2.0, 1.0, 1.0])
    assert not pe.astype(x, pe.float32, copy=True)._array.shares_storage(x._array)
