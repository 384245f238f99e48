"""The gradient check itself: right gradients pass, wrong ones do not."""

from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import _engine
from pyengine.autograd import record
from tests.gradients import check_gradients

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.5]])


def square(x: pe.Tensor, slope: float, curvature: float) -> Any:
    """x^2 with gradient slope x g, and that with gradient curvature."""

    def vjp(g: pe.Tensor, x: pe.Tensor) -> Any:
        return record("times", (slope * g * x)._array, (g, x), (lambda h, g, x: slope * h * x, lambda h, g, x: curvature * h * g), (g, x))

    return record("square", _engine.multiply(x._array, x._array), (x,), (vjp,), (x,))


def test_right_gradients_pass() -> None:
    check_gradients(lambda x: square(x, 2.0, 2.0), X)
    check_gradients(lambda x, y: x * y + x, X, 1e6 * X, order=3)
    check_gradients(lambda x: pe.ones((2,), dtype=pe.float64), X)


@pytest.mark.parametrize(("slope", "curvature", "order"), [(2.0001, 2.0001, 1), (2.0, 2.0001, 2)])
def test_wrong_gradients_fail(slope: float, curvature: float, order: int) -> None:
    with pytest.raises(AssertionError, match=f"order {order}: derivative"):
        check_gradients(lambda x: square(x, slope, curvature), X)


def test_a_missing_gradient_fails() -> None:
    with pytest.raises(AssertionError, match="order 1: derivative"):
        check_gradients(lambda x: x * x.detach(), X)
