"""Running sums and products against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.floats import FLOATS, each_level, numpy_of, seeds, shapes, tensor_of
from tests.gradients import check_gradients

levels = pytest.mark.parametrize("level", _engine.available_isas())


def with_initial(y: np.ndarray[Any, Any], axis: int, value: float) -> np.ndarray[Any, Any]:
    shape = list(y.shape)
    shape[axis] = 1
    return np.concatenate([np.full(shape, value, y.dtype), y], axis=axis)


@levels
@given(data=st.data(), dtype=st.sampled_from(FLOATS), shape=shapes(), seed=seeds, layout=st.integers(0, 3), include_initial=st.booleans())
def test_floats(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int, layout: int, include_initial: bool) -> None:
    """Accumulated in float64 in order, as NumPy does here, in rows this short: float64 bits agree, other dtypes are those, rounded once."""
    _engine.set_isa(level)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    rng = np.random.default_rng(seed)
    for op, value, draw in (("sum", 0.0, rng.standard_normal), ("prod", 1.0, lambda s: rng.uniform(0.8, 1.2, s))):
        t, x = tensor_of(draw(shape), dtype, layout)
        expected = getattr(np, f"cum{op}")(x, axis=axis)
        if include_initial:
            expected = with_initial(expected, axis, value)
        got = numpy_of(getattr(pe, f"cumulative_{op}")(t, axis=axis, include_initial=include_initial))
        if dtype == "float64":
            np.testing.assert_array_equal(got, expected)
        else:
            rounded_twice = 1.0 if dtype in ("float16", "bfloat16") else 0.5  # through float32
            tolerance.assert_within(got, expected, rounded_twice * tolerance.spacing(expected, dtype), dtype)


@pytest.mark.parametrize(("shape", "axis"), [((20_000,), 0), ((3, 5000, 2), 1), ((2, 3000, 40), 1)])
@pytest.mark.parametrize("include_initial", [False, True])
def test_long(shape: tuple[int, ...], axis: int, include_initial: bool) -> None:
    """On GPUs long rows are cut into chunks, and floats added up in another order."""
    rng = np.random.default_rng(0)
    integers, floats = rng.integers(-(2**62), 2**62, shape), rng.standard_normal(shape)
    for _ in each_level():
        for x in (integers, floats):
            got = pe.cumulative_sum(pe.asarray(x), axis=axis, include_initial=include_initial).numpy()
            expected, magnitude = (np.cumsum(v, axis=axis) for v in (x, np.abs(x)))
            if include_initial:
                expected, magnitude = (with_initial(v, axis, 0) for v in (expected, magnitude))
            if x is integers:
                np.testing.assert_array_equal(got, expected)
            else:
                bound = tolerance.summation(magnitude, expected, shape[axis], "float64")
                tolerance.assert_within(got, expected, bound, "float64", magnitude)


@levels
@given(data=st.data(), dtype=st.sampled_from(["bool", "int8", "uint16", "int32", "int64", "uint64"]), shape=shapes(), seed=seeds)
def test_integers(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int) -> None:
    _engine.set_isa(level)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = (np.random.default_rng(seed).integers(0, 2**62, shape) * 3).astype(dtype)
    for op in ("sum", "prod"):
        got, expected = getattr(pe, f"cumulative_{op}")(pe.asarray(x), axis=axis).numpy(), getattr(np, f"cum{op}")(x, axis=axis)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_same_bits_for_any_number_of_threads() -> None:
    t, _ = tensor_of(np.random.default_rng(0).standard_normal((50, 90, 130)), "float32")
    for _ in each_level():
        bits = []
        for threads in (1, 2, 3):
            _engine.set_thread_count(threads)
            bits.append([pe.cumulative_sum(t, axis=axis).numpy().tobytes() for axis in range(3)])
        assert bits[0] == bits[1] == bits[2]


def test_arguments() -> None:
    assert pe.cumulative_sum(pe.asarray([1, 2, 3])).tolist() == [1, 3, 6]
    assert pe.cumulative_sum(pe.asarray([1, 2, 3]), dtype=pe.float64).dtype is pe.float64
    assert pe.cumulative_prod(pe.zeros(0), include_initial=True).tolist() == [1.0]
    with pytest.raises(ValueError, match="cumulative_sum: axis missing"):
        pe.cumulative_sum(pe.ones((2, 2)))
    with pytest.raises(IndexError, match="cumulative_prod: axis out of range: 1 for rank 1"):
        pe.cumulative_prod(pe.ones(2), axis=1)


@pytest.mark.parametrize("include_initial", [False, True])
def test_gradients(include_initial: bool) -> None:
    x = np.random.default_rng(0).standard_normal((3, 5))
    x[0, 2] = x[1, 0] = x[1, 4] = 0.0
    for axis in (0, 1):
        check_gradients(lambda t, a=axis: pe.cumulative_sum(pe.sin(t), axis=a, include_initial=include_initial), x)
        check_gradients(lambda t, a=axis: pe.cumulative_prod(t, axis=a, include_initial=include_initial), x, order=3)
