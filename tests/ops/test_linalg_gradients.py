"""Gradients of pyengine.linalg to second order against finite differences, real and complex, square, tall and wide, in stacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine import linalg
from pyengine.ops.matrices import adjoint, hermitian_part
from tests.gradients import by_parts, check_gradients, parts_of

Array = np.ndarray[Any, Any]
F = Callable[..., pe.Tensor]


def spread(*shape: int, seed: int = 0) -> Array:
    """Matrices whose singular values are about 1, 2, 3, ...: well apart, and far from 0."""
    rng = np.random.default_rng((seed, *shape))
    u, _, vh = np.linalg.svd(rng.standard_normal(shape) + 1j * rng.standard_normal(shape), full_matrices=False)
    return np.asarray((u * np.arange(1.0, 1.0 + min(shape[-2:]))) @ vh)


def check_real_and_complex(f: F, *arrays: Array, order: int = 2) -> None:
    check_gradients(lambda *x: parts_of(f(*x)), *(real_spread(*a.shape, seed=i) for i, a in enumerate(arrays)), order=order)
    check_gradients(by_parts(f), *(part for a in arrays for part in (a.real, a.imag)), order=order)


def real_spread(*shape: int, seed: int = 0) -> Array:
    u, _, vh = np.linalg.svd(np.random.default_rng((seed, *shape)).standard_normal(shape), full_matrices=False)
    return np.asarray((u * np.arange(1.0, 1.0 + min(shape[-2:]))) @ vh)


def projector(columns: pe.Tensor) -> pe.Tensor:
    """What does not depend on phases."""
    return columns @ adjoint(columns)


def positive(x: pe.Tensor) -> pe.Tensor:
    return x @ adjoint(x) + pe.eye(x.shape[-1], dtype=x.dtype)


@pytest.mark.parametrize(
    "f",
    [
        linalg.inv,
        linalg.det,
        linalg.pinv,
        lambda x: linalg.slogdet(x).logabsdet,
        lambda x: linalg.slogdet(x).sign * linalg.slogdet(x).logabsdet,
        lambda x: linalg.matrix_power(x, 3),
        lambda x: linalg.matrix_power(x, -2),
        lambda x: linalg.cholesky(positive(x)),
        lambda x: linalg.cholesky(positive(x), upper=True),
        lambda x: linalg.eigvalsh(hermitian_part(x)),
        lambda x: projector(linalg.eigh(hermitian_part(x)).eigenvectors[..., :2]),
        lambda x: linalg.eigh(hermitian_part(x)).eigenvectors[..., :1] ** 2 if x.dtype.kind == "f" else projector(x),
        lambda x: pe.sum(linalg.eigvals(x) ** 3),
        lambda x: pe.abs(linalg.eig(x).eigenvectors) * pe.expand_dims(linalg.eig(x).eigenvalues, -2),
    ],
)
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2), (1, 1)])
def test_square(f: F, shape: tuple[int, ...]) -> None:
    check_real_and_complex(f, spread(*shape))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)])
@pytest.mark.parametrize(
    "f",
    [
        linalg.svdvals,
        linalg.pinv,
        lambda x: linalg.svd(x, full_matrices=False).S ** 2,
        lambda x: projector(linalg.svd(x, full_matrices=False).U[..., :1]),
        lambda x: projector(adjoint(linalg.svd(x, full_matrices=False).Vh)[..., 1:2]),
        lambda x: linalg.svd(x).U[..., :1] @ linalg.svd(x).Vh[..., :1, :],
        lambda x: projector(linalg.svd(x).U[..., 2:]),
        lambda x: projector(adjoint(linalg.svd(x).Vh)[..., 2:]),
        lambda x: linalg.qr(x).Q,
        lambda x: linalg.qr(x).R,
        lambda x: linalg.qr(x, mode="complete").R,
        lambda x: projector(linalg.qr(x, mode="complete").Q[..., 2:]),
        *(lambda x, order=order: linalg.matrix_norm(x, ord=order) for order in ("fro", "nuc", 2, -2)),
    ],
)
def test_any_shape(f: F, shape: tuple[int, ...]) -> None:
    check_real_and_complex(f, spread(*shape))


SYSTEMS = [
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((2, 3, 3), (3, 2)),
    ((3, 3), (2, 3, 1)),
    ((2, 1, 2, 2), (3, 2, 2)),
    ((2, 2, 2), (2,)),
]


@pytest.mark.parametrize("shapes", SYSTEMS)
def test_solve(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    left, right = spread(*shapes[0]), np.random.default_rng(1).standard_normal((2, *shapes[1]))
    check_gradients(linalg.solve, real_spread(*shapes[0]), right[0])
    check_gradients(by_parts(linalg.solve), left.real, left.imag, *right)


@pytest.mark.parametrize("order", [1, 2, 3, 2.5, 0.5, -1, -2, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [None, -1, (0, 2)])
def test_vector_norm(order: float, axis: Any) -> None:
    x = spread(2, 2, 3)
    check_gradients(lambda x: linalg.vector_norm(x, ord=order, axis=axis), np.abs(x) + 0.5)
    check_gradients(by_parts(lambda x: linalg.vector_norm(x, ord=order, axis=axis, keepdims=True)), x.real + 1, x.imag)


@pytest.mark.parametrize("order", [1, -1, math.inf, -math.inf])
def test_matrix_norm(order: float) -> None:
    """Away from elements near 0, where the modulus bends too sharply for finite differences."""
    x = spread(2, 2, 3)
    check_gradients(lambda x: linalg.matrix_norm(x, ord=order), np.abs(x) + 0.5)
    check_gradients(by_parts(lambda x: linalg.matrix_norm(x, ord=order, keepdims=True)), x.real + 2, x.imag)


@pytest.mark.parametrize("order", [1, 2, 3, 0.5, -1])
def test_gradient_of_a_norm_at_zero_is_zero(order: float) -> None:
    x = pe.zeros((2, 3), requires_grad=True)
    pe.sum(linalg.vector_norm(x, axis=1, ord=order)).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0] * 3] * 2


def test_gradient_where_a_norm_of_negative_order_is_zero() -> None:
    x = pe.asarray([0.0, 1.0], requires_grad=True)
    linalg.vector_norm(x, ord=-1).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0]


def test_products() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 2, 3)), rng.standard_normal((2, 3))
    check_gradients(linalg.cross, a[0], b[0])
    for f in (linalg.cross, linalg.vecdot):
        check_gradients(by_parts(f), a[0], a[1], b[0], b[1])


SINGULAR = [[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [0.0, 1.0, 3.0]], np.zeros((2, 2)), [[0.0]]]


@pytest.mark.parametrize("values", SINGULAR)
def test_gradient_of_a_singular_determinant(values: Any) -> None:
    x = np.asarray(values, np.float64)
    check_gradients(linalg.det, x)
    check_gradients(by_parts(linalg.det), x, 0 * x)


def test_gradient_of_a_singular_complex_determinant() -> None:
    x = spread(3, 3)
    x[:, 2] = (1 + 2j) * x[:, 0]
    check_gradients(by_parts(linalg.det), x.real, x.imag)
    mixed = np.stack([x, spread(3, 3), 0 * x])
    check_gradients(by_parts(linalg.det), mixed.real, mixed.imag)


@pytest.mark.parametrize("f", [linalg.cholesky, linalg.eigvalsh, lambda x: linalg.eigh(x).eigenvectors[..., 0] ** 2])
def test_gradients_of_hermitian_matrices_are_hermitian(f: F) -> None:
    values = spread(3, 3)
    x = pe.asarray(values @ values.conj().T, requires_grad=True)
    pe.real(pe.sum(f(x) * pe.asarray(np.random.default_rng(3).standard_normal(3)))).backward()
    assert x.grad is not None
    assert pe.any(pe.abs(x.grad) > 1e-3).item()
    np.testing.assert_allclose(x.grad.numpy(), x.grad.numpy().conj().T, atol=1e-12)


def test_values_have_gradients_where_they_are_equal() -> None:
    """Vectors do not, and say so."""
    for f in (linalg.svdvals, linalg.eigvalsh, lambda x: pe.real(linalg.eigvals(x))):
        x = pe.eye(3).requires_grad_()
        pe.sum(f(x)).backward()
        assert x.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), np.eye(3), atol=1e-6)
    x = pe.eye(3).requires_grad_()
    pe.sum(linalg.eigh(x).eigenvectors).backward()
    assert x.grad is not None
    assert not pe.any(pe.isfinite(x.grad)).item()


def test_third_order() -> None:
    for f in (linalg.inv, linalg.det, lambda x: linalg.cholesky(positive(x)), linalg.svdvals, lambda x: linalg.qr(x).Q):
        check_gradients(f, real_spread(2, 2), order=3)


def test_named_tuples_go_through_transforms() -> None:
    x, t = pe.asarray(real_spread(3, 2)), pe.ones((3, 2), dtype=pe.float64)
    y, dy = pe.jvp(linalg.qr, (x,), (t,))
    assert dy._fields == ("Q", "R")
    np.testing.assert_allclose((dy.Q @ y.R + y.Q @ dy.R).numpy(), np.ones((3, 2)), atol=1e-12)
    h, dh = pe.asarray(np.diag([1.0, 2.0, 4.0])), pe.ones((3, 3), dtype=pe.float64)
    (w, q), (dw, dq) = pe.jvp(linalg.eigh, (h,), (dh,))
    product = (dq * w) @ q.mT + (q * dw) @ q.mT + (q * w) @ dq.mT
    np.testing.assert_allclose(product.numpy(), np.ones((3, 3)), atol=1e-12)
    leaf = pe.asarray(real_spread(3, 2), requires_grad=True)
    again = pe.checkpoint(linalg.svd)(leaf)
    pe.sum(again.S).backward()
    assert leaf.grad is not None


def test_singular_matrices_in_backward() -> None:
    x = pe.asarray([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    with pytest.raises(ValueError, match="inv: singular matrix"):
        linalg.slogdet(x).logabsdet.backward()


def test_gradient_keeps_the_dtype() -> None:
    for dtype in (pe.float32, pe.complex64):
        for f in (linalg.inv, linalg.svdvals, lambda x: linalg.eig(x).eigenvalues, linalg.matrix_norm):
            x = pe.asarray(spread(3, 3).real, dtype=dtype, requires_grad=True)
            pe.sum(pe.abs(f(x))).backward()
            assert x.grad is not None
            assert x.grad.dtype is dtype


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3)])
def test_gradients_of_nothing(shape: tuple[int, ...]) -> None:
    for f in (linalg.inv, linalg.det, linalg.cholesky, linalg.svdvals, linalg.pinv, lambda x: linalg.qr(x).Q, lambda x: linalg.eigh(x)[1]):
        x = pe.zeros(shape, dtype=pe.float64, requires_grad=True)
        pe.sum(f(x)).backward()
        assert x.grad is not None
        assert x.grad.shape == shape
