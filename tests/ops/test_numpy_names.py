"""Functions under NumPy's names, against NumPy in float64, with and without NaN; their gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe
from tests.gradients import check_gradients

EPS = np.finfo(np.float64).eps
Array = np.ndarray[Any, Any]


def close(ours: Any, expected: Any, terms: int) -> None:
    """Sums and products of ``terms`` numbers up to 4, in any order (Higham, section 4.2), with products up to 4^terms."""
    expected = np.asarray(expected)
    scale = np.max(np.abs(np.nan_to_num(expected)), initial=1.0)
    np.testing.assert_allclose(np.asarray(ours), expected, rtol=0, atol=8 * (terms + 1) * EPS * max(scale, 4.0**2))


@st.composite
def arrays_and_axes(draw: st.DrawFn) -> tuple[Array, Any]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))
    x = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([np.nan, -2.0, -0.5, 0.0, 1.0, 1.5, 3.0])))
    axis = draw(st.sampled_from([None, 0, -1, tuple(range(len(shape)))]))
    return x, axis


@pytest.mark.parametrize("name", ["nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "nanmedian", "median"])
@given(case=arrays_and_axes(), keepdims=st.booleans())
def test_reductions(name: str, case: tuple[Array, Any], keepdims: bool) -> None:
    x, axis = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NaN alone
        expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    close(getattr(pe, name)(pe.asarray(x), axis=axis, keepdims=keepdims), expected, x.size)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "nancumsum", "nancumprod"])
@given(case=arrays_and_axes())
def test_scans(name: str, case: tuple[Array, Any]) -> None:
    x, axis = case
    axis = None if isinstance(axis, tuple) else axis
    close(getattr(pe, name)(pe.asarray(x), axis), getattr(np, name)(x, axis), x.size)


@pytest.mark.parametrize("name", ["nanargmax", "nanargmin"])
@given(case=arrays_and_axes())
def test_places(name: str, case: tuple[Array, Any]) -> None:
    x, axis = case
    axis = None if isinstance(axis, tuple) else axis
    if np.any(np.all(np.isnan(x), axis=axis)):
        return  # NumPy refuses
    np.testing.assert_array_equal(getattr(pe, name)(pe.asarray(x), axis).numpy(), getattr(np, name)(x, axis))


@given(case=arrays_and_axes(), q=st.sampled_from([0.0, 0.1, 0.5, 1.0, [0.25, 0.75], [[0.0], [1.0]]]), keepdims=st.booleans())
def test_quantiles(case: tuple[Array, Any], q: Any, keepdims: bool) -> None:
    x, axis = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for name in ("quantile", "nanquantile"):
            expected = getattr(np, name)(x, q, axis=axis, keepdims=keepdims)
            close(getattr(pe, name)(pe.asarray(x), pe.asarray(q, dtype=pe.float64), axis, keepdims=keepdims), expected, 1)


def test_quantiles_of_the_infinite_and_of_integers() -> None:
    assert pe.quantile(pe.asarray([-np.inf, 1.0, np.inf]), 0.5).item() == 1.0
    assert pe.median(pe.asarray([1, 2, 4, 5])).item() == 3.0
    with pytest.raises(ValueError, match=r"quantile: fraction out of range: 1.5; must be in \[0, 1\]"):
        pe.quantile(pe.ones(3), 1.5)
    with pytest.raises(ValueError, match="quantile: unknown method: 'nearest'; must be 'linear'"):
        pe.quantile(pe.ones(3), 0.5, method="nearest")


@pytest.mark.parametrize("ddof", [0, 1, 5])
def test_degrees_of_freedom(ddof: int) -> None:
    x = np.asarray([1.0, np.nan, 4.0, 2.5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        close(pe.nanvar(pe.asarray(x), ddof=ddof), np.nanvar(x, ddof=ddof), 4)
    close(pe.var(pe.asarray(x[2:]), ddof=1), np.var(x[2:], ddof=1), 2)
    close(pe.std(pe.asarray(x[2:]), ddof=1), pe.std(pe.asarray(x[2:]), correction=1), 2)


@pytest.mark.parametrize("edge_order", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("uneven", [False, True])
def test_gradient(edge_order: int, axis: int, uneven: bool) -> None:
    x = np.random.default_rng(0).random((5, 7))
    places = np.cumsum(np.random.default_rng(1).uniform(0.5, 2.0, x.shape[axis])) if uneven else 0.5
    ours = pe.gradient(pe.asarray(x), pe.asarray(places) if uneven else places, axis=axis, edge_order=edge_order)
    close(ours, np.gradient(x, places, axis=axis, edge_order=edge_order), 4)


def test_gradient_refuses() -> None:
    with pytest.raises(ValueError, match="gradient: too few elements: 2 on axis 0; at least 3 are needed"):
        pe.gradient(pe.ones(2), axis=0, edge_order=2)
    with pytest.raises(ValueError, match="gradient: no such edge order: 3; must be 1 or 2"):
        pe.gradient(pe.ones(5), axis=0, edge_order=3)


@pytest.mark.parametrize("k", [-2, 0, 1])
def test_diag(k: int) -> None:
    for x in (np.arange(4.0), np.arange(12.0).reshape(3, 4)):
        np.testing.assert_array_equal(pe.diag(pe.asarray(x), k).numpy(), np.diag(x, k))
    with pytest.raises(ValueError, match=r"diag: neither a vector nor a matrix: shape \(1, 1, 1\)"):
        pe.diag(pe.ones((1, 1, 1)))


@pytest.mark.parametrize(("a", "b"), [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((2, 2, 3), (4, 3, 2)), ((), (3,))])
def test_dot(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = np.random.default_rng(0).random(a), np.random.default_rng(1).random(b)
    close(pe.dot(pe.asarray(x), pe.asarray(y)), np.dot(x, y), 3)


def test_a_mask_beside_numbers() -> None:
    x, mask = np.arange(6.0).reshape(2, 3), np.asarray([True, False, True])
    assert pe.tensordot(pe.asarray(x), pe.asarray(mask), axes=1).tolist() == (x @ mask).tolist()


@given(st.integers(1, 4), st.integers(1, 3))
def test_windows(first: int, second: int) -> None:
    x = np.arange(20.0).reshape(5, 4)
    ours = pe.lib.stride_tricks.sliding_window_view(pe.asarray(x), (first, second))
    np.testing.assert_array_equal(ours.numpy(), np.lib.stride_tricks.sliding_window_view(x, (first, second)))
    along = pe.lib.stride_tricks.sliding_window_view(pe.asarray(x), first, axis=-1)
    np.testing.assert_array_equal(along.numpy(), np.lib.stride_tricks.sliding_window_view(x, first, axis=-1))


def test_windows_refuse() -> None:
    with pytest.raises(ValueError, match=r"sliding_window_view: window does not fit: 4 on axis 0 of \(3,\)"):
        pe.lib.stride_tricks.sliding_window_view(pe.ones(3), 4)
    with pytest.raises(ValueError, match=r"sliding_window_view: counts differ: windows \(2,\), axes \(0, 1\)"):
        pe.lib.stride_tricks.sliding_window_view(pe.ones((3, 3)), 2)


WITH_NAN = np.asarray([[0.5, np.nan, 2.0], [1.25, 3.0, -1.0]])
SMOOTH = np.asarray([[0.5, 0.75, 2.0, -0.3], [1.25, 3.0, -1.0, 0.2]])

DIFFERENTIABLE: dict[str, Callable[[pe.Tensor], pe.Tensor]] = {
    "quantile": lambda x: pe.quantile(x, 0.3, axis=1),
    "median": lambda x: pe.median(x, axis=0),
    "nanvar": lambda x: pe.nanvar(x, axis=1, ddof=1),
    "nanprod": lambda x: pe.nanprod(x, axis=0),
    "cumprod": lambda x: pe.cumprod(x, axis=1),
    "gradient": lambda x: pe.gradient(x, pe.asarray([0.0, 1.0, 3.0, 3.5]), axis=1, edge_order=2),
    "diag": lambda x: pe.diag(x[0], 1),
    "dot": lambda x: pe.dot(x, pe.asarray(SMOOTH.T.copy())),
    "windows": lambda x: pe.lib.stride_tricks.sliding_window_view(x, 2, axis=1) * 2.0,
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name: str) -> None:
    check_gradients(DIFFERENTIABLE[name], SMOOTH)


@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanmax", "nanmin", "nanvar", "nanmedian"])
def test_no_gradient_goes_to_nan(name: str) -> None:
    x = pe.asarray(WITH_NAN, requires_grad=True)
    getattr(pe, name)(x, axis=1).sum().backward()
    assert x.grad is not None
    assert bool(pe.all(pe.isfinite(x.grad)))
    assert x.grad[0, 1].item() == 0.0
