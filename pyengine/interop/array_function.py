"""NumPy's functions on Tensors (NEP 18): those below give Tensors, with gradients; all others see Tensors as NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pyengine import tensor as _tensor

_reductions = "all amax amin any argmax argmin max mean min prod std sum var"
_with_nan = "nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar cumprod cumsum median"
_rearranging = "concatenate stack where tensordot einsum expand_dims squeeze broadcast_to moveaxis flip transpose"
_ours = {name: {"amax": "max", "amin": "min"}.get(name, name) for name in f"{_reductions} {_with_nan} {_rearranging}".split()}
_options = {"axes", "axis", "ddof", "dtype", "keepdims", "optimize"}


def array_function(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """NumPy's ``__array_function__`` protocol."""
    name = _ours.get(func.__name__) if func.__module__ == "numpy" else None
    options = {key: value for key, value in kwargs.items() if value is not np._NoValue and not (key == "out" and value is None)}
    if name is None or options.keys() - _options or (name == "where" and len(args) != 3):
        return func(*(_plain(x) for x in args), **{key: _plain(value) for key, value in options.items()})
    if name == "where":  # NumPy's condition may be numbers
        args = (_tensor.ops.astype(args[0], bool, copy=False), *args[1:])
    if name == "einsum":
        options.pop("optimize", None)  # the order of contraction is the op's own
    dtype = options.pop("dtype", None) if name in ("einsum", "max", "mean", "min", "std", "var") else None
    result: _tensor.Tensor = getattr(_tensor.ops, name)(*args, **options)
    return result if dtype is None else _tensor.ops.astype(result, dtype)


def _plain(value: Any) -> Any:
    """NumPy arrays in place of Tensors, in sequences as well."""
    if isinstance(value, _tensor.Tensor):
        return _tensor.interop.to_numpy(value)
    return type(value)(_plain(item) for item in value) if type(value) in (list, tuple) else value
