"""The CUDA array interface, version 3, both ways: https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from pyengine import _engine
from pyengine import tensor as _tensor
from pyengine.dtypes import as_dtype
from pyengine.interop.dlpack import dlpack_device

if TYPE_CHECKING:
    from pyengine.tensor import Tensor


def cuda_array_interface(x: Tensor) -> dict[str, Any]:
    """What ``x.__cuda_array_interface__`` says of memory on a GPU. AttributeError elsewhere, on the tape, and for bfloat16."""
    array, dtype = x._array, x.dtype.numpy
    if not x.device.startswith("cuda"):
        raise AttributeError(f"__cuda_array_interface__: not on a GPU: {x.device}; move it with .to('cuda')")
    if x._requires_grad or dtype is None:
        fault = "on the tape" if x._requires_grad else f"no such type: {x.dtype}"
        raise AttributeError(f"__cuda_array_interface__: {fault}; export x.detach(), and bfloat16 through DLPack")
    strides = None if array.is_contiguous() else tuple(step * dtype.itemsize for step in array.strides)
    return {
        "shape": x.shape,
        "typestr": np.dtype(dtype).str,
        "data": (array.address if x.size else 0, array.readonly),
        "version": 3,
        "strides": strides,
        "stream": _engine.cuda_current_stream(dlpack_device(x)[1]).address or 1,
    }


def from_cuda_array_interface(obj: Any) -> Tensor:
    """A Tensor over the memory of an object that has the interface."""
    described = obj.__cuda_array_interface__
    if described.get("mask") is not None:
        raise TypeError("asarray: masked array of CUDA; unmasked ones are understood")
    numpy_dtype = np.dtype(described["typestr"])
    shape, strides = tuple(described["shape"]), described.get("strides")
    if strides is None:
        strides = tuple(prod(shape[i + 1 :]) * numpy_dtype.itemsize for i in range(len(shape)))
    if any(step % numpy_dtype.itemsize for step in strides):
        raise ValueError(f"asarray: strides are no multiples of the item size: {strides}, {numpy_dtype.itemsize}; copy the array first")
    steps = tuple(step // numpy_dtype.itemsize for step in strides)
    address, readonly = described["data"]
    result = _tensor.Tensor(_engine.cuda_from_address(address, shape, steps, as_dtype(numpy_dtype), obj, bool(readonly)))
    stream = described.get("stream")
    if stream is not None:
        device = dlpack_device(result)[1]
        _engine.cuda_order_streams(0 if stream == 1 else stream, _engine.cuda_current_stream(device).address, device)
    return result
