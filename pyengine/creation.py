"""Making tensors: from data of others, and filled."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from pyengine import _engine, dtypes, interop, ops
from pyengine.device import as_device, get_default_device
from pyengine.dtypes import as_dtype, get_default_dtype
from pyengine.tensor import Tensor, as_tensor, integers

__all__ = [
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]

from_dlpack = interop.from_dlpack


def asarray(obj: Any, /, *, dtype: Any = None, device: str | None = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """A Tensor from nested sequences, scalars, NumPy arrays, buffers and DLPack exporters.

    Memory is shared where the dtype stays (NumPy, buffers, DLPack), unless ``copy=True``; ``copy=False`` raises ValueError where a copy
    would be needed. Python floats become the default dtype, float32, ints int64; arrays keep their dtype.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if device is not None:
        device = as_device("asarray", device)
    elif not isinstance(obj, Tensor):
        device = get_default_device()
    result = interop.from_any(obj, wanted, copy)
    if device is not None and device != result.device:
        if copy is False:
            raise ValueError(f"asarray: a copy is needed: from {result.device} to {device}; copy=False forbids it")
        result = ops.to(result, device)
    return result.requires_grad_() if requires_grad else result


def destination(args: Sequence[Any], dtype: Any, device: Any) -> tuple[Any, Any]:
    """What dtype and device the positional arguments of ``to`` name, in any order, beside its keywords."""
    devices = ("cpu", "cuda", "simulator")
    for arg in args:
        if isinstance(arg, str) and arg.partition(":")[0] in devices:
            device = arg
            continue
        try:
            dtype = as_dtype(arg)
        except TypeError as error:
            raise TypeError(f"to: neither a dtype nor a device: {arg!r}; devices are {', '.join(map(repr, devices))}; {error}") from None
    return dtype, device


def empty(shape: int | Sequence[int], *, dtype: Any = None, device: str | None = None) -> Tensor:
    """Uninitialised elements; float32 by default."""
    where = as_device("empty", device)
    return Tensor(_engine.empty(integers("empty", "shape", shape), get_default_dtype() if dtype is None else as_dtype(dtype), where))


def full(
    shape: int | Sequence[int], fill_value: Any, *, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Every element ``fill_value``; its dtype by default (Python floats: float32)."""
    where = as_device("full", device)
    value = asarray(fill_value, dtype=dtype, device=where)
    result = Tensor(_engine.empty(integers("full", "shape", shape), value.dtype, where))
    _engine.assign(result._array, value._array)
    return result.requires_grad_() if requires_grad else result


def zeros(shape: int | Sequence[int], dtype: Any = None, *, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Every element 0; float32 by default."""
    return full(shape, 0, dtype=get_default_dtype() if dtype is None else dtype, device=device, requires_grad=requires_grad)


def ones(shape: int | Sequence[int], dtype: Any = None, *, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Every element 1; float32 by default."""
    return full(shape, 1, dtype=get_default_dtype() if dtype is None else dtype, device=device, requires_grad=requires_grad)


def empty_like(x: Tensor, /, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """Uninitialised, of x's shape and dtype."""
    return empty(x.shape, dtype=x.dtype if dtype is None else dtype, device=x.device if device is None else device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """``fill_value`` in x's shape and dtype."""
    return full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=x.device if device is None else device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """0 in x's shape and dtype."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """1 in x's shape and dtype."""
    return full_like(x, 1, dtype=dtype, device=device)


def arange(start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """start, start + step, ... up to but without stop; ``arange(n)`` counts from 0. Integers give int64, floats float32."""
    if step == 0:
        raise ValueError("arange: step is 0; must be another number")
    if stop is None:
        start, stop = 0, start
    integral = all(isinstance(value, Integral) for value in (start, stop, step))
    target = as_dtype(dtype) if dtype is not None else dtypes.int64 if integral else get_default_dtype()
    counted = np.arange(start, stop, step, dtype=np.int64 if integral else np.float64)
    return ops.astype(asarray(counted, device=device), target, copy=False)


def linspace(start: float, stop: float, /, num: int, *, dtype: Any = None, device: str | None = None, endpoint: bool = True) -> Tensor:
    """``num`` evenly spaced values from start to stop, stop included unless ``endpoint=False``; float32 by default."""
    if num < 0:
        raise ValueError(f"linspace: negative count: {num}; must be at least 0")
    target = get_default_dtype() if dtype is None else as_dtype(dtype)
    return ops.astype(asarray(np.linspace(start, stop, num, endpoint=endpoint), device=device), target, copy=False)


def logspace(start: float, stop: float, /, num: int, *, base: float = 10.0, dtype: Any = None, device: str | None = None) -> Tensor:
    """``base`` to the powers of :func:`linspace`: evenly spaced on a logarithmic scale."""
    exponents = linspace(start, stop, num, dtype=dtypes.float64, device=device)
    return ops.astype(ops.pow(base, exponents), get_default_dtype() if dtype is None else dtype, copy=False)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: str | None = None) -> Tensor:
    """Ones on diagonal k (above the main one for k > 0), zeros elsewhere; float32 by default."""
    target = get_default_dtype() if dtype is None else as_dtype(dtype)
    return ops.astype(asarray(np.eye(n_rows, n_cols, k=k, dtype=np.bool_), device=device), target, copy=False)


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinate matrices of coordinate vectors: 'xy' (Cartesian: the first two axes exchanged) or 'ij' (matrix)."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: no such indexing: {indexing!r}; must be 'xy' or 'ij'")
    tensors = [as_tensor(a) for a in arrays]
    rank = len(tensors)
    shaped = [ops.reshape(t, (1,) * i + (-1,) + (1,) * (rank - 1 - i)) for i, t in enumerate(tensors)]
    grids = ops.broadcast_arrays(*shaped)
    return tuple(ops.swapaxes(grid, 0, 1) for grid in grids) if indexing == "xy" and rank > 1 else grids
