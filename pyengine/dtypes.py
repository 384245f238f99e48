"""Element types: one object each, equal to the NumPy dtype of the same name and hashed like it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyengine import _engine

__all__ = [
    "DType",
    "bfloat16",
    "can_cast",
    "complex64",
    "complex128",
    "finfo",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "isdtype",
    "result_type",
    "set_default_dtype",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


class DType:
    """An element type. ``name``, ``itemsize`` in bytes, ``kind`` ('b', 'i', 'u', 'f', 'c'), and ``numpy``, the NumPy dtype or None."""

    __slots__ = ("itemsize", "kind", "name", "numpy")

    def __init__(self, name: str, kind: str, itemsize: int) -> None:
        self.name = name
        self.kind = kind
        self.itemsize = itemsize
        self.numpy: np.dtype[Any] | None = None if name == "bfloat16" else np.dtype(name)

    def __eq__(self, other: object) -> bool:
        return self is other or (not isinstance(other, DType) and isinstance(other, np.dtype | type) and bool(self.numpy == other))

    def __hash__(self) -> int:
        return hash(self.name if self.numpy is None else self.numpy)

    def __repr__(self) -> str:
        return f"pyengine.{self.name}"

    @property  # type: ignore[misc]  # object's can be written to
    def __class__(self) -> type:
        """``isinstance(x.dtype, np.dtype)``, by which xarray and dask tell arrays they can use, is true where NumPy has the dtype."""
        return DType if self.numpy is None else np.dtype

    @property
    def type(self) -> Any:
        """NumPy's scalar type, as ``np.dtype.type``."""
        return self.__numpy_dtype__.type

    @property
    def __numpy_dtype__(self) -> np.dtype[Any]:
        """What ``np.dtype(self)`` is, and so what NumPy's functions take for ``dtype=`` (NumPy 2.4)."""
        if self.numpy is None:
            raise AttributeError(f"{self!r}: no such dtype in NumPy; use float32")
        return self.numpy

    def __reduce__(self) -> tuple[Any, ...]:
        return (as_dtype, (self.name,))


bool_ = DType("bool", "b", 1)
int8 = DType("int8", "i", 1)
int16 = DType("int16", "i", 2)
int32 = DType("int32", "i", 4)
int64 = DType("int64", "i", 8)
uint8 = DType("uint8", "u", 1)
uint16 = DType("uint16", "u", 2)
uint32 = DType("uint32", "u", 4)
uint64 = DType("uint64", "u", 8)
float16 = DType("float16", "f", 2)
bfloat16 = DType("bfloat16", "f", 2)
float32 = DType("float32", "f", 4)
float64 = DType("float64", "f", 8)
complex64 = DType("complex64", "c", 8)
complex128 = DType("complex128", "c", 16)

_integers = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
all_dtypes = (bool_, *_integers, float16, bfloat16, float32, float64, complex64, complex128)  # in the order of kernels/element_type.h
_engine.set_dtypes(all_dtypes)

_by_name = {dtype.name: dtype for dtype in all_dtypes}
_by_python_type = {bool: bool_, int: int64, float: float32, complex: complex64}


def set_default_dtype(dtype: Any) -> None:
    """Makes float32, as it is at first, or float64 the dtype of what is made without one: from Python floats, by ``zeros``, ``linspace``,
    random numbers, layers, and from integers beside Python floats or in functions of floats (``sqrt``, ``/``). Python complex numbers get
    the complex dtype of the same precision.

    Arrays keep their dtype, also beside others: an integer beside a float32 gives float32. The setting is the process's.
    TypeError for other dtypes.
    """
    chosen = as_dtype(dtype)
    if chosen not in (float32, float64):
        raise TypeError(f"set_default_dtype: not a default: {chosen}; must be float32 or float64")
    _by_python_type[float], _by_python_type[complex] = chosen, complex_of(chosen)
    _engine.set_default_dtype(chosen)


def get_default_dtype() -> DType:
    """The floating dtype of what is made without one; see :func:`set_default_dtype`."""
    return _by_python_type[float]


def default_complex() -> DType:
    return _by_python_type[complex]


def as_dtype(dtype: Any) -> DType:
    """The DType meant by a DType, its name, a NumPy dtype or scalar type, or one of Python's number types. TypeError for anything else."""
    if isinstance(dtype, DType):
        return dtype
    if isinstance(dtype, type) and dtype in _by_python_type:
        return _by_python_type[dtype]
    name = dtype if isinstance(dtype, str) else _numpy_name(dtype)
    if name in _by_name:
        return _by_name[name]
    raise TypeError(f"dtype: not an element type: {dtype!r}; must be one of {', '.join(_by_name)}")


def _numpy_name(dtype: Any) -> str:
    if dtype is None:
        return ""
    try:
        return str(np.dtype(dtype).name)
    except (TypeError, ValueError):
        return ""


def is_floating(dtype: DType) -> bool:
    return dtype.kind == "f"


def is_inexact(dtype: DType) -> bool:
    """Floating or complex: what has gradients."""
    return dtype.kind in "fc"


def real_of(dtype: DType) -> DType:
    """The dtype of the parts of a complex dtype; a real one itself."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


def complex_of(dtype: DType) -> DType:
    """The complex dtype whose parts hold ``dtype``: complex128 for float64 and itself, else complex64."""
    return complex128 if dtype in (float64, complex128) else complex64


_kind_groups = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether ``dtype`` is of ``kind``: a dtype, a group ('bool', 'signed integer', 'unsigned integer', 'integral', 'real floating',
    'complex floating', 'numeric'), or a tuple of them (array API standard)."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str) and kind in _kind_groups:
        return as_dtype(dtype).kind in _kind_groups[kind]
    if isinstance(kind, str):
        raise ValueError(f"isdtype: not a kind: {kind!r}; must be one of {', '.join(_kind_groups)}")
    return as_dtype(dtype) is as_dtype(kind)


def promote(a: DType, b: DType) -> DType:
    """The common type of two: the array API's table within a kind, the type of the higher kind across kinds."""
    return a if a is b else _engine.promote(a, b)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion leads from a dtype (or a tensor's) to another: ``promote(from_, to)`` is ``to``."""
    target = as_dtype(to)
    try:
        return promote(as_dtype(getattr(from_, "dtype", from_)), target) is target
    except TypeError:
        return False


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype an op gives to tensors, dtypes and Python scalars together; scalars are weakly typed, and have their defaults alone."""
    scalars = [value for value in arrays_and_dtypes if isinstance(value, int | float | complex) and not isinstance(value, np.generic)]
    given = [as_dtype(getattr(value, "dtype", value)) for value in arrays_and_dtypes if not any(value is one for one in scalars)]
    if not arrays_and_dtypes:
        raise TypeError("result_type: no arguments; at least one is needed")
    return functools.reduce(weak, (type(value) for value in scalars), functools.reduce(promote, given) if given else bool_)


_weak_kinds = {bool: 0, int: 1, float: 2, complex: 3}
_ranks = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


def weak(dtype: DType, scalar: type) -> DType:
    """What ``dtype`` becomes beside a Python scalar of that type (NEP 50): itself, unless the scalar's kind is higher."""
    kind = next(rank for python_type, rank in _weak_kinds.items() if issubclass(scalar, python_type))
    if kind <= _ranks[dtype.kind]:
        return dtype
    return complex_of(dtype) if kind == 3 and is_floating(dtype) else _by_python_type[(bool, int, float, complex)[kind]]


@dataclass(frozen=True)
class FloatInfo:
    """Limits of a floating type, as Python floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntInfo:
    """Limits of an integer type, as Python ints."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(dtype: Any, /) -> FloatInfo:
    """Limits of a floating dtype, of the parts of a complex one, or of a tensor's dtype."""
    dtype = real_of(as_dtype(getattr(dtype, "dtype", dtype)))
    if not is_floating(dtype):
        raise TypeError(f"finfo: not a floating dtype: {dtype}; use iinfo for integers")
    if dtype is bfloat16:
        largest = (2 - 2**-7) * 2.0**127
        return FloatInfo(16, 2.0**-7, largest, -largest, 2.0**-126, dtype)
    info = np.finfo(dtype.numpy)
    return FloatInfo(info.bits, float(info.eps), float(info.max), float(info.min), float(info.smallest_normal), dtype)


def iinfo(dtype: Any, /) -> IntInfo:
    """Limits of an integer dtype, or of a tensor's dtype."""
    dtype = as_dtype(getattr(dtype, "dtype", dtype))
    if dtype.kind not in "iu":
        raise TypeError(f"iinfo: not an integer dtype: {dtype}; use finfo for floats")
    info = np.iinfo(dtype.numpy)
    return IntInfo(info.bits, int(info.max), int(info.min), dtype)
