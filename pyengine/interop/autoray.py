"""autoray on Tensors: ``autoray.do("cumsum", x, 0)``. In force once pyengine and autoray are imported.

autoray finds most functions in the namespace :mod:`pyengine`; these have other names or arguments in NumPy, whose autoray's are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autoray import register_function

import pyengine as pe
from pyengine import ops
from pyengine.interop.ufuncs import OTHER_NAMES
from pyengine.tensor import Tensor, as_tensor

_other_names = OTHER_NAMES | {"array": "asarray", "identity": "eye"}


def ravel(x: Any) -> Tensor:
    return ops.reshape(x, (-1,))


def tril(x: Any, k: int = 0) -> Tensor:
    return ops.tril(x, k=k)


def triu(x: Any, k: int = 0) -> Tensor:
    return ops.triu(x, k=k)


def imag(x: Any) -> Tensor:
    return as_tensor(x).imag


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    return ops.take(ravel(x), indices, axis=0) if axis is None else ops.take(x, indices, axis=axis)


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """``|a - b| <= atol + rtol |b|`` everywhere."""
    return bool(ops.all(ops.less_equal(ops.abs(ops.subtract(a, b)), ops.add(ops.multiply(ops.abs(b), rtol), atol))))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """NumPy's ``linalg.norm``: of x as one vector, of vectors along an axis, of matrices over two."""
    x = as_tensor(x)
    matrices = axis if isinstance(axis, Sequence) else (0, 1) if axis is None and x.ndim == 2 and ord is not None else None
    if matrices is not None and ord is not None:
        moved = ops.moveaxis(x, tuple(matrices), (-2, -1))
        return pe.linalg.matrix_norm(moved, ord=ord, keepdims=keepdims)
    return pe.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)


def svd(x: Any) -> tuple[Tensor, ...]:
    return tuple(pe.linalg.svd(x, full_matrices=False))


def uniform(low: float = 0.0, high: float = 1.0, size: Any = (), dtype: Any = None) -> Tensor:
    return ops.uniform(size, low, high, dtype=dtype)


def normal(loc: float = 0.0, scale: float = 1.0, size: Any = (), dtype: Any = None) -> Tensor:
    return ops.normal(size, loc, scale, dtype=dtype)


_functions: dict[str, Callable[..., Any]] = {
    **{name: getattr(pe, ours) for name, ours in _other_names.items()},
    **{function.__name__: function for function in (allclose, imag, ravel, take, tril, triu)},
    "linalg.norm": norm,
    "linalg.svd": svd,
    "random.normal": normal,
    "random.uniform": uniform,
}
for _name, _function in _functions.items():
    register_function("pyengine", _name, _function)
