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

_BITS = {"char": 8, "short": 16, "int": 32, "long": 64, "long long": 64}


def _integer(type_: str) -> str | None:
    """``uint64`` of ``unsigned long long int``, ``std::size_t`` and the like; None for what is no integer."""
    type_ = type_.removeprefix("std::")
    if fixed := re.fullmatch(r"(u?int(?:8|16|32|64))_t", type_):
        return fixed[1]
    if type_ in ("size_t", "ptrdiff_t"):
        return "uint64" if type_ == "size_t" else "int64"
    words = type_.split()
    base = " ".join(word for word in words if word not in ("signed", "unsigned", "int")) or "int"
    return f"{'u' * ('unsigned' in words)}int{_BITS[base]}" if words and base in _BITS else None


def _number_of(type_: str) -> Any:
    """The type of ctypes for a parameter, or None."""
    integer = _integer(type_)
    others = {"bool": ctypes.c_bool, "float": ctypes.c_float, "double": ctypes.c_double}
    return getattr(ctypes, f"c_{integer}") if integer else others.get(type_)


def _element_of(type_: str) -> dtypes.DType | None:
    """The dtype of what a pointer points to, or None."""
    others = {"bool": dtypes.bool_, "float": dtypes.float32, "double": dtypes.float64}
    return getattr(dtypes, _integer(type_) or "", None) or others.get(type_)


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
        if (wanted := _number_of(type_)) is None:
            raise TypeError(f"{kernel}: parameter not understood: {parameter}; pointers, integers, bool, float and double are")
        return _number(kernel, parameter, wanted, value)
    if not isinstance(value, Tensor) or value.device != "simulator":
        where = value.device if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{kernel}: {parameter} is no tensor on the simulator: {where}; make it with device='simulator'")
    element = _element_of(type_[:-1])
    if element is not None and element is not value.dtype:
        raise TypeError(
            f"{kernel}: wrong dtype for {parameter}: {value.dtype.name}; must be {element.name}: convert with astype, or change the kernel"
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
