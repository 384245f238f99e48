"""linear and multiply_add against NumPy: every float dtype, mixed dtypes, layouts, empty sizes, gradients, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests.gradients import check_gradients
from tests.ops.layouts import FLOATS, numpy_of, operands
from tests.tolerance import assert_within, contraction, format_of, roundings

rng = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,), (2, 0), (130,)])
@pytest.mark.parametrize("sizes", [(5, 7), (0, 7), (5, 0), (1, 1), (65, 33), (40, 3), (300, 130)])
def test_linear(lead: tuple[int, ...], sizes: tuple[int, int], dtype: str) -> None:
    shapes = ((*lead, sizes[0]), sizes[::-1], (sizes[1],))
    tensors = [pe.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    x, w, b = (t.astype("float64").numpy() for t in tensors)
    for result, expected, magnitude in (
        (pe.linear(*tensors), x @ w.T + b, np.abs(x) @ np.abs(w.T) + np.abs(b)),
        (pe.linear(*tensors[:2]), x @ w.T, np.abs(x) @ np.abs(w.T)),
    ):
        assert result.dtype.name == dtype
        bound = contraction(magnitude, expected, sizes[0] + 1, dtype)
        bound = bound + format_of(dtype).unit_roundoff * (magnitude + bound)  # the product may be stored before the bias is added
        assert_within(result.astype("float64").numpy(), expected, bound, dtype)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64"])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_linear_of_integers_wraps(dtype: str, rows: int) -> None:
    limits = np.iinfo(dtype)
    x, w, b = (rng.integers(limits.min, limits.max, shape, dtype, endpoint=True) for shape in ((rows, 9), (5, 9), (5,)))
    np.testing.assert_array_equal(pe.linear(*map(pe.asarray, (x, w, b))).numpy(), x @ w.T + b)


def test_dtypes_promote() -> None:
    x, w, b = pe.ones((2, 3)), pe.ones((4, 3), "float64"), pe.ones((4,), "float32")
    assert pe.linear(x, w, b).dtype is pe.float64
    assert pe.linear(x, w.astype("bfloat16"), b).dtype is pe.float32
    assert pe.linear(x, w.astype("float32"), b.astype("float64")).dtype is pe.float64


def test_errors_of_the_engine() -> None:
    a, b = pe.ones((2, 3))._array, pe.ones((3, 4))._array
    with pytest.raises(TypeError, match="matmul: bias of another dtype: float64; must be that of the product, float32"):
        _engine.matmul(a, b, pe.ones(4, "float64")._array)
    for shape in ((3,), (1, 4), ()):
        with pytest.raises(ValueError, match=r"matmul: bias does not fit: shape .*; must be \(b.shape\[-1\],\)"):
            _engine.matmul(a, b, pe.ones(shape)._array)


def test_strided_operands_stay_as_they_are() -> None:
    x, w, b = rng.standard_normal((5, 8, 6)), rng.standard_normal((6, 14)), rng.standard_normal(8)
    before = [a.copy() for a in (x, w, b)]
    result = pe.linear(pe.asarray(x)[::2, ::-1], pe.asarray(w).T[::2], pe.asarray(b)[1:])
    np.testing.assert_allclose(result.numpy(), x[::2, ::-1] @ w.T[::2].T + b[1:], rtol=1e-12)
    for a, c in zip((x, w, b), before, strict=True):
        np.testing.assert_array_equal(a, c)


def test_gradients() -> None:
    check_gradients(pe.linear, rng.standard_normal((2, 3, 4)), rng.standard_normal((5, 4)), rng.standard_normal(5))
    check_gradients(pe.linear, rng.standard_normal((3, 4)), rng.standard_normal((5, 4)))
    check_gradients(pe.linear, rng.standard_normal(4), rng.standard_normal((5, 4)), rng.standard_normal(5))
    check_gradients(pe.linear, rng.standard_normal((0, 4)), rng.standard_normal((5, 4)), rng.standard_normal(5))


def test_gradients_of_some() -> None:
    arrays = [rng.standard_normal(shape) for shape in ((2, 3), (4, 3), (4,))]
    for wanted in range(3):
        tensors = [pe.asarray(a, requires_grad=i == wanted) for i, a in enumerate(arrays)]
        pe.sum(pe.linear(*tensors)).backward()
        grads = [t.grad for t in tensors]
        assert [g is not None for g in grads] == [i == wanted for i in range(3)]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (4, 5)), r"linear: sizes differ: input \(2, 3\), weight \(4, 5\); input.shape\[-1\] must equal weight.shape\[1\]"),
        (((), (4, 5)), r"linear: sizes differ: input \(\), weight \(4, 5\)"),
        (((2, 5), (5,)), r"linear: sizes differ: input \(2, 5\), weight \(5,\)"),
        (((2, 5), (4, 5), (1,)), r"linear: bias does not fit: \(1,\), weight \(4, 5\); its shape must be weight.shape\[:1\]"),
    ],
)
def test_errors(shapes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pe.linear(*[pe.ones(shape) for shape in shapes])


@given(st.sampled_from(FLOATS).flatmap(lambda dtype: st.tuples(st.just(dtype), operands(3, dtype))))
def test_multiply_add(drawn: Any) -> None:
    dtype, ((a, x), (b, y), (c, z)) = drawn
    with np.errstate(all="ignore"):
        expected, magnitude = x * y + z, np.abs(x * y) + np.abs(z)
    result = pe.multiply_add(a, b, c)
    assert result.dtype.name == dtype
    assert_within(numpy_of(result), expected, roundings(magnitude, expected, 2, dtype), dtype)


def test_multiply_add_of_mixed_dtypes_and_numbers() -> None:
    x = pe.ones((2, 3), "float32")
    assert pe.multiply_add(x, 2, 0.5).tolist() == [[2.5] * 3] * 2
    assert pe.multiply_add(x, 2, 0.5).dtype is pe.float32
    assert pe.multiply_add(x, pe.ones((3,), "float64"), pe.ones((2, 1), "float16")).dtype is pe.float64


def test_gradients_of_multiply_add() -> None:
    check_gradients(pe.multiply_add, rng.standard_normal((2, 3, 4)), rng.standard_normal((3, 1)), rng.standard_normal(4))
    check_gradients(pe.multiply_add, rng.standard_normal((1, 4)), rng.standard_normal((3, 4)), rng.standard_normal(()))


def test_errors_of_multiply_add() -> None:
    with pytest.raises(TypeError, match="multiply_add: dtype not supported: int64; must be a real floating dtype"):
        pe.multiply_add(pe.ones(2, "int64"), 1, 2)
    with pytest.raises(ValueError, match=r"multiply_add: .*\(2,\).*\(3,\)"):
        pe.multiply_add(pe.ones(2), pe.ones(3), 1.0)
