"""Normalisation against float64 NumPy: every dtype, layout and level, large means, running statistics, gradients to second order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.floats import Float64s, dtypes, each_level, numpy_of, seeds, shapes, tensor_of
from tests.gradients import check_gradients
from tests.ops.test_softmax import roundings_of_sum

EPS = 1e-5


@st.composite
def shapes_and_axes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes such that the others lie next to each other."""
    shape = draw(shapes())
    begin = draw(st.integers(0, len(shape)))
    end = draw(st.integers(begin, len(shape)))
    return shape, tuple(axis for axis in range(len(shape)) if not begin <= axis < end)


def standardized(x: Float64s, axes: tuple[int, ...], centred: bool) -> tuple[Float64s, Float64s, Float64s]:
    mean = x.mean(axes, keepdims=True) if centred else np.zeros_like(x.mean(axes, keepdims=True))
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPS), mean, variance


@given(shapes_and_axes(), dtypes, seeds, st.integers(0, 5), st.sampled_from([0.0, 100.0]), st.booleans())
def test_forward_and_backward(
    shape_and_axes: tuple[tuple[int, ...], tuple[int, ...]], dtype: str, seed: int, layout: int, offset: float, centred: bool
) -> None:
    shape, axes = shape_and_axes
    rng = np.random.default_rng(seed)
    op = pe.standardize if centred else pe.rms_standardize
    n = 2 * roundings_of_sum(int(np.prod([shape[axis] for axis in axes])))
    for _ in each_level():
        x, exact = tensor_of(offset + rng.standard_normal(shape), dtype, layout, requires_grad=True)
        g, g_exact = tensor_of(rng.standard_normal(shape), dtype, layout)
        expected, _mean, variance = standardized(exact, axes, centred)
        r = 1 / np.sqrt(variance + EPS)

        # The mean errs by n roundings of mean |x|. It enters every deviation, and by it the variance, whose relative error y feels.
        spread = r * np.abs(exact).mean(axes, keepdims=True)
        magnitude = (1 + spread) * (1 + np.abs(expected)) if centred else np.abs(expected)
        y = op(x, axes, EPS)
        tolerance.assert_within(numpy_of(y), expected, tolerance.roundings(magnitude, expected, n + 6, dtype), dtype)

        y.backward(g)
        mean_g = g_exact.mean(axes, keepdims=True) if centred else 0.0
        dx = r * (g_exact - mean_g - expected * (g_exact * expected).mean(axes, keepdims=True))
        of_g = np.abs(g_exact) + np.abs(g_exact).mean(axes, keepdims=True)
        of_gy = (np.abs(g_exact) * (1 + np.abs(expected))).mean(axes, keepdims=True)
        magnitude = r * (of_g + (1 + np.abs(expected)) * of_gy) * (1 + spread if centred else 1)
        tolerance.assert_within(numpy_of(x.grad), dx, tolerance.roundings(magnitude, dx, 2 * n + 12, dtype), dtype)


def test_a_large_mean_does_not_drown_the_variance() -> None:
    """Values exact in float32, whose squares are not: E[x^2] - E[x]^2 would be wrong in every digit."""
    for _ in each_level():
        for shape, axes in (((2, 64), (1,)), ((64, 2), (0,))):
            x = np.resize(np.array([2.0**20 - 1, 2.0**20 + 1]), 128).reshape(shape if axes == (1,) else shape[::-1])
            x = (x if axes == (1,) else x.T).astype(np.float32)
            expected = x.astype(np.float64) - 2.0**20
            np.testing.assert_allclose(pe.standardize(pe.asarray(x), axes, 0.0).numpy(), expected, rtol=1e-6)


def test_nan_inf_and_zero_sizes() -> None:
    for _ in each_level():
        x = pe.asarray(np.array([[1.0, np.nan, 2.0], [1.0, np.inf, 2.0], [1.0, 2.0, 3.0]], np.float32))
        y = pe.standardize(x, 1).numpy()
        assert np.isnan(y[:2]).all()
        assert np.isfinite(y[2]).all()
        for shape in ((0, 3), (3, 0), (0, 3, 2), (2, 0, 3)):
            assert pe.standardize(pe.zeros(shape), 0).shape == shape
            assert pe.rms_standardize(pe.zeros(shape), len(shape) - 1).shape == shape


@pytest.mark.parametrize(("shape", "axes"), [((64, 700), (1,)), ((700, 64), (0,)), ((16, 8, 20, 20), (0, 2, 3))])
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 8):
        _engine.set_thread_count(threads)
        x = pe.asarray(values, requires_grad=True)
        y = pe.standardize(x, axes)
        pe.sum(y * y * y).backward()
        results.append((y.numpy().tobytes(), numpy_of(x.grad).tobytes()))
    assert len(set(results)) == 1


rng = np.random.default_rng(7)
X = rng.standard_normal((3, 4, 2, 5))
W, B = rng.standard_normal(4), rng.standard_normal(4)


def by_channel(p: Float64s) -> Float64s:
    return p[:, None, None]


@pytest.mark.parametrize("given_running", [False, True])
def test_batch_norm_in_training(given_running: bool) -> None:
    mean, var = (pe.asarray(p.copy()) if given_running else None for p in (B, W**2))
    y = pe.batch_norm(pe.asarray(X), mean, var, pe.asarray(W), pe.asarray(B), training=True, momentum=0.3, eps=0.01)
    batch_mean, batch_var = X.mean((0, 2, 3)), X.var((0, 2, 3))
    expected = (X - by_channel(batch_mean)) / np.sqrt(by_channel(batch_var) + 0.01) * by_channel(W) + by_channel(B)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-13)
    if mean is not None and var is not None:
        np.testing.assert_allclose(mean.numpy(), 0.7 * B + 0.3 * batch_mean, rtol=1e-13)
        np.testing.assert_allclose(var.numpy(), 0.7 * W**2 + 0.3 * X.var((0, 2, 3), ddof=1), rtol=1e-13)


def test_norms_with_running_statistics_are_affine_maps() -> None:
    mean, var = pe.asarray(B), pe.asarray(W**2)
    expected = (X - by_channel(B)) / np.sqrt(by_channel(W**2) + 0.01) * by_channel(B) + by_channel(W)
    batch = pe.batch_norm(pe.asarray(X), mean, var, mean, pe.asarray(W), eps=0.01)
    instance = pe.instance_norm(pe.asarray(X), mean, var, mean, pe.asarray(W), use_input_stats=False, eps=0.01)
    np.testing.assert_allclose(batch.numpy(), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(instance.numpy(), expected, rtol=1e-12, atol=1e-13)


def test_other_norms() -> None:
    x, w, b = pe.asarray(X), pe.asarray(W), pe.asarray(B)
    deviation = X - X.mean((2, 3), keepdims=True)
    expected = deviation / np.sqrt(X.var((2, 3), keepdims=True) + EPS) * by_channel(W) + by_channel(B)
    running = pe.zeros(4, pe.float64)
    np.testing.assert_allclose(pe.instance_norm(x, running, None, w, b).numpy(), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(running.numpy(), 0.1 * X.mean((0, 2, 3)), rtol=1e-12)

    grouped = X.reshape(3, 2, 2, 2, 5)
    deviation = grouped - grouped.mean((2, 3, 4), keepdims=True)
    expected = (deviation / np.sqrt(grouped.var((2, 3, 4), keepdims=True) + EPS)).reshape(X.shape) * by_channel(W) + by_channel(B)
    np.testing.assert_allclose(pe.group_norm(x, 2, w, b).numpy(), expected, rtol=1e-12, atol=1e-13)

    last = rng.standard_normal((2, 2, 5))
    expected = (X - X.mean((2, 3), keepdims=True)) / np.sqrt(X.var((2, 3), keepdims=True) + EPS) * last[0] + last[1]
    result = pe.layer_norm(x, (2, 5), pe.asarray(last[0]), pe.asarray(last[1]))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12, atol=1e-13)

    expected = X / np.sqrt((X**2).mean(-1, keepdims=True) + np.finfo(np.float64).eps) * last[0, 0]
    np.testing.assert_allclose(pe.rms_norm(x, 5, pe.asarray(last[0, 0])).numpy(), expected, rtol=1e-12, atol=1e-13)


def test_16_bit_input_with_float32_parameters_stays_16_bit() -> None:
    w, b = pe.ones(4), pe.zeros(4)
    mean, var = pe.zeros(4), pe.ones(4)
    x = pe.asarray(X).astype(pe.bfloat16)
    for y in (pe.batch_norm(x, mean, var, w, b, training=True), pe.group_norm(x, 2, w, b), pe.batch_norm(x, mean, var, w, b)):
        assert y.dtype is pe.bfloat16
    assert mean.dtype is pe.float32


NORMS: dict[str, Any] = {
    "standardize": lambda x, w, b: pe.standardize(x, (0, 2, 3)),
    "rms_standardize": lambda x, w, b: pe.rms_standardize(x, (2, 3)),
    "batch_norm": lambda x, w, b: pe.batch_norm(x, None, None, w, b, training=True),
    "batch_norm, running": lambda x, w, b: pe.batch_norm(x, pe.asarray(B), pe.asarray(W**2), w, b),
    "instance_norm": lambda x, w, b: pe.instance_norm(x, weight=w, bias=b),
    "group_norm": lambda x, w, b: pe.group_norm(x, 2, w, b),
    "layer_norm": lambda x, w, b: pe.layer_norm(pe.moveaxis(x, 1, -1), 4, w, b),
    "rms_norm": lambda x, w, b: pe.rms_norm(pe.moveaxis(x, 1, -1), 4, w, 0.1),
}


@pytest.mark.parametrize("name", NORMS)
def test_gradients_to_third_order(name: str) -> None:
    check_gradients(NORMS[name], X, W, B, order=3)


def test_errors() -> None:
    x, three = pe.zeros((2, 4, 3)), pe.zeros(3)
    with pytest.raises(ValueError, match=r"^standardize: axes to keep are apart: shape \(2, 4, 3\), standardised over axes \(1,\)"):
        pe.standardize(x, 1)
    with pytest.raises(TypeError, match=r"^standardize: x is not floating: int64"):
        pe.standardize(pe.arange(3), 0)
    with pytest.raises(IndexError, match=r"^rms_standardize: axis out of range: 3 for rank 3"):
        pe.rms_standardize(x, 3)
    with pytest.raises(ValueError, match=r"^batch_norm: weight does not fit: \(3,\) for x \(2, 4, 3\); must be \(4,\)$"):
        pe.batch_norm(x, None, None, three, training=True)
    with pytest.raises(ValueError, match=r"^batch_norm: too few values to train on: shape \(1, 4\)"):
        pe.batch_norm(pe.zeros((1, 4)), training=True)
    with pytest.raises(ValueError, match=r"^batch_norm: no running statistics"):
        pe.batch_norm(x)
    with pytest.raises(ValueError, match=r"^instance_norm: too few values: shape \(2, 4, 1\)"):
        pe.instance_norm(pe.zeros((2, 4, 1)))
    with pytest.raises(ValueError, match=r"^group_norm: channels do not split: 4 into 3 groups"):
        pe.group_norm(x, 3)
    with pytest.raises(ValueError, match=r"^layer_norm: shapes differ: x \(2, 4, 3\), normalized_shape \(4,\)"):
        pe.layer_norm(x, 4)
    with pytest.raises(ValueError, match=r"^rms_norm: weight does not fit: \(3,\) for x \(2, 4, 3\); must be \(4, 3\)$"):
        pe.rms_norm(x, (4, 3), three)
    with pytest.raises(ValueError, match=r"^group_norm: no channel axis: shape \(3,\)"):
        pe.group_norm(three, 1)
