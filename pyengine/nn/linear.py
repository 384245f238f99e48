"""Affine maps: Linear, Bilinear, and Identity."""

from __future__ import annotations

import math
from typing import Any

from pyengine.creation import empty
from pyengine.nn import functional as F
from pyengine.nn import init
from pyengine.nn.module import Module
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """f(x) = x. Takes and ignores any arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class Linear(Module):
    """y = x Wᵀ + b: x (…, in_features), W ``weight`` (out_features, in_features), b ``bias`` (out_features).

    Both are drawn from U(-k, k), k = 1 / √in_features.

    >>> import pyengine as pe
    >>> pe.nn.Linear(3, 4)(pe.ones((2, 3))).shape
    (2, 4)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: str | None = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), device=device, dtype=dtype))
        self.bias = Parameter(empty((out_features,), device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init_uniform([self.weight, self.bias], self.in_features)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_k = x₁ᵀ W_k x₂ + b_k: x₁ (…, in1_features), x₂ (…, in2_features), W ``weight`` (out_features, in1_features, in2_features).

    Weight and bias are drawn from U(-k, k), k = 1 / √in1_features.
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty((out_features, in1_features, in2_features), device=device, dtype=dtype))
        self.bias = Parameter(empty((out_features,), device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init_uniform([self.weight, self.bias], self.in1_features)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        features = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{features}, bias={self.bias is not None}"


def init_uniform(parameters: list[Parameter | None], fan_in: int) -> None:
    """U(-k, k) with k = 1 / √fan_in, the default of PyTorch's affine maps and convolutions: kaiming_uniform_ with slope √5."""
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    for parameter in parameters:
        if parameter is not None:
            init.uniform_(parameter, -bound, bound)
