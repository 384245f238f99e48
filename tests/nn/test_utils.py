"""Clipping of gradients, and parameters as one vector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.nn import utils

Values = np.ndarray[Any, np.dtype[np.float64]]

rng = np.random.default_rng(0)


def with_gradients(*gradients: Values | None, dtype: str = "float64") -> list[pe.Tensor]:
    parameters = []
    for gradient in gradients:
        parameters.append(pe.zeros(() if gradient is None else gradient.shape, dtype, requires_grad=True))
        parameters[-1].grad = None if gradient is None else pe.asarray(gradient).astype(dtype)
    return parameters


def flat(parameters: list[pe.Tensor]) -> Values:
    return np.concatenate([p.grad.astype("float64").numpy().reshape(-1) for p in parameters if p.grad is not None])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, math.inf])
def test_clip_grad_norm(p: float) -> None:
    gradients = [rng.standard_normal((3, 4)), None, rng.standard_normal(5), np.zeros((0, 2))]
    parameters = with_gradients(*gradients)
    before = flat(parameters)
    norm = float(np.linalg.norm(before, p))
    assert utils.get_total_norm([q.grad for q in parameters if q.grad is not None], p).item() == pytest.approx(norm, rel=1e-13)
    assert utils.clip_grad_norm_(parameters, 2 * norm, p).item() == pytest.approx(norm, rel=1e-13)
    np.testing.assert_array_equal(flat(parameters), before)
    assert utils.clip_grad_norm_(parameters, 0.5 * norm, p).item() == pytest.approx(norm, rel=1e-13)
    np.testing.assert_allclose(flat(parameters), before * (0.5 * norm / (norm + 1e-6)), rtol=1e-13)


def test_norms_of_16_bit_gradients_do_not_overflow() -> None:
    parameters = with_gradients(np.full(100, 1000.0), dtype="float16")
    assert utils.clip_grad_norm_(parameters, 1.0).item() == pytest.approx(1e4)
    assert parameters[0].grad is not None
    assert parameters[0].grad.dtype is pe.float16
    assert flat(parameters)[0] == pytest.approx(0.1, rel=2**-10)


def test_nothing_to_clip() -> None:
    assert utils.clip_grad_norm_([], 1.0).item() == 0.0
    assert utils.clip_grad_norm_(with_gradients(None), 1.0).item() == 0.0


def test_a_norm_that_is_not_finite() -> None:
    parameters = with_gradients(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="get_total_norm: norm is not finite: nan; pass error_if_nonfinite=False"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(flat(parameters), [1.0, np.nan])
    utils.clip_grad_norm_(parameters, 1.0)
    assert np.isnan(flat(parameters)).all()


def test_clip_grad_value() -> None:
    parameters = with_gradients(np.array([-3.0, 0.5, 3.0]))
    utils.clip_grad_value_(parameters[0], 1.0)
    np.testing.assert_array_equal(flat(parameters), [-1.0, 0.5, 1.0])


def test_vector_and_back() -> None:
    parameters = [pe.asarray(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 3), (), (4,))]
    before = [p.detach().numpy().copy() for p in parameters]
    vector = utils.parameters_to_vector(parameters)
    assert vector.shape == (11,)
    pe.sum(vector * 2).backward()
    assert parameters[0].grad is not None
    np.testing.assert_array_equal(parameters[0].grad.numpy(), np.full((2, 3), 2.0))
    utils.vector_to_parameters(vector * 2, parameters)
    for parameter, value in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(parameter.detach().numpy(), 2 * value)
        assert parameter.is_leaf
    with pytest.raises(ValueError, match=r"vector_to_parameters: sizes differ: vector \(10,\), parameters 11 elements"):
        utils.vector_to_parameters(vector[1:], parameters)
