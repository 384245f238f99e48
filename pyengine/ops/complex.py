"""Complex numbers and their parts.

The gradient of a real loss L with respect to z = a + b i is dL/da + i dL/db, the direction of steepest ascent; for a holomorphic f it is
``g conj(f'(z))`` (as in PyTorch; S. Boyd, L. Vandenberghe, Convex Optimization, appendix A; Kreutz-Delgado 2009, arXiv:0906.4835).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyengine import _engine, dtypes, ops
from pyengine.autograd import record
from pyengine.fast import fast
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = ["angle", "conj", "imag", "real"]


def is_complex(x: Tensor) -> bool:
    return x.dtype.kind == "c"


def holomorphic(vjp: Callable[..., Any], x: Tensor) -> Callable[..., Any]:
    """``g conj(f'(z))`` from a vjp that gives ``g f'(z)``; the vjp itself where x is real."""
    return (lambda g, *saved: conj(vjp(conj(g), *saved))) if is_complex(x) else vjp


def from_parts(real_part: Any, imag_part: Any) -> Tensor:
    """``real_part + i imag_part``, complex64 for float32 and complex128 for float64. Gradients: the parts of g."""
    a, b = coerce(real_part, imag_part)
    dtype = dtypes.complex128 if dtypes.promote(a.dtype, b.dtype) is dtypes.float64 else dtypes.complex64
    array = _engine.empty(ops.broadcast_shapes(a.shape, b.shape), dtype, a.device)
    _engine.assign(_engine.real_part(array), a._array)
    _engine.assign(_engine.imag_part(array), b._array)
    return record("from_parts", array, (a, b), (real, imag))


@fast("real")
def real(x: Any, /) -> Tensor:
    """The real part, a view; x itself if it is real. Gradient: g."""
    x = as_tensor(x)
    return record("real", _engine.real_part(x._array), (x,), (lambda g: g,)) if is_complex(x) else x


@fast("imag")
def imag(x: Any, /) -> Tensor:
    """The imaginary part, a view. Gradient: ``i g``. TypeError unless complex."""
    x = as_tensor(x)
    if not is_complex(x):
        raise TypeError(f"imag: not complex: {x.dtype}; the imaginary part of a real number is 0")
    return record("imag", _engine.imag_part(x._array), (x,), (lambda g: ops.multiply(g, 1j),))


@fast("conj")
def conj(x: Any, /) -> Tensor:
    """``a - b i`` for ``a + b i``; x itself if it is real. Gradient: conj(g)."""
    x = as_tensor(x)
    return record("conj", _engine.conj(x._array), (x,), (conj,)) if is_complex(x) else x


def angle(x: Any, /) -> Tensor:
    """The angle in radians from the positive real axis, in [-pi, pi]; of negative real numbers pi. TypeError unless floating."""
    x = as_tensor(x)
    return ops.atan2(imag(x) if is_complex(x) else ops.multiply(x, 0), real(x))


def by_parts(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """f of the real part and f of the imaginary part, for an f that is linear over the reals."""
    return from_parts(f(real(x)), f(imag(x)))
