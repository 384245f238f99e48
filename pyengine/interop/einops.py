"""einops on Tensors: ``einops.rearrange(x, "b c h w -> b (h w) c")``, with gradients. In force once pyengine and einops are imported.

The layers are in :mod:`pyengine.interop.einops_layers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from einops._backends import AbstractBackend

from pyengine import creation, dtypes, ops
from pyengine.tensor import Tensor


class PyengineBackend(AbstractBackend):
    """What einops asks of a framework; einops finds it among the subclasses of its AbstractBackend."""

    framework_name = "pyengine"

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: np.ndarray[Any, Any]) -> Tensor:
        """A leaf; as in the PyTorch backend, one that asks for a gradient where the dtype has any."""
        tensor = creation.asarray(x)
        return tensor.requires_grad_(dtypes.is_floating(tensor.dtype))

    def to_numpy(self, x: Tensor) -> np.ndarray[Any, Any]:
        return x.detach().numpy()

    def arange(self, start: int, stop: int) -> Tensor:
        return creation.arange(start, stop)

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return ops.reshape(x, shape)

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return ops.permute_dims(x, axes)

    def reduce(self, x: Tensor, operation: str, axes: Sequence[int]) -> Tensor:
        """``operation`` is one of sum, mean, prod, min, max, any, all."""
        result: Tensor = getattr(ops, operation)(x, axis=tuple(axes))
        return result

    def stack_on_zeroth_dimension(self, tensors: Sequence[Tensor]) -> Tensor:
        return ops.stack(tensors)

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        return ops.expand_dims(x, new_position)

    def tile(self, x: Tensor, repeats: Sequence[int]) -> Tensor:
        return ops.tile(x, repeats)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        return ops.concat(tensors, axis=axis)

    def is_float_type(self, x: Tensor) -> bool:
        return dtypes.is_floating(x.dtype)

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        return ops.einsum(pattern, *x)

    def layers(self) -> ModuleType:
        from pyengine.interop import einops_layers

        return einops_layers
