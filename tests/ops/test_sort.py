"""Sorting against NumPy's stable sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests.floats import FLOATS, numpy_of, seeds, shapes, tensor_of
from tests.gradients import check_gradients

levels = pytest.mark.parametrize("level", _engine.available_isas())


def stable_order(x: np.ndarray[Any, Any], axis: int, descending: bool) -> np.ndarray[Any, Any]:
    """NaN last both ways: descending is ascending of the negated ranks."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    _, ranks = np.unique(np.where(np.isnan(x), -np.inf, x), return_inverse=True)
    ranks = ranks.reshape(x.shape).astype(np.int64) + 1
    return np.argsort(np.where(np.isnan(x), 1, -ranks), axis=axis, kind="stable")


@levels
@given(data=st.data(), dtype=st.sampled_from(FLOATS), shape=shapes(), seed=seeds, layout=st.integers(0, 3), descending=st.booleans())
def test_floats(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int, layout: int, descending: bool) -> None:
    """Duplicates, both zeros, both infinities and NaN."""
    _engine.set_isa(level)
    rng = np.random.default_rng(seed)
    special = rng.choice([-np.inf, np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 1e-3], shape)
    t, x = tensor_of(np.where(rng.random(shape) < 0.5, special, rng.standard_normal(shape)), dtype, layout)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    order = stable_order(x, axis, descending)
    np.testing.assert_array_equal(pe.argsort(t, axis=axis, descending=descending).numpy(), order)
    np.testing.assert_array_equal(numpy_of(pe.sort(t, axis=axis, descending=descending)), np.take_along_axis(x, order, axis))


@levels
@given(
    data=st.data(),
    dtype=st.sampled_from(["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]),
    shape=shapes(),
    seed=seeds,
)
def test_integers(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int) -> None:
    _engine.set_isa(level)
    x = (
        np.random.default_rng(seed)
        .integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
        .view(dtype if dtype != "bool" else np.uint8)
    )
    x = x[..., 0] > 128 if dtype == "bool" else x[..., 0]
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    np.testing.assert_array_equal(pe.argsort(pe.asarray(x), axis=axis).numpy(), np.argsort(x, axis=axis, kind="stable"))
    np.testing.assert_array_equal(pe.sort(pe.asarray(x), axis=axis, descending=True).numpy(), np.flip(np.sort(x, axis=axis), axis=axis))


@levels
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_long_rows(level: str, dtype: str) -> None:
    _engine.set_isa(level)
    x = (np.random.default_rng(0).standard_normal((3, 20_000)) * 1000).astype(dtype)
    for threads in (1, 2):
        _engine.set_thread_count(threads)
        np.testing.assert_array_equal(pe.argsort(pe.asarray(x)).numpy(), np.argsort(x, kind="stable"))


@levels
@given(seed=seeds, n=st.integers(0, 60), k=st.integers(0, 60), largest=st.booleans())
def test_topk(level: str, seed: int, n: int, k: int, largest: bool) -> None:
    _engine.set_isa(level)
    x = np.random.default_rng(seed).permutation(n * 3).reshape(3, n).astype(np.float32)
    if k > n:
        with pytest.raises(ValueError, match="topk: k out of range"):
            pe.topk(pe.asarray(x), k)
        return
    values, indices = pe.topk(pe.asarray(x), k, largest=largest)
    expected = np.sort(x, axis=-1)[:, ::-1][:, :k] if largest else np.sort(x, axis=-1)[:, :k]
    np.testing.assert_array_equal(values.numpy(), expected)
    np.testing.assert_array_equal(np.take_along_axis(x, indices.numpy(), -1), expected)


@levels
@given(
    seed=seeds,
    n=st.integers(0, 70),
    side=st.sampled_from(["left", "right"]),
    dtype=st.sampled_from(["float32", "float64", "int8", "uint64"]),
)
def test_searchsorted(level: str, seed: int, n: int, side: Any, dtype: str) -> None:
    _engine.set_isa(level)
    rng = np.random.default_rng(seed)
    x, values = np.sort(rng.integers(0, 30, n).astype(dtype)), rng.integers(0, 30, (4, 5)).astype(dtype)
    if dtype[0] == "f":
        values[0, 0] = np.nan
        x[n // 2 + 1 :] = np.where(x[n // 2 + 1 :] > 25, np.nan, x[n // 2 + 1 :])
    np.testing.assert_array_equal(
        pe.searchsorted(pe.asarray(x), pe.asarray(values), side=side).numpy(), np.searchsorted(x, values, side=side)
    )
    shuffled = rng.permutation(n)
    back = np.argsort(shuffled)
    got = pe.searchsorted(pe.asarray(x[shuffled]), pe.asarray(values), side=side, sorter=pe.asarray(back))
    np.testing.assert_array_equal(got.numpy(), np.searchsorted(x, values, side=side))


def test_gradients() -> None:
    x = np.random.default_rng(0).permutation(24).reshape(2, 3, 4) / 7.0
    for axis in (0, 1, -1):
        check_gradients(lambda t, a=axis: pe.sort(t * t, axis=a, descending=True), x)
        check_gradients(lambda t, a=axis: pe.topk(t * t, 2, axis=a)[0], x)


def test_errors() -> None:
    with pytest.raises(IndexError, match="argsort: axis out of range: 2 for rank 1"):
        pe.argsort(pe.ones(3), axis=2)
    with pytest.raises(ValueError, match=r"searchsorted: not a vector: \(2, 2\)"):
        pe.searchsorted(pe.ones((2, 2)), pe.ones(1))
    with pytest.raises(ValueError, match="searchsorted: unknown side: 'up'"):
        pe.searchsorted(pe.ones(2), pe.ones(1), side="up")
