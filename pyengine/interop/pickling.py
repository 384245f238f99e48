"""Pickling and copying: the elements, the dtype, the device, and whether a leaf asks for a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyengine import _engine
from pyengine import tensor as _tensor
from pyengine.device import as_device
from pyengine.dtypes import DType

if TYPE_CHECKING:
    from pyengine.tensor import Tensor


def _require_leaf(what: str, x: Tensor) -> None:
    if x._node is not None:
        raise RuntimeError(f"{what}: not a leaf: computed by '{x._node.op}' and on the tape; use .detach() first")


def reduce_tensor(x: Tensor) -> tuple[Any, ...]:
    _require_leaf("pickle", x)
    bits = x.dtype.numpy or np.dtype(np.uint16)  # bfloat16
    array = _engine.to_device(x._array, "cpu")
    elements = np.ascontiguousarray(_engine.to_numpy(array, bits)).reshape(x.shape)  # NumPy's own pickling, out of band in protocol 5
    return _rebuild, (type(x), elements, x.dtype, x._requires_grad, x.device)


def _rebuild(cls: type, elements: np.ndarray[Any, Any], dtype: DType, requires_grad: bool, device: str = "cpu") -> Tensor:
    """ValueError where the device that the tensor was on is missing."""
    own = elements if elements.flags.writeable else elements.copy()  # out of band, the buffer may be somebody's bytes
    result: Tensor = cls(_engine.to_device(_engine.from_numpy(own, dtype), as_device("unpickle", device)))
    result._requires_grad = requires_grad
    return result


def deepcopy_tensor(x: Tensor, memo: dict[int, Any]) -> Tensor:
    _require_leaf("deepcopy", x)
    result = type(x)(_tensor.ops.copy(x.detach())._array)
    result._requires_grad = x._requires_grad
    result.grad = None if x.grad is None else deepcopy_tensor(x.grad.detach(), memo)
    memo[id(x)] = result
    return result
