"""Initialisers: distributions by their moments and quantiles, exact structures, errors."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import nn
from pyengine.nn import init

N = 200_000
# The Kolmogorov-Smirnov statistic of a right sample exceeds this with probability 2 exp(-2 x²), x = 3.5: 5e-11.
KS = 3.5 / math.sqrt(N)

Values = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(autouse=True)
def seeded() -> None:
    pe.manual_seed(1)


def distance(x: pe.Tensor, cdf: Any) -> float:
    """Kolmogorov-Smirnov: the largest gap between the sample's distribution function and ``cdf``."""
    values = np.sort(x.detach().numpy().astype(np.float64).reshape(-1))
    expected = cdf(values)
    ranks = np.arange(values.size + 1) / values.size
    return float(max(np.abs(expected - ranks[1:]).max(), np.abs(expected - ranks[:-1]).max()))


def uniform_cdf(low: float, high: float) -> Any:
    return lambda x: np.clip((x - low) / (high - low), 0, 1)


def normal_cdf(mean: float, std: float) -> Any:
    distribution = NormalDist(mean, std)
    return np.vectorize(distribution.cdf)


def test_uniform_and_normal() -> None:
    x = pe.zeros((N,))
    assert init.uniform_(x, -2.0, 3.0) is x
    assert distance(x, uniform_cdf(-2, 3)) < KS
    assert distance(init.normal_(x, 1.0, 2.0), normal_cdf(1, 2)) < KS


def test_filling() -> None:
    x = nn.Parameter(pe.zeros((2, 3)))
    assert init.constant_(x, 2.5) is x
    assert x.requires_grad
    assert x.is_leaf
    np.testing.assert_array_equal(x.detach().numpy(), np.full((2, 3), 2.5))
    np.testing.assert_array_equal(init.ones_(x).detach().numpy(), np.ones((2, 3)))
    np.testing.assert_array_equal(init.zeros_(x).detach().numpy(), np.zeros((2, 3)))
    np.testing.assert_array_equal(init.eye_(x).detach().numpy(), np.eye(2, 3))


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (0.0, 0.02, -2.0, 2.0), (0.0, 1.0, 1.5, 2.0), (-5.0, 1.0, 0.0, 1.0)]
)
def test_trunc_normal(mean: float, std: float, a: float, b: float) -> None:
    x = init.trunc_normal_(pe.zeros((N,), "float64"), mean, std, a, b)
    assert pe.min(x).item() >= a
    assert pe.max(x).item() <= b
    whole = NormalDist(mean, std)
    low, mass = whole.cdf(a), whole.cdf(b) - whole.cdf(a)
    assert distance(x, lambda v: (np.vectorize(whole.cdf)(v) - low) / mass) < KS


@pytest.mark.parametrize(
    ("fill", "cdf"),
    [
        (lambda w: init.xavier_uniform_(w, gain=2.0), uniform_cdf(-2 * math.sqrt(6 / 1500), 2 * math.sqrt(6 / 1500))),
        (lambda w: init.xavier_normal_(w), normal_cdf(0, math.sqrt(2 / 1500))),
        (lambda w: init.kaiming_uniform_(w, a=math.sqrt(5)), uniform_cdf(-1 / math.sqrt(500), 1 / math.sqrt(500))),
        (lambda w: init.kaiming_uniform_(w, nonlinearity="relu"), uniform_cdf(-math.sqrt(6 / 500), math.sqrt(6 / 500))),
        (lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"), normal_cdf(0, 5 / 3 / math.sqrt(1000))),
    ],
)
def test_scaled_by_fans(fill: Any, cdf: Any) -> None:
    weight = pe.zeros((40, 20, 5, 5))  # fan_in 500, fan_out 1000
    assert distance(fill(weight), cdf) < 3.5 / math.sqrt(weight.size)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    q = init.orthogonal_(pe.zeros(shape, "float64"), gain=2.0).numpy().reshape(shape[0], -1) / 2
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=100 * np.finfo(np.float64).eps)


def test_dirac_copies_channels() -> None:
    weight = init.dirac_(pe.zeros((4, 2, 3)), groups=2).numpy()
    expected = np.zeros((4, 2, 3))
    expected[[0, 1, 2, 3], [0, 1, 0, 1], 1] = 1
    np.testing.assert_array_equal(weight, expected)


def test_16_bit_floats_are_rounded_draws() -> None:
    pe.manual_seed(3)
    wide = init.normal_(pe.zeros((100,)))
    pe.manual_seed(3)
    narrow = init.normal_(pe.zeros((100,), "bfloat16"))
    np.testing.assert_array_equal(narrow.astype("float32").numpy(), wide.astype("bfloat16").astype("float32").numpy())


def test_seeds_repeat() -> None:
    def weights() -> bytes:
        pe.manual_seed(5)
        return nn.Linear(30, 40).weight.detach().numpy().tobytes()

    assert weights() == weights()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.xavier_uniform_(pe.zeros((3,))), r"xavier_uniform_: fans are not defined: shape \(3,\); must have rank 2 or more"),
        (lambda: init.kaiming_normal_(pe.zeros((3, 3)), mode="x"), "kaiming_normal_: unknown mode: 'x'"),
        (lambda: init.kaiming_normal_(pe.zeros((3, 3)), nonlinearity="x"), "calculate_gain: unknown nonlinearity: 'x'"),
        (lambda: init.trunc_normal_(pe.zeros((3,)), a=1.0, b=1.0), "trunc_normal_: empty distribution: a 1.0, b 1.0, std 1.0"),
        (lambda: init.orthogonal_(pe.zeros((3,))), r"orthogonal_: not a matrix: shape \(3,\)"),
        (lambda: init.eye_(pe.zeros((3,))), r"eye_: not a matrix: shape \(3,\)"),
        (lambda: init.dirac_(pe.zeros((3, 3))), r"dirac_: not a convolution's weight: shape \(3, 3\), groups 1"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_gains() -> None:
    gains = [init.calculate_gain(name) for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu")]
    assert gains == [1.0, 1.0, 1.0, 5 / 3, math.sqrt(2), 0.75]
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
