"""Making tensors: from data of others, and filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyengine import _engine, dtypes, interop
from pyengine.dtypes import as_dtype
from pyengine.tensor import Tensor, as_tensor


def asarray(
    obj: Any, /, *, dtype: Any = None, device: str | None = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """A Tensor from nested sequences, scalars, NumPy arrays, buffers and DLPack exporters.

    Memory is shared where the dtype stays (NumPy, buffers, DLPack), unless ``copy=True``; ``copy=False`` raises ValueError where a copy
    would be needed. Python floats become float32, ints int64; arrays keep their dtype.
    """
    check_device("asarray", device)
    wanted = None if dtype is None else as_dtype(dtype)
    result = interop.from_any(obj, wanted, copy)
    return result.requires_grad_() if requires_grad else result


def check_device(op: str, device: Any) -> None:
    if device is not None and str(device) != "cpu":
        raise ValueError(f"{op}: device not available: {device!r}; this build has 'cpu'")


def _size_tuple(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(int(size) for size in shape)


def empty(shape: int | Sequence[int], *, dtype: Any = None, device: str | None = None) -> Tensor:
    """Uninitialised elements; float32 by default."""
    check_device("empty", device)
    return Tensor(_engine.empty(_size_tuple(shape), dtypes.float32 if dtype is None else as_dtype(dtype)))


def full(
    shape: int | Sequence[int], fill_value: Any, *, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Every element ``fill_value``; its dtype by default (Python floats: float32)."""
    check_device("full", device)
    value = as_tensor(fill_value)
    result = Tensor(_engine.empty(_size_tuple(shape), value.dtype if dtype is None else as_dtype(dtype)))
    _engine.assign(result._array, value._array)
    return result.requires_grad_() if requires_grad else result


def zeros(shape: int | Sequence[int], dtype: Any = None, *, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Every element 0; float32 by default."""
    return full(shape, 0, dtype=dtypes.float32 if dtype is None else dtype, device=device, requires_grad=requires_grad)


def ones(shape: int | Sequence[int], dtype: Any = None, *, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Every element 1; float32 by default."""
    return full(shape, 1, dtype=dtypes.float32 if dtype is None else dtype, device=device, requires_grad=requires_grad)


def empty_like(x: Tensor, /, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """Uninitialised, of x's shape and dtype."""
    return empty(x.shape, dtype=x.dtype if dtype is None else dtype, device=device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """``fill_value`` in x's shape and dtype."""
    return full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """0 in x's shape and dtype."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """1 in x's shape and dtype."""
    return full_like(x, 1, dtype=dtype, device=device)
