"""Memory shared with others: NumPy, the buffer protocol, DLPack, pickling."""

from pyengine.interop.dlpack import dlpack_device, from_dlpack, to_dlpack
from pyengine.interop.numpy import from_any, to_array, to_numpy
from pyengine.interop.pickling import deepcopy_tensor, reduce_tensor

__all__ = ["deepcopy_tensor", "dlpack_device", "from_any", "from_dlpack", "reduce_tensor", "to_array", "to_dlpack", "to_numpy"]
