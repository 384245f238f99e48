"""What the functions of ``pyengine.linalg`` share: stacks of matrices, checked, and NumPy's LAPACK, which computes them.

A stack has shape (..., m, n) and dtype float32, float64, complex64 or complex128; TypeError for others, 16-bit floats among them: a
factorisation in 8 or 11 bits has no digits left, convert first. Results keep the dtype. LAPACK's own threads may change their last bits.
From other devices matrices go to the CPU and results back: ``interop.values_of`` and ``interop.from_result``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyengine import creation, dtypes, interop, ops
from pyengine.ops.complex import conj
from pyengine.tensor import Tensor, as_tensor


def matrices(op: str, value: Any) -> Tensor:
    x = as_tensor(value)
    if not dtypes.is_inexact(x.dtype) or x.dtype.itemsize == 2:
        raise TypeError(f"{op}: dtype not supported: {x.dtype}; must be float32, float64, complex64 or complex128")
    if x.ndim < 2:
        raise ValueError(f"{op}: rank too low: shape {x.shape}; at least 2 axes are needed")
    return x


def square_matrices(op: str, value: Any) -> Tensor:
    x = matrices(op, value)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{op}: not square: shape {x.shape}; the last two sizes must be equal")
    return x


def lapack(op: str, rule: str, function: Callable[..., Any], *operands: Tensor, **options: Any) -> Any:
    """NumPy's ``function``; its failure on some matrix as a ValueError that ends in ``rule``."""
    if len({x.device for x in operands}) > 1:
        raise ValueError(f"{op}: devices differ: {', '.join(x.device for x in operands)}; move one with .to(device)")
    try:
        with np.errstate(all="ignore"):
            return function(*(interop.values_of(x) for x in operands), **options)
    except np.linalg.LinAlgError as error:
        shapes = ", ".join(str(x.shape) for x in operands)
        raise ValueError(f"{op}: {str(error).lower()}: shape {shapes}; {rule}") from None


def adjoint(x: Tensor) -> Tensor:
    """``x^H``, the conjugate transpose: of real matrices the transpose."""
    return conj(x.mT)


def identity(x: Tensor) -> Tensor:
    """The identity of the size of x's rows, in the dtype of x's parts."""
    return creation.eye(x.shape[-2], dtype=dtypes.real_of(x.dtype), device=x.device)


def diagonal_matrix(values: Tensor) -> Tensor:
    identity = creation.eye(values.shape[-1], dtype=dtypes.real_of(values.dtype), device=values.device)
    return ops.multiply(ops.expand_dims(values, -1), identity)


def off_diagonal(x: Tensor) -> Tensor:
    """x with zeros on the diagonal, whatever stood there."""
    return ops.where(creation.eye(x.shape[-1], dtype=dtypes.bool_, device=x.device), 0.0, x)


def hermitian_part(x: Tensor) -> Tensor:
    """``(x + x^H) / 2``."""
    return ops.multiply(ops.add(x, adjoint(x)), 0.5)


def unused(g: Tensor) -> bool:
    """Whether an output took no part in what is differentiated: its gradient is zero, and does not depend on anything."""
    return not g.requires_grad and not ops.any(g)
