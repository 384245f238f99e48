"""softmax and log_softmax against float64 NumPy: every dtype, layout and level, extreme logits, gradients to second order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.floats import Float64s, dtypes, each_level, numpy_of, seeds, shapes, tensor_of
from tests.gradients import check_gradients


def roundings_of_sum(n: int) -> int:
    """Additions one upon another in a row or column of n: 64 in a block, then the lanes as a tree, then the blocks."""
    return min(n, 64) + 4 + n // 64


def log_softmax_of(x: Float64s, axis: int) -> tuple[Float64s, Float64s, Float64s]:
    """log softmax, x - m, and the part of the logarithm's error that the arguments of exp bring in: Σ_k p_k |x_k - m|."""
    shifted = x - x.max(axis, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    return y, shifted, (np.exp(y) * np.abs(shifted)).sum(axis, keepdims=True)


@given(shapes(), dtypes, seeds, st.integers(0, 5), st.sampled_from([1.0, 30.0]))
def test_forward_and_backward(shape: tuple[int, ...], dtype: str, seed: int, layout: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    axis = seed % len(shape)
    n = roundings_of_sum(shape[axis])
    for _ in each_level():
        x, exact = tensor_of(rng.standard_normal(shape) * scale, dtype, layout, requires_grad=True)
        g, g_exact = tensor_of(rng.standard_normal(shape), dtype, layout)
        expected, shifted, inherited = log_softmax_of(exact, axis)

        # x - m is rounded, and exp passes that on; exp itself is good to 1.1 ulp, 2.2 roundings; one division.
        y = pe.softmax(x, axis=axis)
        p = np.exp(expected)
        bound = tolerance.roundings(p * (1 + np.abs(shifted) + inherited), p, n + 6, dtype)
        tolerance.assert_within(numpy_of(y), p, bound, dtype)

        y.backward(g)
        y_exact = numpy_of(y)
        total = (g_exact * y_exact).sum(axis, keepdims=True)
        magnitude = np.abs(y_exact) * (np.abs(g_exact) + np.abs(g_exact * y_exact).sum(axis, keepdims=True))
        dx = y_exact * (g_exact - total)
        tolerance.assert_within(numpy_of(x.grad), dx, tolerance.roundings(magnitude, dx, n + 3, dtype), dtype)

        x.grad = None
        y = pe.log_softmax(x, axis=axis)
        magnitude = 1 + np.abs(shifted) + np.abs(expected) + inherited
        tolerance.assert_within(numpy_of(y), expected, tolerance.roundings(magnitude, expected, n + 6, dtype), dtype)

        y.backward(g)
        p = np.exp(numpy_of(y))
        dx = g_exact - p * g_exact.sum(axis, keepdims=True)
        magnitude = np.abs(g_exact) + p * np.abs(g_exact).sum(axis, keepdims=True)
        tolerance.assert_within(numpy_of(x.grad), dx, tolerance.roundings(magnitude, dx, n + 6, dtype), dtype)


@pytest.mark.parametrize("axis", [0, 1])
def test_extreme_logits(axis: int) -> None:
    rows = np.array([[1e4, -1e4, 0.0], [1.0, -np.inf, 2.0], [1.0, np.inf, 2.0], [np.nan, 1.0, 1.0], [-np.inf] * 3, [3e38, 3e38, -3e38]])
    q = 1 / (1 + math.e)
    expected = np.array([[1, 0, 0], [q, 0, 1 - q], [np.nan] * 3, [np.nan] * 3, [np.nan] * 3, [0.5, 0.5, 0]])
    logs = np.array([[0, -2e4, -1e4], [math.log(q), -np.inf, math.log(1 - q)], [np.nan] * 3, [np.nan] * 3, [np.nan] * 3])
    for _ in each_level():
        x = pe.asarray((rows if axis else rows.T).astype(np.float32))
        y, log_y = (numpy_of(f(x, axis=axis)) for f in (pe.softmax, pe.log_softmax))
        np.testing.assert_allclose(y if axis else y.T, expected, rtol=1e-6, atol=0)
        np.testing.assert_allclose((log_y if axis else log_y.T)[:5], logs, rtol=1e-6, atol=0)


def test_zero_sizes() -> None:
    for _ in each_level():
        for shape in ((0, 3), (3, 0), (0,), (2, 0, 3)):
            for axis in range(len(shape)):
                assert pe.softmax(pe.zeros(shape), axis=axis).shape == shape
                assert pe.log_softmax(pe.zeros(shape), axis=axis).shape == shape


@pytest.mark.parametrize("shape", [(300, 1000), (7, 40, 300)])
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...]) -> None:
    x = pe.asarray(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    results = []
    for threads in (1, 2, 3, 8):
        _engine.set_thread_count(threads)
        results.append(pe.softmax(x, axis=1).numpy().tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 3)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gradients_to_third_order(shape: tuple[int, ...], axis: int) -> None:
    x = np.random.default_rng(1).standard_normal(shape)
    check_gradients(lambda t: pe.softmax(t, axis=axis), x, order=3)
    check_gradients(lambda t: pe.log_softmax(t, axis=axis), x, order=3)


def test_errors() -> None:
    with pytest.raises(TypeError, match=r"^softmax: x is not floating: int64; must be"):
        pe.softmax(pe.arange(3))
    with pytest.raises(IndexError, match=r"^log_softmax: axis out of range: 2 for rank 2; must be in \[-2, 2\)$"):
        pe.log_softmax(pe.zeros((2, 3)), axis=2)
