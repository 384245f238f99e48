"""What Python hands to a kernel: sizes, numbers, and the memory of tensors."""

from __future__ import annotations

import ctypes
import operator
import re
from contextlib import suppress
from typing import Any

from pyengine import dtypes
from pyengine.tensor import Tensor

Size = int | tuple[int, ...]

# The types that a kernel's parameters may have.
_NUMBERS = {
    "bool": ctypes.c_bool,
    "char": ctypes.c_char,
    "int": ctypes.c_int,
    "unsigned": ctypes.c_uint,
    "unsigned int": ctypes.c_uint,
    "long": ctypes.c_long,
    "long long": ctypes.c_longlong,
    "size_t": ctypes.c_size_t,
    "std::size_t": ctypes.c_size_t,
    "int64_t": ctypes.c_int64,
    "std::int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "std::uint64_t": ctypes.c_uint64,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
}
_ELEMENTS = {
    "bool": dtypes.bool_,
    "char": dtypes.int8,
    "signed char": dtypes.int8,
    "unsigned char": dtypes.uint8,
    "short": dtypes.int16,
    "int": dtypes.int32,
    "int32_t": dtypes.int32,
    "unsigned": dtypes.uint32,
    "unsigned int": dtypes.uint32,
    "uint32_t": dtypes.uint32,
    "long": dtypes.int64,
    "long long": dtypes.int64,
    "int64_t": dtypes.int64,
    "std::int64_t": dtypes.int64,
    "float": dtypes.float32,
    "double": dtypes.float64,
}


def type_of(parameter: str) -> str:
    """``float*`` of ``const float* __restrict__ x``."""
    plain = re.sub(r"\b(const|__restrict__|__grid_constant__|volatile)\b|=.*", " ", parameter)
    plain = re.sub(r"(\w+)\s*\[\s*\]", r"* \1", plain)
    plain = re.sub(r"\w+$", "", plain.strip()).replace("*", " * ")
    return " ".join(plain.split()).replace(" *", "*")


def three(name: str, size: Size) -> tuple[int, int, int]:
    sizes: list[int] = []
    with suppress(TypeError):
        sizes = [operator.index(s) for s in (size if isinstance(size, tuple | list) else (size,))]
    if not 1 <= len(sizes) <= 3 or not all(0 < s < 2**31 for s in sizes):
        shown = type(size).__name__ if isinstance(size, Tensor) else repr(size)
        raise ValueError(f"simulator: wrong {name}: {shown}; must be one to three positive integers, x first")
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z


def argument(kernel: str, parameter: str, value: Any) -> Any:
    type_ = type_of(parameter)
    if not type_.endswith("*"):
        if type_ not in _NUMBERS:
            raise TypeError(f"{kernel}: parameter not understood: {parameter}; pointers and {', '.join(_NUMBERS)} are")
        return _number(kernel, parameter, _NUMBERS[type_], value)
    if not isinstance(value, Tensor) or value.device != "simulator":
        where = value.device if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{kernel}: {parameter} is no tensor on the simulator: {where}; make it with device='simulator'")
    wanted = _ELEMENTS.get(type_[:-1])
    if wanted is not None and wanted is not value.dtype:
        raise TypeError(
            f"{kernel}: wrong dtype for {parameter}: {value.dtype.name}; must be {wanted.name}: convert with astype, or change the kernel"
        )
    if not value._array.is_contiguous():
        raise ValueError(f"{kernel}: {parameter} is not contiguous: shape {value.shape}, strides {value.strides}; copy it first")
    return ctypes.c_void_p(value._array.address)


def _number(kernel: str, parameter: str, type_: Any, value: Any) -> Any:
    """In the parameter's type, which must hold it."""
    try:
        number = type_(value)
    except TypeError:
        raise TypeError(
            f"{kernel}: wrong argument for {parameter}: {type(value).__name__} {value!r}; must be of the parameter's type"
        ) from None
    if isinstance(number.value, int) and not isinstance(number, ctypes.c_bool) and number.value != value:
        raise OverflowError(f"{kernel}: {parameter} cannot hold {value}; {8 * ctypes.sizeof(type_)} bits do not suffice")
    return number
