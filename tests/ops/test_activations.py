"""Activations against their formulas in float64: every dtype, layout and instruction-set level; gradients to second order and at edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine import _engine
from tests.gradients import check_gradients
from tests.ops.cuda_accuracy import claimed_of_exponentials
from tests.ops.layouts import FLOATS, SPECIAL, Array, numpy_of, operands, tensor_of
from tests.tolerance import assert_within, elementwise

LEVELS = _engine.available_isas()


def sigmoid(x: Array) -> Array:
    return np.where(x < 0, np.exp(-abs(x)), 1.0) / (1.0 + np.exp(-abs(x)))


def distribution(x: Array) -> Array:
    """erfc(z) / 2 with z = -x / sqrt(2): what rounding z lost is added to first order, for erfc amplifies it."""
    exact = -x.astype(np.longdouble) / np.sqrt(np.longdouble(2))
    z = exact.astype(np.float64)
    lost = np.where(np.isfinite(x), exact - z, 0).astype(np.float64)
    return 0.5 * (np.vectorize(math.erfc, otypes=[float])(z) - 2 / math.sqrt(math.pi) * np.exp(-z * z) * lost)


def density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def times(x: Array, f: Array) -> Array:
    """x f, and its limit where f is 0 and x infinite."""
    return np.where(f == 0, np.copysign(0.0, x), x * f)


def doubled_argument(x: Array) -> Array:
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def doubled_slope(x: Array) -> Array:
    return 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)


class Case(NamedTuple):
    """An activation, its formula and derivative in float64, and the errors claimed for both."""

    name: str
    f: Callable[..., pe.Tensor]
    value: Callable[[Array], Any]
    slope: Callable[[Array], Any]
    ulps: float
    # exp(-u) of a rounded u is off by as many ulp as u has units: where a result is small as exp(-u), the claim grows with u.
    exponent: Callable[[Array], Any] = lambda x: np.zeros_like(x)

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("relu", pe.relu, lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, 0)), lambda x: 1.0 * (x > 0), 0),
    Case("sigmoid", pe.sigmoid, sigmoid, lambda x: sigmoid(x) * sigmoid(-x), 2.4),
    Case("tanh", pe.tanh, np.tanh, lambda x: 1 - np.tanh(x) ** 2, 2.6),
    Case("silu", pe.silu, lambda x: times(x, sigmoid(x)), lambda x: sigmoid(x) + times(x, sigmoid(x) * sigmoid(-x)), 4),
    Case("gelu", pe.gelu, lambda x: times(x, distribution(x)), lambda x: distribution(x) + times(x, density(x)), 8, lambda x: x * x),
    Case(
        "gelu_tanh",
        partial(pe.gelu, approximate="tanh"),
        lambda x: times(x, sigmoid(doubled_argument(x))),
        lambda x: sigmoid(doubled_argument(x)) + times(x * doubled_slope(x), sigmoid(doubled_argument(x)) * sigmoid(-doubled_argument(x))),
        3,
        lambda x: 3 * abs(doubled_argument(x)),
    ),
    Case("softplus", pe.softplus, lambda x: np.logaddexp(0, x), sigmoid, 2.4),
    Case("leaky_relu", pe.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01), 2),
    Case("elu", pe.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0)), 3),
]


def bound_of(case: Case, x: Array, expected: Array, dtype: str) -> Array:
    with np.errstate(all="ignore"):
        exponent = np.nan_to_num(np.where(x < 0, case.exponent(x), 0.0), nan=0.0, posinf=0.0)
        finite = np.where(np.isfinite(expected), expected, 0.0)
        return elementwise(finite, claimed_of_exponentials(case.ulps), dtype) + exponent * elementwise(finite, 1.0, dtype)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CASES, ids=str)
@given(data=st.data())
def test_values(case: Case, dtype: str, level: str, data: st.DataObject) -> None:
    _engine.set_isa(level)
    ((x, y),) = data.draw(operands(1, dtype, -12.0, 12.0))
    result = case.f(x)
    assert result.dtype.name == dtype
    with np.errstate(all="ignore"):
        expected = np.asarray(case.value(y))
    if case.name == "leaky_relu" and dtype != "float64":  # 0.01 itself is rounded to the dtype
        expected = np.where(y > 0, y, numpy_of(pe.asarray(0.01, dtype=dtype)) * y)
    assert_within(numpy_of(result), expected, bound_of(case, y, expected, dtype), dtype)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
@given(data=st.data())
def test_slopes(case: Case, dtype: str, level: str, data: st.DataObject) -> None:
    """The fused backward: a handful of roundings on terms of at most about 1.2."""
    _engine.set_isa(level)
    ((x, y),) = data.draw(operands(1, dtype, -12.0, 12.0))
    x = pe.asarray(x.numpy(), requires_grad=True)
    case.f(x).backward(pe.ones(x.shape, dtype=dtype))
    with np.errstate(all="ignore"):
        expected = np.asarray(case.slope(y))
    assert x.grad is not None
    propagates = np.isnan(expected) if case.name != "relu" else np.zeros(expected.shape, bool)
    got = numpy_of(x.grad)
    assert np.isnan(got[propagates]).all()
    assert_within(got[~propagates], expected[~propagates], elementwise(np.ones(expected.shape), 12, dtype)[~propagates], dtype)


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in ("relu", "leaky_relu", "elu")], ids=str)
def test_gradients_to_third_order(case: Case) -> None:
    check_gradients(case.f, np.linspace(-3, 3, 12).reshape(3, 4), order=3)


@pytest.mark.parametrize("f", [pe.relu, pe.leaky_relu, partial(pe.leaky_relu, negative_slope=0.2), pe.elu, partial(pe.elu, alpha=1.7)])
def test_gradients_off_the_kink(f: Callable[..., pe.Tensor]) -> None:
    check_gradients(f, np.array([[-2.0, -0.7, -0.1], [0.1, 0.6, 2.0]]))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_special_values(case: Case, level: str) -> None:
    _engine.set_isa(level)
    for dtype in FLOATS:
        x, y = tensor_of(np.array((*SPECIAL, 80.0, -80.0, -95.0, -110.0)), dtype)
        with np.errstate(all="ignore"):
            expected = np.asarray(case.value(y))
        if case.name == "leaky_relu":
            continue
        assert_within(numpy_of(case.f(x)), expected, bound_of(case, y, expected, dtype), dtype)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_slopes_far_out_are_finite(case: Case, level: str) -> None:
    _engine.set_isa(level)
    for dtype in FLOATS:
        x = pe.asarray([-math.inf, -1e4, -2e3, 2e3, 1e4, math.inf], dtype=dtype, requires_grad=True)
        case.f(x).backward(pe.ones(x.shape, dtype=dtype))
        assert x.grad is not None
        below, above = {"sigmoid": (0, 0), "tanh": (0, 0), "leaky_relu": (0.01, 1)}.get(case.name, (0, 1))
        expected = numpy_of(pe.asarray([below] * 3 + [above] * 3, dtype=dtype))
        np.testing.assert_array_equal(numpy_of(x.grad), expected)


def test_relu_of_integers() -> None:
    assert pe.relu(pe.asarray([-3, 0, 3], dtype=pe.int8)).tolist() == [0, 0, 3]
    assert pe.relu(pe.asarray([3], dtype=pe.uint16)).dtype is pe.uint16
    with pytest.raises(TypeError, match="relu: dtype not supported: bool; must be an integer or a float"):
        pe.relu(pe.asarray([True]))


@pytest.mark.parametrize("level", LEVELS)
def test_relu_of_minus_zero_is_zero(level: str) -> None:
    _engine.set_isa(level)
    for dtype in FLOATS:
        assert not np.signbit(numpy_of(pe.relu(pe.asarray([-0.0] * 9, dtype=dtype)))).any()


def test_integers_count_as_float32() -> None:
    x = pe.asarray([-1, 2])
    for f in (pe.sigmoid, pe.tanh, pe.silu, pe.gelu, pe.softplus, pe.elu, pe.leaky_relu):
        assert f(x).dtype is pe.float32


def test_gelu_names_its_approximations() -> None:
    with pytest.raises(ValueError, match="gelu: no such approximation: 'erf'; must be 'none' or 'tanh'"):
        pe.gelu(pe.ones((2,)), approximate="erf")
