"""Arrays as sets against NumPy, which counts every NaN as an element of its own when asked to (equal_nan=False)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from tests.ops.layouts import FLOATS, INTEGERS, Array

DTYPES = [*INTEGERS, "bool", *(dtype for dtype in FLOATS if dtype != "bfloat16"), "complex64", "complex128"]


@st.composite
def collections(draw: st.DrawFn, dtype: str) -> Array:
    """Many equal elements; NaN and both zeros among the floats."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.sampled_from([(0,), (), (1,), (7,), (4, 5), (2, 0, 3), (600,)]))
    values = rng.integers(0, 5, shape).astype(dtype)
    if np.dtype(dtype).kind in "fc":
        values = np.where(rng.integers(0, 6, shape) == 0, np.nan, np.where(rng.integers(0, 6, shape) == 0, -0.0, values)).astype(dtype)
    if np.dtype(dtype).kind == "c":
        values = (values + 1j * rng.integers(0, 2, shape)).astype(dtype)
    return values


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_unique(dtype: str, data: st.DataObject) -> None:
    x = data.draw(collections(dtype))
    ours = pe.unique_all(pe.asarray(x))
    values, counts = np.unique(x, return_counts=True, equal_nan=False)
    np.testing.assert_array_equal(ours.values.numpy(), values)
    np.testing.assert_array_equal(ours.counts.numpy(), counts)
    np.testing.assert_array_equal(x.reshape(-1)[ours.indices.numpy()], values)
    np.testing.assert_array_equal(ours.values.numpy()[ours.inverse_indices.numpy()], x)
    flat = x.reshape(-1)
    for value, index in zip(values, ours.indices.tolist(), strict=True):
        assert value != value or index == np.flatnonzero(flat == value)[0]
    assert ours.inverse_indices.shape == x.shape
    assert ours.values.dtype.name == dtype
    assert {part.dtype for part in ours[1:]} == {pe.int64}
    assert pe.unique_counts(pe.asarray(x)).counts.tolist() == counts.tolist()
    assert pe.unique_inverse(pe.asarray(x)).inverse_indices.tolist() == ours.inverse_indices.tolist()
    assert pe.unique_values(pe.asarray(x)).shape == values.shape


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_isin(dtype: str, data: st.DataObject) -> None:
    a, b = data.draw(collections(dtype)), data.draw(collections(dtype))
    expected = (a[..., np.newaxis] == b.reshape(-1)).any(axis=-1)
    np.testing.assert_array_equal(pe.isin(pe.asarray(a), pe.asarray(b)).numpy(), expected)
    np.testing.assert_array_equal(pe.isin(pe.asarray(a), pe.asarray(b), invert=True).numpy(), ~expected)


def test_isin_with_a_scalar() -> None:
    x = pe.asarray([1, 2, 3])
    assert pe.isin(x, 2).tolist() == [False, True, False]
    assert pe.isin(2, x).item() is True


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float32", "float64", "complex128", "bool"])
@given(data=st.data())
def test_diff(dtype: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = rng.integers(0, 2 if dtype == "bool" else 9, (3, 5)).astype(dtype)
    axis, n = data.draw(st.sampled_from([0, 1, -1])), data.draw(st.integers(0, 3))
    ends: dict[str, Any] = {name: x for name in ("prepend", "append") if data.draw(st.booleans())}
    ours = pe.diff(pe.asarray(x), axis=axis, n=n, **{name: pe.asarray(value) for name, value in ends.items()})
    expected = np.diff(x, n, axis, **ends) if n else np.concatenate([*([x] * ("prepend" in ends)), x, *([x] * ("append" in ends))], axis)
    np.testing.assert_array_equal(ours.numpy(), expected)


def test_diff_rejects() -> None:
    with pytest.raises(ValueError, match="diff: negative order: -1"):
        pe.diff(pe.ones(3), n=-1)
    with pytest.raises(IndexError, match="diff: axis out of range: 2"):
        pe.diff(pe.ones(3), axis=2)
