"""Memory shared with others: NumPy, the buffer protocol, DLPack, pickling."""

from types import ModuleType

from pyengine.interop.array_function import array_function
from pyengine.interop.cuda import cuda_array_interface, from_cuda_array_interface
from pyengine.interop.dlpack import dlpack_device, from_dlpack, to_dlpack
from pyengine.interop.numpy import from_any, from_result, to_array, to_numpy, values_of, view
from pyengine.interop.pickling import deepcopy_tensor, reduce_tensor
from pyengine.interop.ufuncs import array_ufunc

__all__ = [
    "array_function",
    "array_namespace",
    "array_ufunc",
    "cuda_array_interface",
    "deepcopy_tensor",
    "dlpack_device",
    "from_any",
    "from_cuda_array_interface",
    "from_dlpack",
    "from_result",
    "reduce_tensor",
    "to_array",
    "to_dlpack",
    "to_numpy",
    "values_of",
    "view",
]


def array_namespace(api_version: str | None) -> ModuleType:
    """The module whose functions follow the array API standard: pyengine itself."""
    import pyengine

    if api_version not in (None, "2023.12", "2024.12", "2025.12"):
        raise ValueError(f"__array_namespace__: unknown version: {api_version!r}; must be '2023.12', '2024.12' or '2025.12'")
    return pyengine
