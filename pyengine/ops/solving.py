"""Linear systems, inverses and determinants. Gradients after M. Giles, Collected matrix derivative results (2008), section 2, with the
conjugate transpose in place of the transpose for complex matrices. Shapes, dtypes and LAPACK: see ``pyengine.ops.matrices``."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from pyengine import creation, dtypes, interop, ops
from pyengine.autograd import OUTPUT, no_grad, record
from pyengine.ops.complex import conj, imag, is_complex
from pyengine.ops.decompositions import svd
from pyengine.ops.matrices import adjoint, diagonal_matrix, identity, lapack, matrices, off_diagonal, square_matrices
from pyengine.ops.reduce import _products_of_others
from pyengine.tensor import Tensor, as_tensor

_invertible = "every matrix must be invertible"
_finite = "every element must be finite"


class SlogdetResult(NamedTuple):
    """``det = sign exp(logabsdet)``."""

    sign: Tensor
    logabsdet: Tensor


def inv(x: Any, /) -> Tensor:
    """``y = x^-1``, by an LU factorisation; x (..., n, n).

    Accuracy: ``|error| <= c_n eps cond(x) |y|`` in norms (Higham, section 14.3). Gradient: ``-y^H g y^H``. ValueError if a matrix is
    singular or not square.
    """
    x = square_matrices("inv", x)
    y = lapack("inv", _invertible, np.linalg.inv, x)
    return record("inv", interop.from_result(y, x.dtype, x.device), (x,), (_inv_vjp,), (OUTPUT,))


def _inv_vjp(g: Tensor, y: Tensor) -> Tensor:
    y_h = adjoint(y)
    return ops.negative(ops.matmul(ops.matmul(y_h, g), y_h))


def solve(x1: Any, x2: Any, /) -> Tensor:
    """The y of ``a y = b``, by an LU factorisation; a (..., n, n), b (..., n, k), y (..., n, k), where the axes in front broadcast.

    b of shape (n,) counts as one column for every a, and its axis of size 1 is left out of y. Dtype: the common one of both.
    Accuracy: ``|error| <= c_n eps cond(a) |y|`` in norms (Higham, section 9.3). Gradients: ``v = a^-H g`` for b, ``-v y^H`` for a.
    ValueError if a matrix is singular or not square, or if shapes do not fit.
    """
    a, b = square_matrices("solve", x1), as_tensor(x2)
    if b.ndim == 1:
        return ops.squeeze(solve(a, ops.expand_dims(b, 1)), -1)
    b = matrices("solve", b)
    if b.shape[-2] != a.shape[-1]:
        raise ValueError(f"solve: sizes differ: a {a.shape}, b {b.shape}; b must have as many rows as a")
    try:
        ops.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"solve: stacks cannot be broadcast: a {a.shape}, b {b.shape}; sizes in front must be equal or 1") from None
    common = dtypes.promote(a.dtype, b.dtype)
    a, b = ops.astype(a, common, copy=False), ops.astype(b, common, copy=False)
    columns = ops.reshape(b, (1,) * (a.ndim - b.ndim) + b.shape)  # NumPy 1 takes a b of lower rank for a stack of vectors
    y = lapack("solve", _invertible, np.linalg.solve, a, columns)
    return record("solve", interop.from_result(y, common, a.device), (a, b), _solve_vjp, (a, OUTPUT))


def _solve_vjp(g: Tensor, a: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    v = solve(adjoint(a), g)
    return ops.negative(ops.matmul(v, adjoint(y))), v


def det(x: Any, /) -> Tensor:
    """``y = det x``, the product of the pivots of an LU factorisation; x (..., n, n), y (...).

    Gradient: g times the conjugate of the cofactors, for every matrix: ``conj(y) x^-H``, or, if one is singular or nearly so (condition
    beyond ``eps^-1/2``), from the singular values. The second derivative, too, is right for every matrix; beyond it those of singular
    ones need distinct singular values. ValueError if a matrix is not square.
    """
    x = square_matrices("det", x)
    y = lapack("det", _finite, np.linalg.det, x)
    return record("det", interop.from_result(y, x.dtype, x.device), (x,), (_det_vjp,), (x, OUTPUT))


def _det_vjp(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    if _well_conditioned(x):
        return ops.multiply(ops.expand_dims(ops.multiply(g, conj(y)), (-2, -1)), adjoint(inv(x)))
    return ops.multiply(ops.expand_dims(g, (-2, -1)), _conjugate_cofactors(x))


def _conjugate_cofactors(x: Tensor) -> Tensor:
    """``conj(d) u diag(p) v^H`` of ``x = u diag(s) v^H``, with ``d = det u det v^H`` and ``p_i = prod_(k != i) s_k``.

    Not left to the gradient of the svd, which needs distinct singular values: the cofactors are polynomials and do not.
    """
    with no_grad():
        u, s, vh = svd(x)
        y = ops.multiply(ops.matmul(ops.multiply(u, ops.expand_dims(_products_of_others(s), -2)), vh), _conjugate_phase(u, vh))
    return record("cofactors", y._array, (x,), (_conjugate_cofactors_vjp,), (x,))


def _conjugate_phase(u: Tensor, vh: Tensor) -> Tensor:
    return ops.expand_dims(conj(ops.multiply(det(u), det(vh))), (-2, -1))


def _conjugate_cofactors_vjp(g: Tensor, x: Tensor) -> Tensor:
    """With ``m = u^H dx v``, the cofactors c of ``diag(s) + m`` change by ``dc_ii = sum_j p_ij m_jj``, ``dc_ij = -p_ij m_ji``.

    ``p_ij = prod_(k != i, j) s_k``, and 0 for i = j.
    """
    u, s, vh = svd(x)
    turned = ops.multiply(ops.matmul(ops.matmul(u.mT, conj(g)), vh.mT), _conjugate_phase(u, vh))
    one = creation.eye(s.shape[-1], dtype=dtypes.bool_, device=s.device)
    left_out = ops.logical_or(ops.expand_dims(one, 1), ops.expand_dims(one, 0))
    pairs = off_diagonal(ops.prod(ops.where(left_out, 1.0, ops.expand_dims(s, (-3, -2))), axis=-1))
    inner = ops.matmul(pairs, ops.expand_dims(ops.diagonal(turned), -1))[..., 0]
    inner = ops.subtract(diagonal_matrix(inner), ops.multiply(pairs, turned).mT)
    return ops.matmul(ops.matmul(u, inner), vh)


def _well_conditioned(x: Tensor) -> bool:
    s = lapack("det", _finite, np.linalg.svd, x, compute_uv=False)
    return bool(np.all(s[..., -1:] > np.sqrt(np.finfo(s.dtype).eps) * s[..., :1]))


def slogdet(x: Any, /) -> SlogdetResult:
    """``sign`` and ``log |det x|``, where ``det x`` itself might overflow; x (..., n, n). Of a singular matrix 0 and -Inf.

    ``logabsdet`` is real. Gradient: ``(g_log - i Im(conj(g_sign) sign)) x^-H``, its second term for complex x alone: the sign of a real
    determinant is constant. ValueError if a matrix is not square, and in backward if one is singular.
    """
    x = square_matrices("slogdet", x)
    sign, logabsdet = lapack("slogdet", _finite, np.linalg.slogdet, x)
    arrays = interop.from_result(sign, x.dtype, x.device), interop.from_result(logabsdet, dtypes.real_of(x.dtype), x.device)
    return SlogdetResult(*record("slogdet", arrays, (x,), _slogdet_vjp, (x, OUTPUT)))


def _slogdet_vjp(g: tuple[Tensor, Tensor], x: Tensor, sign: Tensor) -> tuple[Tensor]:
    g_sign, factor = g
    if is_complex(x):
        factor = ops.subtract(factor, ops.multiply(imag(ops.multiply(conj(g_sign), sign)), 1j))
    return (ops.multiply(ops.expand_dims(factor, (-2, -1)), adjoint(inv(x))),)


def matrix_power(x: Any, n: int, /) -> Tensor:
    """``x^n`` by repeated squaring; the identity for n = 0, of the inverse for negative n. x (..., m, m).

    Gradient: that of the products. ValueError if a matrix is not square, or singular where n is negative.
    """
    x = square_matrices("matrix_power", x)
    n = operator.index(n)
    if n == 0:
        return ops.broadcast_to(creation.eye(x.shape[-1], dtype=x.dtype, device=x.device), x.shape)
    square = inv(x) if n < 0 else x
    result, n = None, abs(n)
    while True:
        if n % 2:
            result = square if result is None else ops.matmul(result, square)
        n //= 2
        if n == 0:
            assert result is not None
            return result
        square = ops.matmul(square, square)


def pinv(x: Any, /, *, rtol: Any = None) -> Tensor:
    """``y = v s^+ u^H``, the pseudoinverse of ``x = u s v^H``; singular values up to ``rtol max(s)`` count as 0. x (..., m, n).

    ``rtol`` is a number or one for each matrix, by default ``max(m, n) eps``. Gradient, where the rank does not change nearby:
    ``-y^H g y^H + (1 - x y) g^H y y^H + y^H y g^H (1 - y x)`` (Golub and Pereyra 1973, theorem 4.3).
    """
    x = matrices("pinv", x)
    y = lapack("pinv", _finite, np.linalg.pinv, x, rcond=tolerance_of(x, rtol))
    return record("pinv", interop.from_result(y, x.dtype, x.device), (x,), (_pinv_vjp,), (x, OUTPUT))


def tolerance_of(x: Tensor, rtol: Any) -> Any:
    if rtol is not None:
        return interop.values_of(as_tensor(rtol))
    return np.asarray(max(x.shape[-2:]) * dtypes.finfo(x.dtype).eps)


def _pinv_vjp(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    y_h, g_h = adjoint(y), adjoint(g)
    rows = ops.subtract(identity(x), ops.matmul(x, y))
    columns = ops.subtract(identity(y), ops.matmul(y, x))
    inside = ops.matmul(ops.matmul(y_h, g), y_h)
    left = ops.matmul(ops.matmul(rows, g_h), ops.matmul(y, y_h))
    right = ops.matmul(ops.matmul(y_h, y), ops.matmul(g_h, columns))
    return ops.subtract(ops.add(left, right), inside)
