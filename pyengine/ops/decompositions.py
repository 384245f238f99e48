"""Factorisations of matrices. Gradients after M. Giles, Collected matrix derivative results (2008), section 3, with the conjugate
transpose in place of the transpose for complex matrices. Shapes, dtypes and LAPACK: see ``pyengine.ops.matrices``.

Singular and eigenvectors are determined up to a factor of modulus 1, and only where their values are distinct: a gradient through them has
a meaning for functions that do not depend on that factor, and is NaN or infinite where values are equal. The values alone have gradients
in either case.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from pyengine import creation, dtypes, interop, ops
from pyengine.autograd import OUTPUT, Output, record
from pyengine.ops.complex import conj, imag, is_complex, real
from pyengine.ops.matrices import adjoint, diagonal_matrix, hermitian_part, lapack, matrices, off_diagonal, square_matrices, unused
from pyengine.tensor import Tensor

_finite = "every element must be finite"


class QRResult(NamedTuple):
    """``x = Q R``."""

    Q: Tensor
    R: Tensor


class SVDResult(NamedTuple):
    """``x = U diag(S) Vh``."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class EighResult(NamedTuple):
    """``x = Q diag(eigenvalues) Q^H``, Q the eigenvectors."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class EigResult(NamedTuple):
    """``x V = V diag(eigenvalues)``, V the eigenvectors."""

    eigenvalues: Tensor
    eigenvectors: Tensor


# Triangular -------------------------------------------------------------------------------------------------------------------------------


def cholesky(x: Any, /, *, upper: bool = False) -> Tensor:
    """The lower triangular l of ``x = l l^H``, with a positive diagonal, or with ``upper`` the upper triangular ``u = l^H``; x (..., n, n).

    x must be Hermitian, which is not checked: its lower triangle alone is read. Gradient: ``l^-H p l^-1`` made Hermitian, p the lower
    triangle of ``l^H g`` with half its diagonal (Murray 2016, arXiv:1602.07527, section 3). ValueError if a matrix is not positive definite
    or not square.
    """
    x = square_matrices("cholesky", x)
    y = lapack("cholesky", "every eigenvalue must be positive", np.linalg.cholesky, x)
    lower = record("cholesky", interop.from_result(y, x.dtype, x.device), (x,), (_cholesky_vjp,), (OUTPUT,))
    return adjoint(lower) if upper else lower


def _cholesky_vjp(g: Tensor, lower: Tensor) -> Tensor:
    upper = adjoint(lower)
    p = ops.multiply(ops.matmul(upper, g), _half_triangle(lower).mT)
    left = _solve(upper, p)
    return hermitian_part(_solve(upper, adjoint(left)))


def _half_triangle(x: Tensor) -> Tensor:
    """1 above the diagonal, 1/2 on it, 0 below."""
    n, dtype = x.shape[-1], dtypes.real_of(x.dtype)
    ones, identity = creation.ones((n, n), dtype, device=x.device), creation.eye(n, dtype=dtype, device=x.device)
    return ops.subtract(ops.triu(ones), ops.multiply(identity, 0.5))


def _solve(a: Tensor, b: Tensor) -> Tensor:
    from pyengine.ops.solving import solve  # which differentiates determinants by the svd here

    return solve(a, b)


def qr(x: Any, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """``x = q r``, q with orthonormal columns, r upper triangular with a real diagonal; x (..., m, n), k = min(m, n).

    Shapes: q (..., m, k) and r (..., k, n), or with mode "complete" q (..., m, m) and r (..., m, n). By Householder reflections.
    Gradient, where the first k columns of x are independent: ``(g_q + q s) r^-H``, s the Hermitian matrix whose upper triangle is that of
    ``g_r r^H - q^H g_q`` (Roberts and Roberts 2020, arXiv:2009.10071); the columns that complete q may be used by what they span alone.
    """
    x = matrices("qr", x)
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: unknown mode: {mode!r}; must be 'reduced' or 'complete'")
    rows, columns = x.shape[-2:]
    if rows < columns:  # the other columns take no part in q
        q, r = qr(x[..., :rows], mode=mode)
        return QRResult(q, ops.concat([r, ops.matmul(adjoint(q), x[..., rows:])], axis=-1))
    arrays = lapack("qr", _finite, np.linalg.qr, x, mode=mode)
    outputs = tuple(interop.from_result(array, x.dtype, x.device) for array in arrays)
    return QRResult(*record("qr", outputs, (x,), _qr_vjp, (Output(0), Output(1))))


def _qr_vjp(g: tuple[Tensor, Tensor], q: Tensor, r: Tensor) -> tuple[Tensor]:
    size = r.shape[-1]
    g_q, q = _first_columns(g[0], q, size), q[..., :size]
    g_r, r = g[1][..., :size, :], r[..., :size, :]
    upper = ops.multiply(ops.subtract(ops.matmul(g_r, adjoint(r)), ops.matmul(adjoint(q), g_q)), _half_triangle(r))
    total = ops.add(g_q, ops.matmul(q, ops.add(upper, adjoint(upper))))
    return (adjoint(_solve(r, adjoint(total))),)


def _first_columns(g: Tensor, q: Tensor, size: int) -> Tensor:
    """The gradient of the first columns of a unitary q, from that of all: the others turn with them, ``d q2 = -q1 d q1^H q2``."""
    if q.shape[-1] == size:
        return g
    first, rest = q[..., :size], q[..., size:]
    return ops.subtract(g[..., :size], ops.matmul(rest, ops.matmul(adjoint(g[..., size:]), first)))


# Singular values --------------------------------------------------------------------------------------------------------------------------


def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """``x = u diag(s) v^H``, u and v with orthonormal columns, s real, not negative and descending; x (..., m, n), k = min(m, n).

    Shapes: u (..., m, m), s (..., k), v^H (..., n, n), or without ``full_matrices`` u (..., m, k), v^H (..., k, n). Accuracy of s:
    ``c eps max(s)``. Gradient: for s ``u diag(g) v^H``; for u and v see Townsend 2016 (Differentiating the singular value decomposition)
    and, for complex ones, Wan and Zhang 2019 (arXiv:1909.02659): the singular values must be distinct, and not 0 unless x is square; the
    columns beyond k may be used by what they span alone. ValueError if an element is not finite.
    """
    x = matrices("svd", x)
    u, s, vh = lapack("svd", _finite, np.linalg.svd, x, full_matrices=full_matrices)
    results = ((u, x.dtype), (s, dtypes.real_of(x.dtype)), (vh, x.dtype))
    outputs = tuple(interop.from_result(result, dtype, x.device) for result, dtype in results)
    return SVDResult(*record("svd", outputs, (x,), _svd_vjp, (Output(0), Output(1), Output(2))))


def _svd_vjp(g: tuple[Tensor, Tensor, Tensor], u: Tensor, s: Tensor, vh: Tensor) -> tuple[Tensor]:
    g_u, g_s, g_vh = g
    size = s.shape[-1]
    v, inner = adjoint(vh), diagonal_matrix(g_s)
    u1, v1 = u[..., :size], v[..., :size]
    if unused(g_u) and unused(g_vh):
        return (ops.matmul(ops.matmul(u1, inner), adjoint(v1)),)
    g_u, g_v = _first_columns(g_u, u, size), _first_columns(adjoint(g_vh), v, size)
    along_u, along_v = ops.matmul(adjoint(u1), g_u), ops.matmul(adjoint(v1), g_v)
    inner = ops.add(inner, _turned(along_u, s, along_v))
    result = ops.matmul(ops.matmul(u1, inner), adjoint(v1))
    scale = ops.expand_dims(s, -2)
    if u.shape[-2] > size:
        across = ops.subtract(g_u, ops.matmul(u1, along_u))
        result = ops.add(result, ops.matmul(ops.divide(across, scale), adjoint(v1)))
    if v.shape[-2] > size:
        across = ops.subtract(g_v, ops.matmul(v1, along_v))
        result = ops.add(result, ops.matmul(u1, adjoint(ops.divide(across, scale))))
    return (result,)


def _turned(along_u: Tensor, s: Tensor, along_v: Tensor) -> Tensor:
    """``(a / e) s + s (b / e)`` of the skew parts a, b, ``e_ij = s_j^2 - s_i^2``; on the diagonal the phases that u and v share in."""
    row, column = ops.expand_dims(s, -2), ops.expand_dims(s, -1)
    gaps = ops.multiply(_gaps(s), ops.add(row, column))
    skew_u, skew_v = (ops.subtract(along, adjoint(along)) for along in (along_u, along_v))
    inner = off_diagonal(ops.divide(ops.add(ops.multiply(skew_u, row), ops.multiply(column, skew_v)), gaps))
    if not is_complex(along_u):
        return inner
    phases = imag(ops.subtract(ops.diagonal(along_u), ops.diagonal(along_v)))
    return ops.add(inner, ops.multiply(diagonal_matrix(ops.divide(phases, ops.multiply(s, 2))), 1j))


def _gaps(values: Tensor) -> Tensor:
    """``e_ij = x_j - x_i``, and 1 on the diagonal."""
    difference = ops.subtract(ops.expand_dims(values, -2), ops.expand_dims(values, -1))
    return ops.add(difference, creation.eye(values.shape[-1], dtype=dtypes.real_of(values.dtype), device=values.device))


def svdvals(x: Any, /) -> Tensor:
    """The singular values s of :func:`svd` alone, (..., min(m, n)). Gradient: ``u diag(g) v^H``; the second one as of :func:`svd`."""
    x = matrices("svdvals", x)
    if x.requires_grad:
        return svd(x, full_matrices=False).S
    s = lapack("svdvals", _finite, np.linalg.svd, x, compute_uv=False)
    return Tensor(interop.from_result(s, dtypes.real_of(x.dtype), x.device))


# Eigenvalues ------------------------------------------------------------------------------------------------------------------------------


def eigh(x: Any, /) -> EighResult:
    """``x = q diag(w) q^H`` for Hermitian x (..., n, n): w (..., n) real and ascending, q (..., n, n) unitary.

    That x is Hermitian is not checked: its lower triangle alone is read. Accuracy of w: ``c eps max |w|``. Gradient:
    ``q (diag(g_w) + (q^H g_q) / e) q^H`` made Hermitian, ``e_ij = w_j - w_i``; for q the eigenvalues must be distinct (Giles, section 3.1).
    ValueError if a matrix is not square or LAPACK's iteration fails.
    """
    x = square_matrices("eigh", x)
    w, q = lapack("eigh", _finite, np.linalg.eigh, x)
    outputs = interop.from_result(w, dtypes.real_of(x.dtype), x.device), interop.from_result(q, x.dtype, x.device)
    return EighResult(*record("eigh", outputs, (x,), _eigh_vjp, (Output(0), Output(1))))


def _eigh_vjp(g: tuple[Tensor, Tensor], w: Tensor, q: Tensor) -> tuple[Tensor]:
    inner = diagonal_matrix(g[0])
    if not unused(g[1]):
        inner = ops.add(inner, off_diagonal(ops.divide(ops.matmul(adjoint(q), g[1]), _gaps(w))))
    return (hermitian_part(ops.matmul(ops.matmul(q, inner), adjoint(q))),)


def eigvalsh(x: Any, /) -> Tensor:
    """The eigenvalues of :func:`eigh` alone. Gradient: ``q diag(g) q^H``; the second one needs distinct eigenvalues."""
    x = square_matrices("eigvalsh", x)
    if x.requires_grad:
        return eigh(x).eigenvalues
    return Tensor(interop.from_result(lapack("eigvalsh", _finite, np.linalg.eigvalsh, x), dtypes.real_of(x.dtype), x.device))


def eig(x: Any, /) -> EigResult:
    """``x v = v diag(w)`` for any x (..., n, n): w (..., n) and v (..., n, n) complex, the columns of v of length 1; in no order.

    Gradient: ``v^-H (diag(g_w) + (t - v^H v Re(diag t)) / conj(e)) v^H`` with ``t = v^H g_v``, ``e_ij = w_j - w_i`` (Giles, section 3.1;
    Boeddeker et al. 2017, arXiv:1701.00392, section 4.2); for v the eigenvalues must be distinct. ValueError if a matrix is not square,
    an element is not finite, or LAPACK's iteration fails.
    """
    x = square_matrices("eig", x)
    dtype = dtypes.complex_of(x.dtype)
    w, v = lapack("eig", _finite, np.linalg.eig, x)
    outputs = interop.from_result(w, dtype, x.device), interop.from_result(v, dtype, x.device)
    return EigResult(*record("eig", outputs, (x,), _eig_vjp, (Output(0), Output(1))))


def _eig_vjp(g: tuple[Tensor, Tensor], w: Tensor, v: Tensor) -> tuple[Tensor]:
    v_h, inner = adjoint(v), diagonal_matrix(g[0])
    if not unused(g[1]):
        t = ops.matmul(v_h, g[1])
        stretched = ops.multiply(ops.matmul(v_h, v), ops.expand_dims(real(ops.diagonal(t)), -2))
        inner = ops.add(inner, off_diagonal(ops.divide(ops.subtract(t, stretched), conj(_gaps(w)))))
    return (_solve(v_h, ops.matmul(inner, v_h)),)


def eigvals(x: Any, /) -> Tensor:
    """The eigenvalues of :func:`eig` alone, complex. Gradient: ``v^-H diag(g) v^H``, for a matrix that has n independent eigenvectors."""
    x = square_matrices("eigvals", x)
    if x.requires_grad:
        return eig(x).eigenvalues
    return Tensor(interop.from_result(lapack("eigvals", _finite, np.linalg.eigvals, x), dtypes.complex_of(x.dtype), x.device))
