"""Cross-entropy against float64 NumPy: class indices and probabilities, weights, smoothing, ignored rows, every dtype, layout and level."""

from __future__ import annotations

import math
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
from tests.ops.test_softmax import log_softmax_of, roundings_of_sum

smoothings = st.sampled_from([0.0, 0.1, 1.0])


def weighted_target(shape: tuple[int, ...], target: Any, weight: Float64s | None, ignore_index: int, smoothing: float) -> Float64s:
    """w_c t'_c, shaped like the logits; 0 in ignored rows."""
    axis = min(len(shape) - 1, 1)
    classes = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - 1 - axis))
    t = target if target.dtype.kind == "f" else (np.expand_dims(target, axis) == classes).astype(float)
    t = t * (1 - smoothing) + smoothing / shape[axis]
    if target.dtype.kind != "f":
        t = t * (np.expand_dims(target, axis) != ignore_index)
    return t if weight is None else t * weight.reshape(classes.shape)


def row_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:1] + shape[2:] if len(shape) > 1 else ()


@given(shapes(max_dims=4), dtypes, seeds, st.integers(0, 5), st.booleans(), st.booleans(), smoothings)
def test_rows(shape: tuple[int, ...], dtype: str, seed: int, layout: int, soft: bool, weighted: bool, smoothing: float) -> None:
    rng = np.random.default_rng(seed)
    axis = min(len(shape) - 1, 1)
    n = roundings_of_sum(shape[axis])
    wide = "float32" if dtype in ("float16", "bfloat16") else dtype
    for _ in each_level():
        logits, x = tensor_of(rng.standard_normal(shape) * 3, dtype, layout, requires_grad=True)
        weight, w = tensor_of(rng.random(shape[axis]), dtype) if weighted else (None, None)
        if soft:
            target, t = tensor_of(rng.random(shape), dtype, layout + 1)
            ignored = -1
        else:
            t = rng.integers(0, shape[axis], row_shape(shape))
            target, ignored = pe.asarray(np.asarray(t, rng.choice([np.int64, np.int32]))), int(rng.integers(0, 3))
        log_p, shifted, inherited = log_softmax_of(x, axis)
        share = weighted_target(shape, t, w, ignored, smoothing)

        loss = pe.ops.softmax_cross_entropy(logits, target, weight, ignore_index=ignored, label_smoothing=smoothing)
        expected = (share * -log_p).sum(axis)
        magnitude = (share * (1 + np.abs(shifted) + np.abs(log_p) + inherited)).sum(axis)
        assert loss.dtype == pe.dtypes.as_dtype(wide)
        tolerance.assert_within(numpy_of(loss), expected, tolerance.roundings(magnitude, expected, 2 * n + 10, wide), wide)

        g, g_exact = tensor_of(rng.standard_normal(expected.shape), wide)
        loss.backward(g)
        p, total, g_exact = np.exp(log_p), share.sum(axis, keepdims=True), np.expand_dims(g_exact, axis)
        dx = g_exact * (p * total - share)
        # logsumexp is rounded where it is stored, and so is x - logsumexp; exp passes both on.
        of_exp = 1 + np.abs(log_p) + np.abs(x - log_p) + inherited
        magnitude = np.abs(g_exact) * (p * total * of_exp + share)
        tolerance.assert_within(numpy_of(logits.grad), dx, tolerance.roundings(magnitude, dx, 2 * n + 12, dtype), dtype)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(6,), (5, 6), (3, 6, 4)])
def test_reductions_of_class_indices(shape: tuple[int, ...], smoothing: float, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    count = shape[min(len(shape) - 1, 1)]
    x, t = rng.standard_normal(shape), rng.integers(1, count, row_shape(shape))
    w = rng.random(count) if weighted else None
    if t.ndim:
        t.flat[0] = 0
    rows = (weighted_target(shape, t, w, 0, smoothing) * -log_softmax_of(x, min(len(shape) - 1, 1))[0]).sum(min(len(shape) - 1, 1))
    denominator = ((np.ones(count) if w is None else w)[t] * (t != 0)).sum()
    arguments = (pe.asarray(x), pe.asarray(t), None if w is None else pe.asarray(w))
    for reduction, expected in (("none", rows), ("sum", rows.sum()), ("mean", rows.sum() / denominator)):
        result = pe.cross_entropy(*arguments, ignore_index=0, label_smoothing=smoothing, reduction=reduction)
        np.testing.assert_allclose(numpy_of(result), expected, rtol=1e-13)


def test_mean_of_probabilities_counts_rows_whatever_the_weights() -> None:
    rng = np.random.default_rng(4)
    x, t, w = rng.standard_normal((5, 3, 2)), rng.random((5, 3, 2)), rng.random(3)
    rows = (t * w[:, None] * -log_softmax_of(x, 1)[0]).sum(1)
    np.testing.assert_allclose(pe.cross_entropy(pe.asarray(x), pe.asarray(t), pe.asarray(w)).item(), rows.mean(), rtol=1e-13)


def test_result_has_the_dtype_of_the_logits() -> None:
    for dtype in (pe.float16, pe.bfloat16, pe.float32, pe.float64):
        x = pe.zeros((2, 4), dtype, requires_grad=True)
        loss = pe.cross_entropy(x, pe.asarray([1, 3]))
        assert loss.dtype is dtype
        assert abs(loss.item() - math.log(4)) <= tolerance.elementwise(math.log(4), 4, dtype)
        loss.backward()
        assert x.grad is not None
        assert x.grad.dtype is dtype


def test_all_rows_ignored() -> None:
    x = pe.zeros((2, 3), requires_grad=True)
    target = pe.asarray([-100, -100])
    assert math.isnan(pe.cross_entropy(x, target).item())
    total = pe.cross_entropy(x, target, reduction="sum")
    assert total.item() == 0
    total.backward()
    np.testing.assert_array_equal(numpy_of(x.grad), 0)
    for create_graph in (False, True):
        (gradient,) = pe.gradients(pe.cross_entropy(x, target), [x], create_graph=create_graph)
        np.testing.assert_array_equal(numpy_of(gradient), 0)


def test_an_ignored_row_is_silent_whatever_it_holds() -> None:
    for _ in each_level():
        for shape in ((2, 3), (2, 3, 2)):
            values = np.zeros(shape)
            values[0] = np.nan
            x = pe.asarray(values, requires_grad=True)
            t = np.zeros(row_shape(shape), int)
            t[0] = -1
            loss = pe.cross_entropy(x, pe.asarray(t), ignore_index=-1)
            assert loss.item() == pytest.approx(math.log(3), rel=1e-15)
            (gradient,) = pe.gradients(loss, [x], create_graph=True)
            (curvature,) = pe.gradients(pe.sum(gradient * gradient), [x])
            assert not numpy_of(gradient)[0].any()
            assert not numpy_of(curvature)[0].any()
            loss = pe.cross_entropy(x, pe.asarray(t), ignore_index=-1)
            loss.backward()
            assert not numpy_of(x.grad)[0].any()


def test_extreme_logits() -> None:
    for _ in each_level():
        for inner in (1, 2):
            x = np.repeat(np.array([[0.0, -1e4, 1e4], [0.0, -np.inf, 0.0], [0.0, -np.inf, 0.0]])[:, :, None], inner, 2).astype(np.float32)
            t = np.repeat(np.array([[1], [0], [1]]), inner, 1)
            loss = pe.cross_entropy(pe.asarray(x), pe.asarray(t), reduction="none")
            np.testing.assert_allclose(loss.numpy(), np.repeat([[2e4], [math.log(2)], [np.inf]], inner, 1), rtol=1e-6)


def test_zero_sizes() -> None:
    for _ in each_level():
        assert math.isnan(pe.cross_entropy(pe.zeros((0, 3)), pe.zeros((0,), pe.int64)).item())
        assert pe.cross_entropy(pe.zeros((0, 3, 2)), pe.zeros((0, 2), pe.int64), reduction="none").shape == (0, 2)
        assert pe.cross_entropy(pe.zeros((2, 0)), pe.zeros((2, 0)), reduction="sum").item() == 0


@pytest.mark.parametrize("shape", [(300, 500), (7, 40, 100)])
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    values, t = rng.standard_normal(shape).astype(np.float32), pe.asarray(rng.integers(0, shape[1], row_shape(shape)))
    results = []
    for threads in (1, 2, 3, 8):
        _engine.set_thread_count(threads)
        x = pe.asarray(values, requires_grad=True)
        loss = pe.cross_entropy(x, t, reduction="none")
        pe.sum(loss).backward()
        results.append((loss.numpy().tobytes(), numpy_of(x.grad).tobytes()))
    assert len(set(results)) == 1


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 4, 3)])
def test_gradients_to_third_order(shape: tuple[int, ...], smoothing: float) -> None:
    rng = np.random.default_rng(5)
    axis = min(len(shape) - 1, 1)
    x, soft, w = rng.standard_normal(shape), rng.random(shape), rng.random(shape[axis]) + 0.1
    t = rng.integers(0, 4, row_shape(shape))
    if t.ndim:
        t.flat[0] = 2
    for reduction in ("none", "mean"):
        options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
        check_gradients(lambda a, o=options: pe.cross_entropy(a, pe.asarray(t), **o, ignore_index=2 if t.ndim else -1), x, order=3)
        check_gradients(lambda a, b, o=options: pe.cross_entropy(a, pe.asarray(t), b, **o), x, w, order=3)
        check_gradients(lambda a, b, c, o=options: pe.cross_entropy(a, b, c, **o), x, soft, w, order=3)


def test_errors() -> None:
    x, t = pe.zeros((2, 3)), pe.asarray([0, 1])
    with pytest.raises(IndexError, match=r"class out of range: 3 at position 1 of the flattened target; must be in \[0, 3\), or equal to"):
        pe.cross_entropy(x, pe.asarray([0, 3]))
    with pytest.raises(IndexError, match="class out of range: -1"):
        pe.cross_entropy(x, pe.asarray([-1, 0]))
    with pytest.raises(ValueError, match=r"target does not fit logits: target \(3,\), logits \(2, 3\); .* must be \(2,\)"):
        pe.cross_entropy(x, pe.asarray([0, 1, 2]))
    with pytest.raises(ValueError, match=r"shapes differ: target \(2, 2\), logits \(2, 3\)"):
        pe.cross_entropy(x, pe.zeros((2, 2)))
    with pytest.raises(ValueError, match="ignore_index with a target of probabilities: 0"):
        pe.cross_entropy(x, x, ignore_index=0)
    with pytest.raises(ValueError, match=r"weight does not fit logits: weight \(2,\), logits \(2, 3\); must be \(3,\)"):
        pe.cross_entropy(x, t, pe.zeros(2))
    with pytest.raises(ValueError, match=r"label_smoothing out of range: 1.5; must be in \[0, 1\]"):
        pe.cross_entropy(x, t, label_smoothing=1.5)
    with pytest.raises(ValueError, match="no such reduction: 'avg'"):
        pe.cross_entropy(x, t, reduction="avg")
    with pytest.raises(ValueError, match=r"no class axis: shape \(\)"):
        pe.cross_entropy(pe.asarray(1.0), pe.asarray(0))
    with pytest.raises(TypeError, match="neither integer nor floating: bool"):
        pe.cross_entropy(x, pe.asarray([True, False]))
    with pytest.raises(TypeError, match="logits is not floating: int64"):
        pe.cross_entropy(pe.zeros((2, 3), pe.int64), t)
    with pytest.raises(TypeError, match="dtypes differ: weight float64, logits float32"):
        pe.cross_entropy(x, t, pe.zeros(3, pe.float64))
