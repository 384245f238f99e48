"""Reductions against float64 NumPy: every dtype, layout, level and number of threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests import tolerance
from tests.floats import FLOATS, each_level, numpy_of, seeds, shapes, tensor_of
from tests.gradients import check_gradients

INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
BLOCK = 32  # of kernels/reduce.h: sums err by at most about (32 + log2 n) eps sum |x|
# Beyond one task of 32768 elements, one leaf of a row (64 vectors) and one tile of columns (32 vectors), in all directions.
LARGE = [((100_003,), (0,)), ((3, 70_001), (1,)), ((70_001, 3), (0,)), ((70_001, 3), (1,)), ((257, 1100), (0,)), ((257, 1100), (1,))]
LARGE += [((40, 33, 49), (0, 2)), ((40, 33, 49), (1,)), ((2, 3, 50_000), (0, 2)), ((1, 1, 1), (0, 1, 2))]

levels = pytest.mark.parametrize("level", _engine.available_isas())
Array = npt.NDArray[Any]


@st.composite
def axes_of(draw: st.DrawFn, ndim: int) -> tuple[int, ...]:
    return tuple(axis - draw(st.sampled_from([0, ndim])) for axis in range(ndim) if draw(st.booleans()))


def count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return math.prod(shape[axis] for axis in axes)


def assert_sum(got: Any, x: Array, axes: tuple[int, ...], dtype: str, keepdims: bool = False) -> None:
    expected, magnitude = x.sum(axis=axes, keepdims=keepdims), np.abs(x).sum(axis=axes, keepdims=keepdims)
    bound = tolerance.summation(magnitude, expected, count(x.shape, axes), dtype, BLOCK)
    tolerance.assert_within(numpy_of(got), expected, bound, dtype, magnitude)


@levels
@given(
    data=st.data(), dtype=st.sampled_from(FLOATS), shape=shapes(min_dims=0), seed=seeds, layout=st.integers(0, 3), keepdims=st.booleans()
)
def test_floats(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int, layout: int, keepdims: bool) -> None:
    _engine.set_isa(level)
    rng = np.random.default_rng(seed)
    axes = data.draw(axes_of(len(shape)))
    n = count(shape, axes)
    t, x = tensor_of(rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 3, shape), dtype, layout)
    assert_sum(pe.sum(t, axis=axes, keepdims=keepdims), x, axes, dtype, keepdims)
    total, magnitude = (v.sum(axis=axes, keepdims=keepdims) for v in (x, np.abs(x)))
    if n:
        roundings = BLOCK + math.ceil(math.log2(n)) + 1
        bound = tolerance.roundings(magnitude / n, total / n, roundings, dtype)
        tolerance.assert_within(numpy_of(pe.mean(t, axis=axes, keepdims=keepdims)), total / n, bound, dtype)
        for op in ("min", "max"):
            np.testing.assert_array_equal(
                numpy_of(getattr(pe, op)(t, axis=axes, keepdims=keepdims)), getattr(x, op)(axis=axes, keepdims=keepdims)
            )
    t, x = tensor_of(rng.uniform(0.9, 1.1, shape) * rng.choice([-1, 1], shape), dtype, layout)
    expected = x.prod(axis=axes, keepdims=keepdims)
    bound = tolerance.roundings(np.abs(expected), expected, max(n, 1), dtype)
    tolerance.assert_within(numpy_of(pe.prod(t, axis=axes, keepdims=keepdims)), expected, bound, dtype)


@levels
@given(data=st.data(), dtype=st.sampled_from(INTEGERS), shape=shapes(min_dims=0), seed=seeds, keepdims=st.booleans())
def test_integers_are_exact(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int, keepdims: bool) -> None:
    """The whole range of the type, so that sums and products wrap in 64 bits as NumPy's do."""
    _engine.set_isa(level)
    rng = np.random.default_rng(seed)
    axes = data.draw(axes_of(len(shape)))
    x = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    x = np.asarray(x.view(dtype)[..., 0]) if dtype != "bool" else x[..., 0] > 128
    if data.draw(st.booleans()):
        x = np.asfortranarray(x)
    t = pe.asarray(x)
    for op in ("sum", "prod"):
        got = getattr(pe, op)(t, axis=axes, keepdims=keepdims).numpy()
        expected = np.asarray(getattr(np, op)(x, axis=axes, keepdims=keepdims))
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    for op in ("any", "all", "count_nonzero", *(("min", "max") if count(shape, axes) else ())):
        got = getattr(pe, op)(t, axis=axes, keepdims=keepdims).numpy()
        np.testing.assert_array_equal(got, getattr(np, op)(x, axis=axes, keepdims=keepdims))


@pytest.mark.parametrize("dtype", FLOATS)
def test_count_nonzero_of_floats(dtype: str) -> None:
    """Neither zero counts; NaN, infinities and the smallest number do. Every length of a tail, along rows and down columns."""
    some = np.array([0.0, -0.0, math.nan, math.inf, -math.inf, 0.0, tolerance.format_of(dtype).smallest_subnormal, -1.0, 0.25])
    for _ in each_level():
        for n in range(70):
            t, x = tensor_of(np.resize(some, (3, n)), dtype)
            for axis in (None, 0, 1):
                np.testing.assert_array_equal(pe.count_nonzero(t, axis=axis).numpy(), np.count_nonzero(x, axis=axis))
    assert pe.count_nonzero(pe.asarray([0j, 1j, -0j, complex(math.nan)])).item() == 2


@pytest.mark.parametrize(("shape", "axes"), LARGE)
@pytest.mark.parametrize("dtype", FLOATS)
def test_large(shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> None:
    t, x = tensor_of(np.random.default_rng(0).standard_normal(shape), dtype)
    for _ in each_level():
        assert_sum(pe.sum(t, axis=axes), x, axes, dtype)
        np.testing.assert_array_equal(numpy_of(pe.max(t, axis=axes)), x.max(axis=axes))


@pytest.mark.parametrize(("shape", "axes"), LARGE)
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    t, _ = tensor_of(np.random.default_rng(0).standard_normal(shape), "float32")
    for _ in each_level():
        bits = []
        for threads in (1, 2, 3):
            _engine.set_thread_count(threads)
            bits.append([f(t, axis=axes).numpy().tobytes() for f in (pe.sum, pe.mean, pe.prod, pe.var, pe.logsumexp)])
        assert bits[0] == bits[1] == bits[2]


def test_long_sums_do_not_drift() -> None:
    """One after the other, 2^24 times 0.1 in float32 would end 19 % off."""
    n = 2**24
    x = pe.broadcast_to(pe.asarray(np.float32(0.1)), (n,))
    for y in (x, pe.ops.copy(x), pe.ops.copy(pe.broadcast_to(pe.asarray(np.float32([0.1, 0.1, 0.1])), (n // 4, 3)))):
        for level in _engine.available_isas():
            _engine.set_isa(level)
            got = pe.sum(y, axis=0).numpy()
            exact = np.float64(np.float32(0.1)) * y.shape[0]
            assert (np.abs(got - exact) <= tolerance.summation(exact, exact, n, "float32", BLOCK)).all()


def test_nan_and_infinity_propagate() -> None:
    for _ in each_level():
        for dtype in FLOATS:
            values = np.random.default_rng(0).standard_normal((5, 3000))
            values[1, 200], values[2, 17], values[3, 0], values[3, 299] = np.nan, np.inf, np.inf, -np.inf
            values[4, 5] = values[4, 2900] = values[4, 200] = np.nan  # two in a row, in blocks apart; two in a column
            t, x = tensor_of(values, dtype)
            with np.errstate(invalid="ignore"):
                for op in ("sum", "mean"):
                    got, expected = numpy_of(getattr(pe, op)(t, axis=1)), getattr(x, op)(axis=1)
                    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
                    np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))
            for op in ("min", "max", "argmin", "argmax"):
                np.testing.assert_array_equal(numpy_of(getattr(pe, op)(t, axis=1)), getattr(x, op)(axis=1))
                np.testing.assert_array_equal(numpy_of(getattr(pe, op)(t, axis=0)), getattr(x, op)(axis=0))


@levels
@given(
    data=st.data(),
    dtype=st.sampled_from([*FLOATS, "int8", "int64", "uint32"]),
    shape=shapes(min_side=1),
    seed=seeds,
    layout=st.integers(0, 3),
)
def test_argmin_argmax(level: str, data: st.DataObject, dtype: str, shape: tuple[int, ...], seed: int, layout: int) -> None:
    """Few distinct values, so that the first of several equal ones must be found."""
    _engine.set_isa(level)
    t, x = tensor_of(np.random.default_rng(seed).integers(0, 4, shape), dtype, layout)
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    keepdims = data.draw(st.booleans())
    for op in ("argmin", "argmax"):
        got = getattr(pe, op)(t, axis=axis, keepdims=keepdims)
        assert got.dtype is pe.int64
        np.testing.assert_array_equal(got.numpy(), getattr(np, op)(x, axis=axis, keepdims=keepdims))


def test_long_argmax() -> None:
    x = np.zeros(10_000, np.float32)
    for place in (0, 1, 4095, 4096, 9_999):
        y = x.copy()
        y[place:] = 1.0
        for _ in each_level():
            assert pe.argmax(pe.asarray(y)).item() == place


def test_of_nothing() -> None:
    for _ in each_level():
        for shape, axes in (((0,), (0,)), ((3, 0), (1,)), ((0, 3), (0,)), ((2, 0, 3), (0, 1))):
            x = pe.zeros(shape)
            rest = tuple(size for axis, size in enumerate(shape) if axis not in axes)
            for op, value in (("sum", 0.0), ("prod", 1.0), ("mean", np.nan), ("any", False), ("all", True), ("logsumexp", -np.inf)):
                np.testing.assert_array_equal(getattr(pe, op)(x, axis=axes).numpy(), np.full(rest, value))
            for op in ("min", "max"):
                with pytest.raises(ValueError, match=rf"{op}: nothing to reduce: shape .*; an empty {op} has no value"):
                    getattr(pe, op)(x, axis=axes)
        assert pe.max(pe.zeros((0, 3)), axis=1).shape == (0,)
        with pytest.raises(ValueError, match="argmax: nothing to reduce"):
            pe.argmax(pe.zeros((2, 0)), axis=1)


def test_dtypes() -> None:
    x = pe.asarray([1, 2, 300], dtype=pe.int16)
    assert pe.sum(x).dtype is pe.int64
    assert pe.sum(x, dtype=pe.int8).item() == 47  # 303 modulo 256
    assert pe.sum(x, dtype=pe.float16).dtype is pe.float16
    assert pe.mean(x).dtype is pe.float32
    half = pe.full(100_000, 1.0, dtype=pe.float16)
    assert pe.mean(half).item() == 1.0  # the sum alone would be Inf
    assert pe.sum(half).item() == math.inf
    assert pe.sum(half, dtype=pe.float32).item() == 100_000.0


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("correction", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_var_and_std(dtype: str, correction: float, axes: tuple[int, ...]) -> None:
    """Deviations err by the mean's error d and one rounding; squares of n of them, summed, by a factor, and n d^2 (Higham, section 1.9)."""
    t, x = tensor_of(100.0 + np.random.default_rng(0).standard_normal((37, 50)), dtype)
    n = count(x.shape, axes)
    roundings = BLOCK + math.ceil(math.log2(n)) + 6
    expected = x.var(axis=axes, ddof=correction)
    of_mean = (tolerance.gamma(roundings, dtype) * np.abs(x).mean(axis=axes)) ** 2 * n / (n - correction)
    bound = tolerance.roundings(expected, expected, roundings, dtype) + of_mean
    tolerance.assert_within(numpy_of(pe.var(t, axis=axes, correction=correction)), expected, bound, dtype)
    got = numpy_of(pe.std(t, axis=axes, correction=correction))
    root = np.sqrt(expected)
    tolerance.assert_within(got, root, bound / root + tolerance.elementwise(root, 1.0, dtype), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_logsumexp(dtype: str, axes: tuple[int, ...]) -> None:
    """Absolute errors: of x - m, up to |x| + |m| times u, of exp and the sum as a factor of what log takes, and of the result."""
    values = np.random.default_rng(0).standard_normal((20, 30)) * 100
    values[3] = -np.inf
    values[:, 4] = -np.inf
    t, x = tensor_of(values, dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        m = np.where(np.isfinite(x.max(axis=axes, keepdims=True)), x.max(axis=axes, keepdims=True), 0.0)
        expected = (np.log(np.exp(x - m).sum(axis=axes, keepdims=True)) + m).squeeze(axes)
    roundings = BLOCK + math.ceil(math.log2(count(x.shape, axes))) + 8
    scale = 1.0 + 2.0 * np.abs(np.where(np.isfinite(x), x, 0.0)).max()
    got = numpy_of(pe.logsumexp(t, axis=axes))
    tolerance.assert_within(got, expected, np.full(got.shape, tolerance.gamma(roundings, dtype) * scale), dtype)


def test_logsumexp_gradient_of_minus_infinity() -> None:
    x = pe.asarray([[-math.inf, -math.inf], [-math.inf, 0.0]], requires_grad=True)
    pe.sum(pe.where(pe.asarray([False, True]), pe.logsumexp(x, axis=1), pe.zeros(2))).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_sum_to() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    t = pe.asarray(x)
    for shape in ((2, 3, 4), (3, 4), (3, 1), (1, 3, 4), (4,), (1,), ()):
        got = pe.ops.sum_to(t, shape)
        assert got.shape == shape
        expected = x.reshape(-1, 3, 4).sum(0) if shape == (3, 4) else None
        if expected is not None:
            np.testing.assert_allclose(got.numpy(), expected, rtol=1e-14)
        np.testing.assert_allclose(float(pe.sum(got)), x.sum(), rtol=1e-13)
    with pytest.raises(ValueError, match=r"sum_to: shape cannot be broadcast: \(2,\) to \(2, 3, 4\)"):
        pe.ops.sum_to(t, (2,))


def test_errors() -> None:
    x = pe.ones((2, 3))
    with pytest.raises(IndexError, match=r"sum: axis out of range: 2 for rank 2; must be in \[-2, 2\)"):
        pe.sum(x, axis=2)
    with pytest.raises(ValueError, match="mean: axis named twice"):
        pe.mean(x, axis=(0, -2))
    with pytest.raises(IndexError, match="argmax: axis out of range: -3 for rank 2"):
        pe.argmax(x, axis=-3)


@pytest.mark.parametrize("axes", [None, (0,), (1,), (0, 2), ()])
def test_gradients(axes: tuple[int, ...] | None) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    for op in (pe.sum, pe.mean, pe.prod, pe.max, pe.min, pe.var, pe.std, pe.logsumexp):
        if op is pe.std and axes == ():
            continue  # its derivative at 0 does not exist
        for keepdims in (False, True):
            check_gradients(lambda t, f=op, k=keepdims: f(pe.sin(t), axis=axes, keepdims=k), x)
    check_gradients(lambda t: pe.ops.sum_to(pe.sin(t), (4, 1)), x)


def test_gradient_of_a_product_with_zeros() -> None:
    values = np.array([[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 3.0, 0.0]])
    check_gradients(lambda t: pe.prod(t, axis=1), values, order=3)
    x = pe.asarray(values, requires_grad=True)
    pe.sum(pe.prod(x, axis=1)).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[12.0, 8.0, 6.0], [0.0, 8.0, 0.0], [0.0, 0.0, 0.0]]


def test_equal_extremes_share_the_gradient() -> None:
    for op, sign in ((pe.max, 1.0), (pe.min, -1.0)):
        x = pe.asarray(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, -1.0]]) * sign, requires_grad=True)
        pe.sum(op(x, axis=1)).backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
