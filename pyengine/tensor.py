"""The Tensor: an array of the engine with a place on the tape. Every operator is one line; what it computes is in ``pyengine.ops``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from pyengine import _engine, dtypes, hints
from pyengine.fast import fast

if TYPE_CHECKING:
    from pyengine.autograd import Node

__all__ = ["Tensor"]

Scalar = bool | int | float | complex
Axis = int | tuple[int, ...] | None


class Tensor(_engine.TensorBase):
    """A multi-dimensional array that can carry a gradient. Make one with :func:`pyengine.asarray` and its siblings."""

    __slots__ = ("__weakref__",)

    # Fields of the base class, which also has shape, dtype, ndim, size, and strides (in elements).
    _array: _engine.Array
    _node: Node | None
    _index: int
    _requires_grad: bool
    _version: int
    _hooks: list[tuple[int, Callable[[Tensor], Tensor | None]]] | None
    grad: Tensor | None

    __array_priority__ = 1000.0  # dask asks for it: where arrays meet, ours decide

    # What it is -------------------------------------------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        """Where its memory is: "cpu", "cuda", "cuda:1", "simulator"."""
        return self._array.device

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len: not defined for rank 0: shape (); use .item() for the value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iter: not defined for rank 0: shape (); use .item() for the value")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return printing.format_tensor(self)

    def __str__(self) -> str:
        return str(interop.values_of(self))

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 and spec else str(self)

    # The tape ---------------------------------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self._node is not None and not wanted:
            raise RuntimeError("requires_grad: not a leaf: this tensor was computed; use .detach() to cut it from the tape")
        if wanted and not dtypes.is_inexact(self.dtype):
            raise TypeError(f"requires_grad: not a floating dtype: {self.dtype}; only floats and complex numbers have gradients")
        self._requires_grad = bool(wanted)

    def requires_grad_(self, wanted: bool = True) -> Tensor:
        self.requires_grad = wanted
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the user made it, rather than an op on the tape."""
        return self._node is None

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Adds the gradient of this scalar to ``.grad`` of every leaf it came from; see :func:`pyengine.autograd.backward`."""
        autograd.backward(self, gradient, retain_graph=retain_graph, create_graph=create_graph)

    def detach(self) -> Tensor:
        """The same memory, off the tape."""
        return Tensor(self._array)

    def detach_(self) -> Tensor:
        """Takes this tensor itself off the tape."""
        self._node, self._index, self._requires_grad = None, 0, False
        return self

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Calls ``hook(gradient)`` when the gradient is known; what it returns, unless None, replaces it. Returns the undo."""
        return autograd.register_hook(self, hook)

    # Out of the engine ------------------------------------------------------------------------------------------------------------------

    def item(self) -> Any:
        """The one element, as a Python scalar. ValueError if the size is not 1."""
        return self._array.item()

    def tolist(self) -> Any:
        """Nested lists of Python scalars."""
        return interop.values_of(self).tolist()

    def numpy(self) -> np.ndarray[Any, Any]:
        """A NumPy array over the same memory (read-only where this tensor is on the tape); bfloat16 comes as a float32 copy."""
        return interop.to_numpy(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return interop.to_array(self, dtype, copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return interop.array_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return interop.array_function(func, args, kwargs)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        return interop.to_dlpack(self, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return interop.dlpack_device(self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return interop.cuda_array_interface(self)

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        return interop.array_namespace(api_version)

    def __reduce__(self) -> tuple[Any, ...]:
        return interop.reduce_tensor(self)

    def __copy__(self) -> Tensor:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return interop.deepcopy_tensor(self, memo)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """``x.to(dtype)``, ``x.to(device)``, ``x.to(device, dtype)``: converted, or itself where nothing changes."""
        return ops.to(self, *args, **kwargs)

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        return ops.to(self, device)

    def view(self, dtype: Any) -> Tensor:
        """The same memory under another dtype: complex128 as pairs of float64, float32 as int32. See :func:`pyengine.interop.view`."""
        return interop.view(self, dtype)

    def astype(self, dtype: Any, *, copy: bool = True) -> Tensor:
        return ops.astype(self, dtype, copy=copy)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"bool: truth of more than one element is ambiguous: shape {self.shape}; use pe.any(x) or pe.all(x)")
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.ndim != 0:
            raise TypeError(
                f"index: not an integer scalar: {self.dtype}, shape {self.shape}; only integer tensors of rank 0 can be indices"
            )
        return int(self.item())

    def __getattr__(self, name: str) -> Any:
        """Only called where there is no such attribute."""
        raise AttributeError(f"'Tensor' object has no attribute '{name}'{hints.of_method(name, ops)}", name=name, obj=self)

    # Indexing ---------------------------------------------------------------------------------------------------------------------------

    @fast("getitem")
    def __getitem__(self, key: Any) -> Tensor:
        return ops.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        ops.setitem(self, key, value)

    # Operators --------------------------------------------------------------------------------------------------------------------------

    @fast("negative")
    def __neg__(self) -> Tensor:
        return ops.negative(self)

    @fast("positive")
    def __pos__(self) -> Tensor:
        return ops.positive(self)

    @fast("abs")
    def __abs__(self) -> Tensor:
        return ops.abs(self)

    @fast("bitwise_invert")
    def __invert__(self) -> Tensor:
        return ops.bitwise_invert(self)

    @fast("equal")
    def __eq__(self, other: object) -> Any:
        return _operator(ops.equal, self, other)

    @fast("not_equal")
    def __ne__(self, other: object) -> Any:
        return _operator(ops.not_equal, self, other)

    __hash__ = object.__hash__

    @fast("less")
    def __lt__(self, other: Any) -> Tensor:
        return _operator(ops.less, self, other)

    @fast("less_equal")
    def __le__(self, other: Any) -> Tensor:
        return _operator(ops.less_equal, self, other)

    @fast("greater")
    def __gt__(self, other: Any) -> Tensor:
        return _operator(ops.greater, self, other)

    @fast("greater_equal")
    def __ge__(self, other: Any) -> Tensor:
        return _operator(ops.greater_equal, self, other)

    @fast("add")
    def __add__(self, other: Any) -> Tensor:
        return _operator(ops.add, self, other)

    @fast("subtract")
    def __sub__(self, other: Any) -> Tensor:
        return _operator(ops.subtract, self, other)

    @fast("multiply")
    def __mul__(self, other: Any) -> Tensor:
        return _operator(ops.multiply, self, other)

    @fast("divide")
    def __truediv__(self, other: Any) -> Tensor:
        return _operator(ops.divide, self, other)

    @fast("floor_divide")
    def __floordiv__(self, other: Any) -> Tensor:
        return _operator(ops.floor_divide, self, other)

    @fast("remainder")
    def __mod__(self, other: Any) -> Tensor:
        return _operator(ops.remainder, self, other)

    @fast("pow")
    def __pow__(self, other: Any) -> Tensor:
        return _operator(ops.pow, self, other)

    def __matmul__(self, other: Any) -> Tensor:
        return _operator(ops.matmul, self, other)

    @fast("bitwise_and")
    def __and__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_and, self, other)

    @fast("bitwise_or")
    def __or__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_or, self, other)

    @fast("bitwise_xor")
    def __xor__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_xor, self, other)

    @fast("bitwise_left_shift")
    def __lshift__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_left_shift, self, other)

    @fast("bitwise_right_shift")
    def __rshift__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_right_shift, self, other)

    @fast("add", reflected=True)
    def __radd__(self, other: Any) -> Tensor:
        return _operator(ops.add, other, self)

    @fast("subtract", reflected=True)
    def __rsub__(self, other: Any) -> Tensor:
        return _operator(ops.subtract, other, self)

    @fast("multiply", reflected=True)
    def __rmul__(self, other: Any) -> Tensor:
        return _operator(ops.multiply, other, self)

    @fast("divide", reflected=True)
    def __rtruediv__(self, other: Any) -> Tensor:
        return _operator(ops.divide, other, self)

    @fast("floor_divide", reflected=True)
    def __rfloordiv__(self, other: Any) -> Tensor:
        return _operator(ops.floor_divide, other, self)

    @fast("remainder", reflected=True)
    def __rmod__(self, other: Any) -> Tensor:
        return _operator(ops.remainder, other, self)

    @fast("pow", reflected=True)
    def __rpow__(self, other: Any) -> Tensor:
        return _operator(ops.pow, other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _operator(ops.matmul, other, self)

    @fast("bitwise_and", reflected=True)
    def __rand__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_and, other, self)

    @fast("bitwise_or", reflected=True)
    def __ror__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_or, other, self)

    @fast("bitwise_xor", reflected=True)
    def __rxor__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_xor, other, self)

    @fast("bitwise_left_shift", reflected=True)
    def __rlshift__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_left_shift, other, self)

    @fast("bitwise_right_shift", reflected=True)
    def __rrshift__(self, other: Any) -> Tensor:
        return _operator(ops.bitwise_right_shift, other, self)

    def __iadd__(self, other: Any) -> Tensor:
        return ops.in_place(ops.add, self, other)

    def __isub__(self, other: Any) -> Tensor:
        return ops.in_place(ops.subtract, self, other)

    def __imul__(self, other: Any) -> Tensor:
        return ops.in_place(ops.multiply, self, other)

    def __itruediv__(self, other: Any) -> Tensor:
        return ops.in_place(ops.divide, self, other)

    def __ifloordiv__(self, other: Any) -> Tensor:
        return ops.in_place(ops.floor_divide, self, other)

    def __imod__(self, other: Any) -> Tensor:
        return ops.in_place(ops.remainder, self, other)

    def __ipow__(self, other: Any) -> Tensor:
        return ops.in_place(ops.pow, self, other)

    def __imatmul__(self, other: Any) -> Tensor:
        return ops.in_place(ops.matmul, self, other)

    def __iand__(self, other: Any) -> Tensor:
        return ops.in_place(ops.bitwise_and, self, other)

    def __ior__(self, other: Any) -> Tensor:
        return ops.in_place(ops.bitwise_or, self, other)

    def __ixor__(self, other: Any) -> Tensor:
        return ops.in_place(ops.bitwise_xor, self, other)

    def __ilshift__(self, other: Any) -> Tensor:
        return ops.in_place(ops.bitwise_left_shift, self, other)

    def __irshift__(self, other: Any) -> Tensor:
        return ops.in_place(ops.bitwise_right_shift, self, other)

    # Methods of the ops -----------------------------------------------------------------------------------------------------------------

    @property
    def T(self) -> Tensor:
        if self.ndim != 2:
            raise ValueError(f"T: not a matrix: shape {self.shape}; use .mT for stacks of matrices or pe.permute_dims")
        return self.mT

    @property
    def mT(self) -> Tensor:
        return ops.matrix_transpose(self)

    def reshape(self, *shape: Any) -> Tensor:
        return ops.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def permute_dims(self, *axes: Any) -> Tensor:
        return ops.permute_dims(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)

    def squeeze(self, axis: Axis = None) -> Tensor:
        return ops.squeeze(self, axis)

    def expand_dims(self, axis: int) -> Tensor:
        return ops.expand_dims(self, axis)

    def flatten(self, start_axis: int = 0, end_axis: int = -1) -> Tensor:
        return ops.flatten(self, start_axis, end_axis)

    def sum(self, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False) -> Tensor:
        return ops.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Axis = None, *, dtype: Any = None, keepdims: bool = False) -> Tensor:
        return ops.prod(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def var(self, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        return ops.var(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        return ops.std(self, axis=axis, correction=correction, keepdims=keepdims)

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return ops.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        return ops.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        return ops.argmin(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return ops.any(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        return ops.all(self, axis=axis, keepdims=keepdims)

    def argsort(self, axis: int = -1, *, descending: bool = False) -> Tensor:
        return ops.argsort(self, axis=axis, descending=descending)

    def searchsorted(self, values: Any, side: str = "left", sorter: Any = None) -> Tensor:
        return ops.searchsorted(self, values, side=side, sorter=sorter)

    def conj(self) -> Tensor:
        return ops.conj(self)

    @property
    def real(self) -> Tensor:
        return ops.real(self)

    @property
    def imag(self) -> Tensor:
        return ops.imag(self) if self.dtype.kind == "c" else creation.zeros_like(self)

    def copy(self) -> Tensor:
        return ops.copy(self)


_engine.set_tensor_type(Tensor)


# Operands --------------------------------------------------------------------------------------------------------------------------


_Operand = Tensor | bool | int | float | complex | np.generic | np.ndarray


def _operator(op: Callable[[Any, Any], Tensor], a: Any, b: Any) -> Tensor:
    """An operator's result, or NotImplemented where the other operand is none of ours."""
    if isinstance(b if isinstance(a, Tensor) else a, _Operand):
        return op(a, b)
    return NotImplemented  # type: ignore[no-any-return]  # what Python asks for


def as_tensor(value: Any) -> Tensor:
    """``value`` if it is a Tensor, else :func:`asarray` of it: what every op does with its arguments."""
    return value if isinstance(value, Tensor) else creation.asarray(value)


def coerce(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both operands as Tensors. A Python scalar is weakly typed: it takes the other's dtype, unless its kind is higher (NEP 50)."""
    if isinstance(a, Tensor):
        if isinstance(b, Tensor):
            return a, b
        return a, _weak(b, a) if _is_scalar(b) else creation.asarray(b, device=a.device)
    if isinstance(b, Tensor):
        return _weak(a, b) if _is_scalar(a) else creation.asarray(a, device=b.device), b
    return creation.asarray(a), creation.asarray(b)


def integers(op: str, name: str, value: Any) -> tuple[int, ...]:
    """One integer, of Python, NumPy or a Tensor, or a sequence of them, as a tuple. TypeError for anything else."""
    try:
        return tuple(map(operator.index, (value,) if isinstance(value, int) or getattr(value, "ndim", 1) == 0 else value))
    except (TypeError, ValueError):
        raise TypeError(f"{op}: {name} is not of integers: {value!r}; must be an integer, or a sequence of them") from None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic)  # np.float64 is a float, but has a dtype


def _weak(value: Scalar, beside: Tensor) -> Tensor:
    dtype = dtypes.weak(beside.dtype, type(value))
    if isinstance(value, int) and dtype.kind in "iu":
        info = dtypes.iinfo(dtype)
        if not info.min <= value <= info.max:
            raise OverflowError(f"scalar: out of range: {value} for {dtype}; must be in [{info.min}, {info.max}]")
    return Tensor(_engine.scalar(value, dtype, beside.device))


from pyengine import autograd, printing  # noqa: E402  they need the class above
from pyengine import creation as creation  # noqa: E402
from pyengine import interop as interop  # noqa: E402
from pyengine import ops as ops  # noqa: E402
