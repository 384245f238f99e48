"""NumPy arrays in and out, over the same memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyengine import _engine, dtypes
from pyengine import tensor as _tensor
from pyengine.dtypes import DType, as_dtype

if TYPE_CHECKING:
    from pyengine.tensor import Tensor


def to_numpy(x: Tensor) -> np.ndarray[Any, Any]:
    """x's memory as a NumPy array, read-only where x is on the tape; bfloat16, which NumPy lacks, as a float32 copy."""
    array = x._array
    if x.dtype is dtypes.bfloat16:
        array = _engine.astype(array, dtypes.float32)
    assert array.dtype.numpy is not None
    result = _engine.to_numpy(array, array.dtype.numpy)
    if x._requires_grad and result.flags.writeable:
        result.flags.writeable = False
    return result


def values_of(x: Tensor) -> np.ndarray[Any, Any]:
    """x's elements from whatever device they are on: :func:`to_numpy`, of a copy where that is not the CPU."""
    return to_numpy(x if x.device == "cpu" else _tensor.Tensor(_engine.to_device(x._array, "cpu")))


def to_array(x: Tensor, dtype: Any, copy: bool | None) -> np.ndarray[Any, Any]:
    """NumPy's ``__array__`` protocol."""
    result = to_numpy(x)
    converted = x.dtype is dtypes.bfloat16
    target = result.dtype if dtype is None else np.dtype(dtype)
    if copy is False and (converted or target != result.dtype):
        raise ValueError(f"__array__: a copy is needed: {x.dtype} to {target}; copy=False forbids it")
    if target != result.dtype:
        return result.astype(target)
    return result.copy() if copy and not converted else result


def from_result(result: Any, dtype: DType, device: str) -> _engine.Array:
    """What a function of NumPy's returned, a scalar perhaps, as an Array of ``dtype``: on the CPU over the same memory."""
    array = _engine.from_numpy(np.asarray(result, dtype.numpy), dtype)
    return array if device == "cpu" else _engine.to_device(array, device)


def view(x: Tensor, dtype: Any) -> Tensor:
    """x's memory read as another dtype, the last axis shorter or longer by the ratio of the item sizes; x itself for its own dtype.

    ValueError where the last axis is not contiguous or does not divide, TypeError on the tape and for bfloat16, which NumPy lacks.
    """
    target = as_dtype(dtype)
    if target is x.dtype:
        return x
    if x._requires_grad or x.dtype.numpy is None or target.numpy is None:
        fault = f"on the tape: {x.dtype}" if x._requires_grad else f"no such dtype in NumPy: {x.dtype} to {target}"
        raise TypeError(f"view: {fault}; detached memory of NumPy's dtypes can be read as another")
    try:
        return _tensor.Tensor(_engine.from_numpy(to_numpy(x).view(target.numpy), target))
    except ValueError as error:
        raise ValueError(f"view: memory does not fit: {x.dtype}, shape {x.shape}, strides {x.strides}, to {target}; {error}") from None


def from_any(obj: Any, dtype: DType | None, copy: bool | None) -> Tensor:
    """A Tensor over obj's memory where it has any, else of its elements."""
    if isinstance(obj, _tensor.Tensor):
        return _finish(obj, dtype, copy, shared=True)
    if isinstance(obj, np.ndarray | np.generic):
        return _from_numpy(np.asarray(obj), dtype, copy, shared=isinstance(obj, np.ndarray))
    if isinstance(obj, bool | int | float | complex) and copy is not False:
        return _from_scalar(obj, dtype)
    if hasattr(obj, "__dlpack__") and hasattr(obj, "__dlpack_device__"):
        return _finish(_tensor.interop.from_dlpack(obj), dtype, copy, shared=True)
    if hasattr(obj, "__cuda_array_interface__"):
        return _finish(_tensor.interop.from_cuda_array_interface(obj), dtype, copy, shared=True)
    return _from_numpy(_gather(obj, dtype), dtype, copy, shared=_has_memory(obj))


def _from_scalar(value: complex, dtype: DType | None) -> Tensor:
    if dtype is None:
        dtype = dtypes.as_dtype(type(value)) if type(value) in (bool, int, float, complex) else dtypes.get_default_dtype()
    if dtype.kind in "iu" and isinstance(value, int):
        info = dtypes.iinfo(dtype)
        if not info.min <= value <= info.max:
            raise OverflowError(f"asarray: out of range: {value} for {dtype}; must be in [{info.min}, {info.max}]")
    if isinstance(value, complex):
        if dtype.kind != "c":
            raise TypeError(f"asarray: complex to real: {value} to {dtype}; take the real part, the imaginary part or the magnitude")
        return _tensor.Tensor(_engine.scalar(value, dtype, "cpu"))
    return _tensor.Tensor(_engine.scalar(int(value) if dtype.kind in "iu" else value, dtype, "cpu"))


def _has_memory(obj: Any) -> bool:
    return isinstance(obj, memoryview) or hasattr(obj, "__array_interface__") or hasattr(obj, "__array__")


def _gather(obj: Any, dtype: DType | None) -> np.ndarray[Any, Any]:
    """NumPy's reading of nested sequences and buffers; where no dtype is asked for, Python floats become the default."""
    try:
        array = np.asarray(_leaves_to_numpy(obj))
    except ValueError as error:
        raise ValueError(f"asarray: not an array: {error}; the sequences on one level must have one length") from None
    if dtype is not None or not isinstance(obj, list | tuple):
        return array
    if array.size == 0:
        return array.astype(dtypes.get_default_dtype().numpy)
    default = {"f": dtypes.get_default_dtype(), "c": dtypes.default_complex()}.get(array.dtype.kind)
    return array if default is None or _holds_arrays(obj) else array.astype(default.numpy)


def _leaves_to_numpy(obj: Any) -> Any:
    if isinstance(obj, _tensor.Tensor):
        return to_numpy(obj)
    if isinstance(obj, list | tuple):
        return [_leaves_to_numpy(item) for item in obj]
    return obj


def _holds_arrays(obj: Any) -> bool:
    if isinstance(obj, list | tuple):
        return bool(obj) and _holds_arrays(obj[0])
    return isinstance(obj, _tensor.Tensor | np.ndarray | np.generic)


def _from_numpy(array: np.ndarray[Any, Any], dtype: DType | None, copy: bool | None, shared: bool) -> Tensor:
    if array.dtype.name == "bfloat16":  # ml_dtypes
        array, own = array.view(np.uint16), dtypes.bfloat16
    else:
        try:
            own = as_dtype(array.dtype)
        except TypeError:
            raise TypeError(
                f"asarray: no such element type: {array.dtype}; must be one of {', '.join(d.name for d in dtypes.all_dtypes)}"
            ) from None
    usable = array.dtype.isnative and array.flags.aligned and all(step % array.itemsize == 0 for step in array.strides)
    if not usable:
        if copy is False:
            raise ValueError("asarray: a copy is needed: byte order or alignment is not native; copy=False forbids it")
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        shared = False
    return _finish(_tensor.Tensor(_engine.from_numpy(array, own)), dtype, copy, shared)


def _finish(x: Tensor, dtype: DType | None, copy: bool | None, shared: bool) -> Tensor:
    """Applies asarray's dtype and copy; ``shared`` says whether x's memory belongs to somebody else."""
    if dtype is not None and dtype is not x.dtype:
        if copy is False:
            raise ValueError(f"asarray: a copy is needed: {x.dtype} to {dtype}; copy=False forbids it")
        return _tensor.ops.astype(x, dtype)
    if copy is False and not shared:
        raise ValueError("asarray: a copy is needed: the object has no memory to share; copy=False forbids it")
    return _tensor.ops.copy(x) if copy and shared else x
