"""Activations: the ops, and those that PyTorch gives other settings."""

from __future__ import annotations

from pyengine import ops
from pyengine.ops import elu, gelu, leaky_relu, relu, sigmoid, silu, tanh
from pyengine.tensor import Tensor

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "prelu",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """exp(x_i) / Σ_j exp(x_j) along ``dim``: :func:`pyengine.softmax`."""
    return ops.softmax(input, axis=dim)


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """x_i - log Σ_j exp(x_j) along ``dim``: :func:`pyengine.log_softmax`."""
    return ops.log_softmax(input, axis=dim)


def softplus(input: Tensor, beta: float = 1.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, exact for every x: there is no threshold beyond which x itself is taken."""
    return ops.softplus(input) if beta == 1 else ops.softplus(beta * input) / beta


def logsigmoid(input: Tensor) -> Tensor:
    """log σ(x) = -softplus(-x)."""
    return -ops.softplus(-input)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, weight x elsewhere; ``weight`` (1,), or (channels,) for axis 1 of x. Source: He et al. 2015, equation 1."""
    slopes = weight if weight.size == 1 or input.ndim < 2 else ops.reshape(weight, (-1,) + (1,) * (input.ndim - 2))
    return ops.where(input > 0, input, slopes * input)
