"""Reading and writing by index arrays against NumPy: every level, layout and number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe
from pyengine import _engine
from tests.gradients import check_gradients

DTYPES = ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"]
shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)


@pytest.fixture(params=_engine.available_isas())
def isa(request: pytest.FixtureRequest) -> Any:
    before = _engine.isa()
    _engine.set_isa(request.param)
    yield request.param
    _engine.set_isa(before)


def numbered(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray[Any, Any]:
    """Every element another value, as far as the dtype can tell them apart."""
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 251).astype(dtype)


def laid_out(x: np.ndarray[Any, Any], layout: str) -> np.ndarray[Any, Any]:
    if layout == "transposed":
        return np.ascontiguousarray(x.T).T
    if layout == "strided":
        wide = np.zeros([2 * size for size in x.shape], x.dtype)
        view = wide[(slice(None, None, 2),) * x.ndim]
        view[...] = x
        return view
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1])[::-1]
    return x


layouts = st.sampled_from(["contiguous", "transposed", "strided", "reversed"])


@pytest.mark.parametrize("level", _engine.available_isas())
@given(data=st.data())
def test_take(level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    shape = data.draw(shapes)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    size = shape[axis]
    index_shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)) if size else (0,)
    indices = data.draw(
        hnp.arrays(data.draw(st.sampled_from(["int64", "int8"])), index_shape, elements=st.integers(-size, max(size - 1, -size)))
    )
    x = laid_out(numbered(shape, data.draw(st.sampled_from(DTYPES))), data.draw(layouts))
    got = pe.take(pe.asarray(x), pe.asarray(indices), axis=axis)
    np.testing.assert_array_equal(got.numpy(), np.take(x, indices, axis=axis))


@pytest.mark.parametrize("level", _engine.available_isas())
@given(data=st.data())
def test_take_along_axis(level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    shape = data.draw(shapes)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    size = shape[axis]
    index_shape = [data.draw(st.sampled_from([1, n])) for n in shape]
    index_shape[axis] = data.draw(st.integers(0, 4)) if size else 0
    indices = data.draw(hnp.arrays(np.int64, tuple(index_shape), elements=st.integers(-size, max(size - 1, -size))))
    x = laid_out(numbered(shape), data.draw(layouts))
    got = pe.take_along_axis(pe.asarray(x), pe.asarray(laid_out(indices, data.draw(layouts))), axis=axis)
    np.testing.assert_array_equal(got.numpy(), np.take_along_axis(x, indices, axis=axis))


@pytest.mark.parametrize("level", _engine.available_isas())
@given(data=st.data())
def test_index_add(level: str, data: st.DataObject) -> None:
    """Small integers, so that sums are exact in every dtype and order."""
    _engine.set_isa(level)
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(0, 12))
    indices = data.draw(hnp.arrays(np.int64, count, elements=st.integers(-shape[axis], shape[axis] - 1)))
    dtype = data.draw(st.sampled_from(["int8", "uint16", "int64", "float16", "float32", "float64"]))
    along = axis % len(shape)
    values = laid_out((numbered((*shape[:along], count, *shape[along + 1 :])) % 7).astype(dtype), data.draw(layouts))
    x = laid_out((numbered(shape) % 5).astype(dtype), data.draw(layouts))
    expected = x.copy()
    np.add.at(expected, (*[slice(None)] * along, indices), values)
    given_x = pe.asarray(x)
    got = pe.index_add(given_x, pe.asarray(indices), pe.asarray(values), axis=axis)
    np.testing.assert_array_equal(got.numpy(), expected)
    np.testing.assert_array_equal(given_x.numpy(), x)


@pytest.mark.parametrize("level", _engine.available_isas())
@given(data=st.data())
def test_scatter_and_scatter_add(level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    index_shape = list(shape)
    index_shape[axis] = data.draw(st.integers(0, 6))
    indices = data.draw(hnp.arrays(np.int64, tuple(index_shape), elements=st.integers(-shape[axis], shape[axis] - 1)))
    x, values = numbered(shape), 1.0 + numbered(tuple(index_shape))
    assigned, added = x.copy(), x.copy()
    for place in np.ndindex(*index_shape):  # in order: the last one stays
        target = list(place)
        target[axis] = indices[place]
        assigned[tuple(target)] = values[place]
        added[tuple(target)] += values[place]
    tensors = [pe.asarray(a) for a in (x, indices, values)]
    np.testing.assert_array_equal(pe.ops.scatter(*tensors, axis=axis).numpy(), assigned)
    np.testing.assert_array_equal(pe.ops.scatter_add(*tensors, axis=axis).numpy(), added)


@pytest.mark.parametrize("level", _engine.available_isas())
@pytest.mark.parametrize("dtype", ["int32", "float16", "float32", "float64"])
def test_segments(level: str, dtype: str) -> None:
    _engine.set_isa(level)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 7, 200)
    ids[ids == 3] = 4  # an empty segment
    x = rng.integers(-9, 9, (200, 5)).astype(dtype)
    args = pe.asarray(x), pe.asarray(ids), 8
    groups = [x[ids == s].astype(np.float64) for s in range(8)]
    assert [len(g) == 0 for g in groups] == [False] * 3 + [True] + [False] * 3 + [True]
    np.testing.assert_array_equal(pe.segment_sum(*args).numpy(), [g.sum(0) for g in groups])
    low, high = (-np.inf, np.inf) if dtype[0] == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    np.testing.assert_array_equal(pe.segment_max(*args).numpy(), [g.max(0, initial=low) for g in groups])
    np.testing.assert_array_equal(pe.segment_min(*args).numpy(), [g.min(0, initial=high) for g in groups])
    if dtype[0] == "f":
        means = np.array([g.mean(0) if len(g) else np.zeros(5) for g in groups])
        error = np.abs(pe.segment_mean(*args).numpy() - means)
        assert (error <= np.finfo(dtype).eps * np.abs(means)).all()  # exact sums, and one division
    assert pe.segment_sum(pe.asarray(x), pe.asarray(ids)).shape == (7, 5)


@pytest.mark.parametrize("level", _engine.available_isas())
@given(data=st.data())
def test_nonzero(level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    x = data.draw(hnp.arrays(np.int8, data.draw(shapes), elements=st.integers(0, 1)))
    x = laid_out(x, data.draw(layouts))
    for mine, theirs in zip(pe.nonzero(pe.asarray(x)), np.nonzero(x), strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)


def test_nonzero_of_many() -> None:
    """Beyond one tile of a GPU, in both orders of the axes."""
    x = np.random.default_rng(0).random((70, 99)) < 0.3
    for laid in (x, x.T):
        for mine, theirs in zip(pe.nonzero(pe.asarray(laid)), np.nonzero(laid), strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs)


def test_same_bits_for_any_number_of_threads(isa: str) -> None:
    """Large enough for several tasks, values of many magnitudes, and few places, so that another order would round differently."""
    rng = np.random.default_rng(1)
    values = (rng.standard_normal((20000, 9)) * 10.0 ** rng.integers(-6, 6, (20000, 1))).astype(np.float32)
    ids = rng.integers(0, 50, 20000)
    along = rng.integers(0, 50, (20000, 9))
    x, places = pe.asarray(values), pe.asarray(ids)
    before = _engine.thread_count()
    results = []
    for threads in (1, 2, 3):
        _engine.set_thread_count(threads)
        results.append(
            [
                pe.segment_sum(x, places, 50).numpy().tobytes(),
                pe.ops.scatter_add(pe.zeros((50, 9)), pe.asarray(along), x, axis=0).numpy().tobytes(),
                pe.take(x, places, axis=0).numpy().tobytes(),
            ]
        )
    _engine.set_thread_count(before)
    assert results[0] == results[1] == results[2]
    in_order = np.zeros((50, 9), np.float32)
    for i, s in enumerate(ids):
        in_order[s] += values[i]
    assert results[0][0] == in_order.tobytes()


def test_nan_propagates_through_extremes(isa: str) -> None:
    for values in ([1.0, np.nan, 2.0], [np.nan, 1.0, 2.0], [1.0, 2.0, np.nan]):
        x, ids = pe.asarray([*values, 3.0]), pe.asarray([0, 0, 0, 1])
        for segment in (pe.segment_max, pe.segment_min):
            np.testing.assert_array_equal(segment(x, ids, 2).numpy(), [np.nan, 3.0])


def test_half_precision_sums_round_once(isa: str) -> None:
    """1 + 2048 times 2^-11 is 2; added one by one in float16 it would stay 1."""
    values = pe.asarray(np.full(2048, 2.0**-11, np.float16))
    got = pe.index_add(pe.ones(3, dtype=pe.float16), pe.zeros(2048, dtype=pe.int64), values)
    np.testing.assert_array_equal(got.numpy(), np.array([2, 1, 1], np.float16))


def test_errors_come_before_any_change(isa: str) -> None:
    x = pe.arange(5)
    with pytest.raises(IndexError, match=r"take: index out of range: 5 on axis 0 of size 5; must be in \[-5, 5\)"):
        pe.take(x, pe.asarray([0, 5]))
    with pytest.raises(IndexError, match=r"take_along_axis: index out of range: -4 on axis 1 of size 3"):
        pe.take_along_axis(pe.ones((2, 3)), pe.asarray([[0, 1], [2, -4]]), axis=1)
    y = pe.zeros(5)
    with pytest.raises(IndexError, match="index_put: index out of range: 7 on axis 0 of size 5"):
        _engine.index_put(y._array, [pe.asarray([0, 1, 7])._array], (0,), pe.ones(3)._array, True)
    assert y.tolist() == [0.0] * 5
    with pytest.raises(TypeError, match="take: indices are not integers: float32"):
        pe.take(x, pe.asarray([0.0]))
    with pytest.raises(ValueError, match="take: axis missing"):
        pe.take(pe.ones((2, 2)), pe.asarray([0]))
    with pytest.raises(ValueError, match="segment_sum: one id for each row is needed"):
        pe.segment_sum(pe.ones((3, 2)), pe.asarray([0, 1]))
    with pytest.raises(IndexError, match="index_add: index out of range: 3 on axis 0 of size 2"):
        pe.segment_sum(pe.ones((3, 2)), pe.asarray([0, 3, 1]), 2)
    with pytest.raises(IndexError):
        pe.take(pe.ones((0, 2)), pe.asarray([0]), axis=0)


def test_gradients() -> None:
    rng = np.random.default_rng(2)
    x, values = rng.standard_normal((4, 5, 3)), rng.standard_normal((4, 6, 3))
    indices, along = pe.asarray([0, 4, -1, 2, 2, 0]), pe.asarray(rng.integers(-5, 5, (4, 6, 3)))
    check_gradients(lambda t: pe.take(t * t, indices, axis=1), x)
    check_gradients(lambda t: pe.take_along_axis(t * t, along, axis=1), x)
    check_gradients(lambda t, v: pe.index_add(t * t, indices, v * v, axis=1), x, values)
    check_gradients(lambda t, v: pe.index_add(t * t, indices, v * v, axis=1), x, values[:, :1])
    check_gradients(lambda t, v: pe.ops.scatter_add(t * t, along, v * v, axis=1), x, values)
    check_gradients(lambda t, v: pe.ops.scatter(t * t, along, v * v, axis=1), x, values)
    ids = pe.asarray([0, 2, 2, 0])
    for segment in (pe.segment_sum, pe.segment_mean, pe.segment_max, pe.segment_min):
        check_gradients(lambda t, f=segment: f(t * t, ids, 3)[::2], x)


def test_ties_share_the_gradient() -> None:
    x = pe.asarray([[1.0], [3.0], [3.0], [2.0]], requires_grad=True)
    pe.sum(pe.segment_max(x, pe.asarray([0, 0, 0, 1]), 2)).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0], [0.5], [0.5], [1.0]]
