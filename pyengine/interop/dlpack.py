"""DLPack both ways: https://dmlc.github.io/dlpack/latest/python_spec.html."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyengine import _engine
from pyengine import tensor as _tensor
from pyengine.device import as_device

if TYPE_CHECKING:
    from pyengine.tensor import Tensor

_cpu = (1, 0)
_cuda = 2


def dlpack_device(x: Tensor) -> tuple[int, int]:
    """(1, 0) for the CPU, (2, i) for GPU i. BufferError for a simulator's memory, which nobody else knows."""
    kind, _, index = x.device.partition(":")
    if kind == "simulator":
        raise BufferError(f"__dlpack_device__: not in memory that others know: {x.device}; move it with .to('cpu')")
    return (_cuda, int(index or 0)) if kind == "cuda" else _cpu


def to_dlpack(x: Tensor, stream: Any, max_version: tuple[int, int] | None, dl_device: tuple[int, int] | None, copy: bool | None) -> Any:
    device = dlpack_device(x)
    if device == _cpu and stream is not None:
        raise ValueError(f"__dlpack__: stream on a CPU tensor: {stream!r}; must be None")
    if dl_device is not None and tuple(dl_device) != device:
        if tuple(dl_device) != _cpu or copy is False:
            raise BufferError(f"__dlpack__: device not available: {dl_device}; this tensor is on {device}, and can be copied to {_cpu}")
        return to_dlpack(_tensor.ops.to(x.detach(), "cpu"), None, max_version, None, None)
    if x._requires_grad:
        raise BufferError("__dlpack__: on the tape: a consumer could not follow the gradient; export x.detach()")
    versioned = max_version is not None and max_version[0] >= 1
    array = _tensor.ops.copy(x)._array if copy else x._array
    if device != _cpu:
        _let_wait(stream, device[1])
    if array.readonly and not versioned:
        raise BufferError("__dlpack__: read-only memory: a legacy capsule cannot say so; ask for max_version=(1, 0) or copy=True")
    return _engine.to_dlpack(array, versioned, array.readonly, bool(copy))


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A Tensor over the memory of any object that exports DLPack; ``copy=True`` copies, ``copy=False`` never does."""
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: no __dlpack__: {type(x).__name__}; must export DLPack")
    wanted = None if device is None else as_device("from_dlpack", device)
    result = _tensor.Tensor(_engine.from_dlpack(_capsule(x, copy)))
    return result if wanted is None else _tensor.ops.to(result, wanted)


def _let_wait(stream: Any, device: int) -> None:
    """Makes a consumer's stream wait for ours: None and 1 name the default one, 2 that of a thread, -1 none."""
    if stream == 0 or (stream is not None and not isinstance(stream, int)):
        raise ValueError(f"__dlpack__: ambiguous stream: {stream!r}; must be None, -1, 1, 2, or the address of a stream")
    if stream != -1:
        _engine.cuda_order_streams(_engine.cuda_current_stream(device).address, 0 if stream in (None, 1) else stream, device)


def _capsule(x: Any, copy: bool | None) -> Any:
    """A versioned capsule where the producer makes one, else a legacy one."""
    ours = _our_stream(x)
    try:
        return x.__dlpack__(max_version=(1, 0), **ours, **({} if copy is None else {"copy": copy}))
    except TypeError:
        capsule = x.__dlpack__(**ours)
        return _tensor.ops.copy(_tensor.Tensor(_engine.from_dlpack(capsule))).__dlpack__(**ours) if copy is True else capsule


def _our_stream(x: Any) -> dict[str, Any]:
    """What a producer on a GPU is told: the stream on which its memory will be used."""
    kind, index = x.__dlpack_device__() if hasattr(x, "__dlpack_device__") else _cpu
    return {"stream": _engine.cuda_current_stream(index).address or 1} if kind == _cuda else {}
