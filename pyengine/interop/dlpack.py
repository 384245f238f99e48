"""DLPack both ways: https://dmlc.github.io/dlpack/latest/python_spec.html."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyengine import _engine
from pyengine import tensor as _tensor

if TYPE_CHECKING:
    from pyengine.tensor import Tensor

_cpu = (1, 0)


def dlpack_device(x: Tensor) -> tuple[int, int]:
    return _cpu


def to_dlpack(x: Tensor, stream: Any, max_version: tuple[int, int] | None, dl_device: tuple[int, int] | None, copy: bool | None) -> Any:
    if stream is not None:
        raise ValueError(f"__dlpack__: stream on a CPU tensor: {stream!r}; must be None")
    if dl_device is not None and tuple(dl_device) != _cpu:
        raise BufferError(f"__dlpack__: device not available: {dl_device}; this tensor is on the CPU, {_cpu}")
    if x._requires_grad:
        raise BufferError("__dlpack__: on the tape: a consumer could not follow the gradient; export x.detach()")
    versioned = max_version is not None and max_version[0] >= 1
    array = _tensor.ops.copy(x)._array if copy else x._array
    if array.readonly and not versioned:
        raise BufferError("__dlpack__: read-only memory: a legacy capsule cannot say so; ask for max_version=(1, 0) or copy=True")
    return _engine.to_dlpack(array, versioned, array.readonly, bool(copy))


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A Tensor over the memory of any object that exports DLPack; ``copy=True`` copies, ``copy=False`` never does."""
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: no __dlpack__: {type(x).__name__}; must export DLPack")
    result = _tensor.Tensor(_engine.from_dlpack(_capsule(x, copy)))
    return result if device is None else _tensor.ops.to(result, device)


def _capsule(x: Any, copy: bool | None) -> Any:
    """A versioned capsule where the producer makes one, else a legacy one."""
    try:
        return x.__dlpack__(max_version=(1, 0), copy=copy) if copy is not None else x.__dlpack__(max_version=(1, 0))
    except TypeError:
        if copy is True:
            return _tensor.ops.copy(_tensor.Tensor(_engine.from_dlpack(x.__dlpack__()))).__dlpack__()
        return x.__dlpack__()
