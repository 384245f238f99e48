"""einops' layers as modules: ``Rearrange``, ``Reduce``, ``EinMix``. Patterns as in https://einops.rocks."""

from __future__ import annotations

from typing import Any

from einops.layers import RearrangeMixin, ReduceMixin
from einops.layers._einmix import _EinmixMixin

from pyengine import ops
from pyengine.creation import empty
from pyengine.nn import init
from pyengine.nn.module import Module
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor

__all__ = ["EinMix", "Rearrange", "Reduce"]


class Rearrange(RearrangeMixin, Module):
    """``einops.rearrange`` as a layer: ``Rearrange("b c h w -> b (c h w)")``."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self._apply_recipe(x)
        return result


class Reduce(ReduceMixin, Module):
    """``einops.reduce`` as a layer: ``Reduce("b c (h h2) (w w2) -> b c h w", "max", h2=2, w2=2)``."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self._apply_recipe(x)
        return result


class EinMix(_EinmixMixin, Module):
    """``y = einsum(x, weight) + bias``, with axes packed and unpacked as the pattern says:
    ``EinMix("t b c -> t b c2", weight_shape="c c2", bias_shape="c2", c=10, c2=20)``.

    The weight is drawn from U(-k, k) with k = √(3 / n), the bias with k = √(1 / n), n the number of inputs of one output.
    """

    weight: Parameter
    bias: Parameter | None
    pre_rearrange: Rearrange | None
    post_rearrange: Rearrange | None
    einsum_pattern: str

    def _create_parameters(self, weight_shape: list[int], weight_bound: float, bias_shape: list[int] | None, bias_bound: float) -> None:
        self.weight = Parameter(init.uniform_(empty(weight_shape), -weight_bound, weight_bound))
        self.bias = None if bias_shape is None else Parameter(init.uniform_(empty(bias_shape), -bias_bound, bias_bound))

    def _create_rearrange_layers(
        self, before: str | None, before_lengths: dict[str, Any] | None, after: str | None, after_lengths: dict[str, Any] | None
    ) -> None:
        self.pre_rearrange = None if before is None else Rearrange(before, **(before_lengths or {}))
        self.post_rearrange = None if after is None else Rearrange(after, **(after_lengths or {}))

    def forward(self, x: Tensor) -> Tensor:
        if self.pre_rearrange is not None:
            x = self.pre_rearrange(x)
        y = ops.einsum(self.einsum_pattern, x, self.weight)
        if self.bias is not None:
            y = ops.add(y, self.bias)
        if self.post_rearrange is not None:
            y = self.post_rearrange(y)
        return y
