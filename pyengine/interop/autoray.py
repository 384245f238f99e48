"""autoray on Tensors: ``autoray.do("cumsum", x, 0)``. In force once pyengine and autoray are imported.

autoray finds most functions in the namespace :mod:`pyengine`; these have other names or arguments in NumPy, whose autoray's are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from autoray import register_backend, register_function

import pyengine as pe
from pyengine import ops
from pyengine.interop.ufuncs import OTHER_NAMES
from pyengine.ops.complex import from_parts
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


def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    return ops.stack(arrays, axis=axis)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    return ops.tensordot(a, b, axes=axes)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    return ops.trace(ops.moveaxis(x, (axis1, axis2), (-2, -1)), offset=offset, dtype=dtype)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """NumPy's: into as many equal pieces, or cut where the indices say."""
    size = as_tensor(x).shape[axis]
    if isinstance(indices_or_sections, int):
        return ops.split(x, [size // indices_or_sections] * indices_or_sections, axis=axis)
    return ops.split(x, [end - start for start, end in pairwise((0, *indices_or_sections, size))], axis=axis)


def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tensor:
    """NumPy's: one width for all sides, one (before, behind) for all axes, or one for each."""
    x = as_tensor(x)
    return ops.pad(x, np.broadcast_to(pad_width, (x.ndim, 2)).tolist(), mode, constant_values=constant_values)


def indices(dimensions: Sequence[int]) -> Tensor:
    """``y[i, j0, j1, ..] = j_i``."""
    return ops.stack(pe.meshgrid(*(pe.arange(size) for size in dimensions), indexing="ij"))


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """``|a - b| <= atol + rtol |b|`` everywhere."""
    return bool(ops.all(ops.less_equal(ops.abs(ops.subtract(a, b)), ops.add(ops.multiply(ops.abs(b), rtol), atol))))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """NumPy's ``linalg.norm``: of x as one vector, of vectors along an axis, of matrices over two."""
    x = as_tensor(x)
    matrices = axis if isinstance(axis, Sequence) else (0, 1) if axis is None and x.ndim == 2 and ord is not None else None
    if matrices is not None and ord is not None:
        moved = ops.moveaxis(x, tuple(matrices), (-2, -1))
        of_matrices = pe.linalg.matrix_norm(moved, ord=ord, keepdims=keepdims)
        return ops.moveaxis(of_matrices, (-2, -1), tuple(matrices)) if keepdims else of_matrices
    return pe.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)


def svd(x: Any) -> tuple[Tensor, ...]:
    return tuple(pe.linalg.svd(x, full_matrices=False))


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Tensor:
    """SciPy's: the other triangle of a is not looked at."""
    return pe.linalg.solve(ops.tril(a) if lower else ops.triu(a), b)


def uniform(low: float = 0.0, high: float = 1.0, size: Any = (), dtype: Any = None) -> Tensor:
    return ops.uniform(size, low, high, dtype=dtype)


def normal(loc: float = 0.0, scale: float = 1.0, size: Any = (), dtype: Any = None) -> Tensor:
    return ops.normal(size, loc, scale, dtype=dtype)


class DefaultRNG:
    """What ``random.default_rng`` gives, with NumPy's arguments; a seed of None is drawn from pyengine's own generator."""

    def __init__(self, seed: int | None = None) -> None:
        self.generator = pe.Generator(int(ops.randint(0, 2**63)) if seed is None else seed)

    def random(self, size: Any = (), dtype: Any = None) -> Tensor:
        return self.uniform(size=size, dtype=dtype)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = (), dtype: Any = None) -> Tensor:
        return ops.uniform(size, low, high, dtype=dtype, generator=self.generator)

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = (), dtype: Any = None) -> Tensor:
        return ops.normal(size, loc, scale, dtype=dtype, generator=self.generator)

    def integers(self, low: int, high: int | None = None, size: Any = (), dtype: Any = pe.int64) -> Tensor:
        return ops.randint(*((0, low) if high is None else (low, high)), size, dtype=dtype, generator=self.generator)

    def choice(self, a: Any, size: Any = (), replace: bool = True) -> Tensor:
        """Of the elements along the first axis of a, or of the integers below it."""
        a = pe.arange(a) if isinstance(a, int) else as_tensor(a)
        if replace:
            return ops.take(a, self.integers(a.shape[0], size=size), axis=0)
        order = self.permutation(a.shape[0])
        return ops.take(a, ops.reshape(order[: int(np.prod(size))], size), axis=0)

    def permutation(self, x: Any) -> Tensor:
        """The elements along the first axis of x, or the integers below it, in random order."""
        x = pe.arange(x) if isinstance(x, int) else as_tensor(x)
        return ops.take(x, ops.randperm(x.shape[0], generator=self.generator), axis=0)


def default_rng(seed: int | DefaultRNG | None = None) -> DefaultRNG:
    return seed if isinstance(seed, DefaultRNG) else DefaultRNG(seed)


_functions: dict[str, Callable[..., Any]] = {
    **{name: getattr(pe, ours) for name, ours in _other_names.items()},
    **{function.__name__: function for function in (allclose, imag, indices, pad, ravel, split, stack, take, tensordot, trace, tril, triu)},
    "complex": from_parts,
    "linalg.norm": norm,
    "linalg.svd": svd,
    "random.default_rng": default_rng,
    "random.normal": normal,
    "random.seed": pe.manual_seed,
    "random.uniform": uniform,
    "scipy.linalg.solve_triangular": solve_triangular,
    "stop_gradient": Tensor.detach,
}
register_backend(DefaultRNG, "pyengine")
for _name, _function in _functions.items():
    register_function("pyengine", _name, _function)
