"""Shape ops against NumPy: results, views where views are due, gradients, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pyengine as pe
from tests.devices import DEVICE
from tests.gradients import check_gradients

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw: st.DrawFn, min_dims: int = 0) -> np.ndarray[Any, Any]:
    """Distinct elements of any dtype of ours, in any layout."""
    shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=4, min_side=0, max_side=4))
    dtype = draw(st.sampled_from(["bool", "int8", "uint16", "int64", "float16", "float32", "float64"]))
    x = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
    steps = tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)
    return np.asarray(x[steps]).transpose(draw(st.permutations(range(len(shape)))))


def same(result: pe.Tensor, expected: np.ndarray[Any, Any]) -> None:
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result.numpy(), expected)


@given(arrays(), st.data())
def test_reshape(x: np.ndarray[Any, Any], data: st.DataObject) -> None:
    t = pe.asarray(x)
    sizes = data.draw(st.permutations([*x.shape, 1]))
    same(pe.reshape(t, sizes), x.reshape(sizes))
    same(t.reshape(-1), x.reshape(-1)) if x.size else None
    joined = (int(np.prod(x.shape[:2])), *x.shape[2:])
    if x.ndim >= 2:
        result = t.reshape(joined)
        same(result, x.reshape(joined))
        if DEVICE == "cpu":
            assert np.shares_memory(result.numpy(), x) == np.shares_memory(x.reshape(joined), x)


@given(arrays(), st.data())
def test_permutations_are_views(x: np.ndarray[Any, Any], data: st.DataObject) -> None:
    axes = data.draw(st.permutations(range(x.ndim)))
    result = pe.permute_dims(pe.asarray(x), axes)
    same(result, x.transpose(axes))
    assert x.size == 0 or DEVICE != "cpu" or np.shares_memory(result.numpy(), x)


@given(arrays(min_dims=1), st.data())
def test_axis_ops(x: np.ndarray[Any, Any], data: st.DataObject) -> None:
    t = pe.asarray(x)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    shift = data.draw(st.integers(-9, 9))
    same(pe.flip(t, axis=axis), np.flip(x, axis))
    same(pe.roll(t, shift, axis=axis), np.roll(x, shift, axis))
    same(pe.roll(t, shift), np.roll(x, shift))
    same(pe.concat([t, t], axis=axis), np.concatenate([x, x], axis))
    same(pe.stack([t, t], axis=axis), np.stack([x, x], axis))
    same(pe.repeat(t, 3, axis=axis), np.repeat(x, 3, axis))
    same(pe.expand_dims(t, axis=axis), np.expand_dims(x, axis))
    same(pe.squeeze(pe.expand_dims(t, axis=axis), axis), x)
    same(pe.tile(t, (2, 1, 3)), np.tile(x, (2, 1, 3)))
    same(pe.moveaxis(t, axis, 0), np.moveaxis(x, axis, 0))
    for ours, theirs in zip(pe.unstack(t, axis=axis), np.moveaxis(x, axis, 0), strict=True):
        same(ours, theirs)
    counts = data.draw(st.lists(st.integers(0, 3), min_size=x.shape[axis], max_size=x.shape[axis]))
    same(pe.repeat(t, pe.asarray(counts, dtype=pe.int64), axis=axis), np.repeat(x, np.asarray(counts, int), axis))


@given(arrays(), st.data())
def test_broadcasting(x: np.ndarray[Any, Any], data: st.DataObject) -> None:
    other = data.draw(hnp.broadcastable_shapes(x.shape, max_dims=4, min_side=0))
    shape = np.broadcast_shapes(x.shape, other)
    assert pe.broadcast_shapes(x.shape, other) == shape
    same(pe.broadcast_to(pe.asarray(x), shape), np.broadcast_to(x, shape))


@given(arrays(min_dims=1), st.data())
def test_pad_and_crop(x: np.ndarray[Any, Any], data: st.DataObject) -> None:
    widths = [(data.draw(st.integers(-size // 2, 3)), data.draw(st.integers(-(size // 2), 3))) for size in x.shape]
    widths = [(max(low, -(size // 2)), high) for size, (low, high) in zip(x.shape, widths, strict=True)]
    grown = np.pad(x, [(max(low, 0), max(high, 0)) for low, high in widths], constant_values=1)
    cut = tuple(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(grown.shape, widths, strict=True))
    same(pe.pad(pe.asarray(x), widths, value=1), grown[cut])


@given(st.integers(0, 4), st.integers(0, 4), st.integers(-5, 5))
def test_triangles_and_eye(rows: int, columns: int, k: int) -> None:
    x = np.arange(2.0 * rows * columns).reshape(2, rows, columns)
    same(pe.tril(pe.asarray(x), k=k), np.tril(x, k))
    same(pe.triu(pe.asarray(x), k=k), np.triu(x, k))
    same(pe.eye(rows, columns, k=k, dtype=pe.float64), np.eye(rows, columns, k))


@given(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from([-2, -1, 1, 3]))
def test_ranges(start: int, stop: int, step: int) -> None:
    same(pe.arange(start, stop, step), np.arange(start, stop, step))
    same(pe.linspace(start, stop, 7, dtype=pe.float64), np.linspace(start, stop, 7))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: pe.reshape(x, (4, -1)) ** 3,
        lambda x: pe.permute_dims(x, (2, 0, 1)) ** 3,
        lambda x: pe.broadcast_to(pe.expand_dims(x, 1), (2, 5, 3, 4)) ** 3,
        lambda x: pe.concat([x, x * x], axis=1) ** 2,
        lambda x: pe.stack(pe.unstack(x, axis=2)[::-1], axis=0) ** 3,
        lambda x: pe.pad(x, [(1, 0), (-1, 2), (0, -1)]) ** 3,
        lambda x: pe.tile(x, (2, 1, 2)) ** 3,
        lambda x: pe.repeat(x, pe.asarray([0, 2, 1]), axis=1) ** 3,
        lambda x: pe.tril(x, k=1) ** 3,
        lambda x: pe.flip(x, axis=(0, 2)) ** 3,
        lambda x: pe.astype(x, pe.float64, copy=True) ** 3,
    ],
)
def test_gradients(f: Any) -> None:
    check_gradients(f, np.linspace(0.5, 2.0, 24).reshape(2, 3, 4))


@pytest.mark.parametrize("integer", [np.int64, np.uint8, np.asarray, pe.asarray])
def test_integers_of_numpy_and_tensors_are_integers(integer: Any) -> None:
    one, two, six = (integer(n) for n in (1, 2, 6))
    x = pe.asarray(np.arange(6.0).reshape(2, 3))
    assert pe.zeros(six).shape == pe.zeros((six,)).shape == pe.reshape(x, six).shape == x.reshape(six).shape == (6,)
    assert pe.broadcast_to(x, (two, two, 3)).shape == (2, 2, 3)
    np.testing.assert_array_equal(x.sum(axis=one).numpy(), x.numpy().sum(1))
    np.testing.assert_array_equal(pe.roll(x, one, axis=one).numpy(), np.roll(x.numpy(), 1, 1))
    np.testing.assert_array_equal(pe.moveaxis(x, one, -2).numpy(), x.numpy().T)
    assert [pe.expand_dims(x, one).shape, pe.squeeze(pe.expand_dims(x, one), one).shape] == [(2, 1, 3), (2, 3)]
    assert pe.nn.LayerNorm(integer(3))(x.astype("float32")).shape == (2, 3)


def test_a_range_of_numpy_integers_is_of_integers() -> None:
    assert pe.arange(np.int64(3)).dtype is pe.int64
    assert [part.shape for part in pe.split(pe.zeros(5), np.int64(2))] == [(2,), (2,), (1,)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: x.reshape(5, -1),
            ValueError,
            r"reshape: element counts differ: \(2, 3\) to \(5, -1\); the products of the sizes must be equal",
        ),
        (lambda x: x.reshape(-1, -1), ValueError, r"reshape: not a shape: \(-1, -1\)"),
        (lambda x: pe.reshape(x.mT, 6, copy=False), ValueError, r"reshape: a copy is needed: shape \(3, 2\), strides \(1, 3\), to \(6,\)"),
        (lambda x: x.permute_dims(0, 0), ValueError, r"permute_dims: not a permutation: axes \(0, 0\) for shape \(2, 3\)"),
        (lambda x: pe.squeeze(x, 0), ValueError, r"squeeze: size is not 1: axis 0 of shape \(2, 3\)"),
        (lambda x: pe.expand_dims(x, 4), IndexError, r"expand_dims: axis out of range: 4 for rank 3; must be in \[-3, 3\)"),
        (lambda x: pe.broadcast_to(x, (2, 4)), ValueError, r"broadcast_to: shape cannot be broadcast: \(2, 3\) to \(2, 4\)"),
        (
            lambda x: pe.concat([x, pe.zeros((3, 3))], axis=1),
            ValueError,
            r"concat: shapes differ off axis 1: arrays\[0\] \(2, 3\), arrays\[1\] \(3, 3\)",
        ),
        (lambda x: pe.concat([]), ValueError, r"concat: no arrays: \(\)"),
        (lambda x: pe.stack([x, x.mT]), ValueError, r"stack: shapes differ: \(2, 3\), \(3, 2\)"),
        (lambda x: pe.split(x, (1, 3)), ValueError, r"split: sizes do not add up: \[1, 3\] for axis 0 of size 2"),
        (lambda x: pe.zeros(2.5), TypeError, r"full: shape is not of integers: 2.5; must be an integer, or a sequence of them"),
        (lambda x: x.sum(axis="x"), TypeError, r"sum: axis is not of integers: 'x'"),
        (lambda x: x.reshape((2.0, 3)), TypeError, r"reshape: shape is not of integers: \(2.0, 3\)"),
        (lambda x: pe.asarray([[1, 2], [3]]), ValueError, "asarray: not an array: .*; the sequences on one level must have one length"),
        (lambda x: x.astype(x), TypeError, "dtype: not an element type"),
        (lambda x: x.to("gpu"), TypeError, "to: neither a dtype nor a device: 'gpu'; devices are 'cpu', 'cuda', 'simulator'; dtype: not"),
        (lambda x: pe.tril(pe.zeros(3)), ValueError, r"tril: rank too low: shape \(3,\)"),
        (lambda x: pe.empty((2**40, 2**40)), ValueError, r"shape: too many elements: \(1099511627776, 1099511627776\) of float32"),
        (lambda x: pe.zeros((-1,)), ValueError, r"shape: negative size: \(-1,\)"),
        (lambda x: pe.empty((2**50,)), pe.OutOfMemoryError, r"allocate: out of memory: asked for 4503599627370496 bytes"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(pe.zeros((2, 3)))


def test_what_is_laid_out_again_has_memory_of_its_own() -> None:
    x = pe.ones((1, 3))
    for y in (
        pe.tile(x, (1, 1)),
        pe.tile(x, (2, 1)),
        pe.repeat(x, 1),
        pe.repeat(pe.ones(1), 3),
        pe.repeat(x, 2, axis=0),
        pe.roll(x, 0, axis=1),
    ):
        assert not y._array.shares_storage(x._array)
        y[..., 0] = 2.0
        assert float(pe.sum(y)) == y.size + y.size // y.shape[-1]  # one place each, in every row
    assert x.tolist() == [[1.0, 1.0, 1.0]]
