"""pyengine.linalg against NumPy in double precision, with bounds that hold the condition number; gradients to second order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from pyengine.ops.matrices import adjoint

Array = np.ndarray[Any, Any]
EPS = {"float32": 2.0**-23, "float64": 2.0**-52, "complex64": 2.0**-23, "complex128": 2.0**-52}
WIDE = {"float32": np.float64, "float64": np.float64, "complex64": np.complex128, "complex128": np.complex128}
PARTS = {"float32": "float32", "float64": "float64", "complex64": "float32", "complex128": "float64"}
dtypes = st.sampled_from(list(EPS))


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if "complex" in dtype else x).astype(dtype)


@st.composite
def stacks(draw: st.DrawFn, square: bool = False) -> tuple[pe.Tensor, Array, str]:
    """A stack of matrices in any layout, of any size; the same in double precision; and its dtype."""
    dtype = draw(dtypes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    batch = draw(st.sampled_from([(), (1,), (3,), (0,), (2, 2)]))
    m = draw(st.integers(0, 6))
    n = m if square else draw(st.integers(0, 6))
    steps = [draw(st.sampled_from([1, 2, -1])) for _ in range(2)]
    values = normal(rng, (*batch, m * abs(steps[0]), n * abs(steps[1])), dtype)
    key = (..., slice(None, None, steps[0]), slice(None, None, steps[1]))
    x, y = pe.asarray(values)[key], values[key]
    if draw(st.booleans()):
        x, y = x.mT, y.swapaxes(-1, -2)
    return x, y.astype(WIDE[dtype]), dtype


def norm(x: Array) -> Array:
    """The Frobenius norm, which bounds the spectral one."""
    return np.asarray(np.sqrt((np.abs(x) ** 2).sum((-2, -1), keepdims=True)))


def unit(dtype: str, *sizes: int) -> float:
    """The constants c_n of LAPACK's bounds are low powers of n (Higham, sections 9.3, 19.3); n^2 / 2 + 10 covers what is computed here.

    With float64 the reference has an error of the same size.
    """
    n = max(*sizes, 1)
    return 2 * (n**2 / 2 + 10) * EPS[dtype]


def condition(x: Array) -> Array:
    return np.linalg.cond(x)[..., None, None] if x.size else np.ones((*x.shape[:-2], 1, 1))


def assert_within(actual: pe.Tensor, expected: Array, bound: Any, dtype: str) -> None:
    assert actual.dtype.name == dtype
    assert actual.shape == expected.shape
    error = np.abs(actual.numpy() - expected)
    assert (error <= bound).all(), (float((error / bound).max()), actual.numpy(), expected)


def assert_orthonormal(q: Array, dtype: str) -> None:
    gram = np.conj(q.swapaxes(-1, -2)) @ q
    assert (np.abs(gram - np.eye(q.shape[-1])) <= unit(dtype, *q.shape[-2:])).all()


def wide(x: pe.Tensor) -> Array:
    return x.numpy().astype(WIDE[x.dtype.name])


# Solving --------------------------------------------------------------------------------------------------------------------------------


@given(stacks(square=True))
def test_inv(case: tuple[pe.Tensor, Array, str]) -> None:
    x, values, dtype = case
    c = condition(values)
    if (c * unit(dtype, x.shape[-1]) > 0.1).any():
        return
    expected = np.linalg.inv(values)
    assert_within(pe.linalg.inv(x), expected, 2 * unit(dtype, x.shape[-1]) * c * norm(expected), dtype)


@given(stacks(square=True), st.integers(0, 3), st.sampled_from(["same", "vector", "one", "more"]), st.integers(0, 99))
def test_solve(case: tuple[pe.Tensor, Array, str], k: int, kind: str, seed: int) -> None:
    x, values, dtype = case
    n = x.shape[-1]
    c = condition(values)
    if (c * unit(dtype, n) > 0.1).any():
        return
    shape = {"same": (*x.shape[:-1], k), "vector": (n,), "one": (n, k), "more": (2, *(1 for _ in x.shape[:-2]), n, k)}[kind]
    b = normal(np.random.default_rng(seed), shape, dtype)
    columns = b[:, None] if kind == "vector" else b
    expected = np.linalg.inv(values) @ columns
    bound = 4 * unit(dtype, n) * c * (norm(np.linalg.inv(values)) * norm(columns))
    if kind == "vector":
        expected, bound = expected[..., 0], bound[..., 0]
    assert_within(pe.linalg.solve(x, pe.asarray(b)), expected, bound, dtype)


def test_solve_promotes() -> None:
    a, b = pe.eye(2, dtype=pe.float32), pe.asarray([1j, 2.0], dtype=pe.complex128)
    assert pe.linalg.solve(a, b).dtype is pe.complex128
    assert pe.linalg.solve(pe.eye(2, dtype=pe.float64), pe.ones(2)).dtype is pe.float64


@given(stacks(square=True))
def test_determinants(case: tuple[pe.Tensor, Array, str]) -> None:
    """The error of an LU factorisation is one of x itself: the determinant moves by the cofactors, at most the product of row norms."""
    x, values, dtype = case
    n = x.shape[-1]
    expected = np.linalg.det(values)
    hadamard = np.sqrt((np.abs(values) ** 2).sum(-1)).prod(-1)
    bound = 2 * (n + 1) * unit(dtype, n) * np.maximum(hadamard, norm(values)[..., 0, 0] ** n)
    assert_within(pe.linalg.det(x), expected, bound, dtype)
    sign, logabsdet = pe.linalg.slogdet(x)
    assert logabsdet.dtype.name == PARTS[dtype]
    assert_within(sign, sign.numpy(), 0, dtype)
    product = wide(sign) * np.exp(wide(logabsdet))
    assert (np.abs(product - expected) <= bound).all()


def test_determinant_of_singular_matrices() -> None:
    x = pe.asarray([[1.0, 2.0], [2.0, 4.0]])
    assert pe.linalg.det(x).item() == 0
    assert [v.item() for v in pe.linalg.slogdet(x)] == [0.0, -math.inf]


@given(stacks(), st.sampled_from([None, 0.3, "array"]))
def test_pinv_and_rank(case: tuple[pe.Tensor, Array, str], rtol: Any) -> None:
    x, values, dtype = case
    s = np.linalg.svd(values, compute_uv=False)
    cut = max(x.shape[-2:]) * EPS[dtype] if rtol is None else 0.3
    largest = s.max(-1, keepdims=True, initial=0.0)
    if (np.abs(s - cut * largest) < 1e3 * EPS[dtype] * largest).any() or (rtol is None and (s < 1e-3 * largest).any()):
        return  # a singular value at the limit, or a matrix too ill-conditioned for float32
    if rtol == "array":
        rtol = pe.full(x.shape[:-2], 0.3, dtype=PARTS[dtype])
    kept = s > cut * largest
    rank = pe.linalg.matrix_rank(x, rtol=rtol)
    assert rank.dtype is pe.int64
    np.testing.assert_array_equal(rank.numpy(), kept.sum(-1))
    u, s, vh = np.linalg.svd(values, full_matrices=False)
    inverse = np.where(kept, 1 / np.where(kept, s, 1), 0)
    expected = (vh.conj().swapaxes(-1, -2) * inverse[..., None, :]) @ u.conj().swapaxes(-1, -2)
    if rtol is not None and s.size and (np.abs(np.diff(kept * 1.0, axis=-1)) * -np.diff(s, axis=-1) < 0).any():
        return
    gap = np.where(kept, s, np.inf).min(-1, initial=np.inf) - np.where(kept, 0, s).max(-1, initial=0.0)
    bound = 8 * unit(dtype, *x.shape[-2:]) * (norm(values)[..., 0, 0] * norm(expected)[..., 0, 0] ** 2 + norm(expected)[..., 0, 0])
    loss = np.maximum(norm(values)[..., 0, 0] / np.maximum(gap, 1e-300), 1)
    assert_within(pe.linalg.pinv(x, rtol=rtol), expected, (bound * loss)[..., None, None], dtype)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5, 8])
def test_matrix_power(n: int) -> None:
    values = normal(np.random.default_rng(1), (2, 3, 3), "complex128") + 3 * np.eye(3)
    expected = np.linalg.matrix_power(values, n)
    bound = 10 * (abs(n) + 1) * unit("complex128", 3) * condition(values) * (norm(values) ** n + norm(expected))
    assert_within(pe.linalg.matrix_power(pe.asarray(values), n), expected, bound, "complex128")


# Decompositions -------------------------------------------------------------------------------------------------------------------------


@given(stacks(square=True), st.booleans())
def test_cholesky(case: tuple[pe.Tensor, Array, str], upper: bool) -> None:
    x, _, dtype = case
    a = x @ adjoint(x) + pe.eye(x.shape[-1], dtype=x.dtype)
    factor = wide(pe.linalg.cholesky(a, upper=upper))
    assert (factor == (np.triu if upper else np.tril)(factor)).all()
    assert (factor.diagonal(axis1=-2, axis2=-1).imag == 0).all()
    assert (factor.diagonal(axis1=-2, axis2=-1).real > 0).all()
    h = factor.conj().swapaxes(-1, -2)
    product = h @ factor if upper else factor @ h
    assert (np.abs(product - wide(a)) <= unit(dtype, x.shape[-1]) * norm(wide(a))).all()


@given(stacks(), st.sampled_from(["reduced", "complete"]))
def test_qr(case: tuple[pe.Tensor, Array, str], mode: Any) -> None:
    x, values, dtype = case
    m, n = x.shape[-2:]
    k = m if mode == "complete" else min(m, n)
    result = pe.linalg.qr(x, mode=mode)
    assert result._fields == ("Q", "R")
    assert (result.Q.shape, result.R.shape) == ((*x.shape[:-1], k), (*x.shape[:-2], k, n))
    assert result.Q.dtype is result.R.dtype is x.dtype
    q, r = wide(result.Q), wide(result.R)
    assert_orthonormal(q, dtype)
    assert (r == np.triu(r)).all()
    assert (r.diagonal(axis1=-2, axis2=-1).imag == 0).all()
    assert (np.abs(q @ r - values) <= unit(dtype, m, n) * norm(values)).all()


@given(stacks(), st.booleans())
def test_svd(case: tuple[pe.Tensor, Array, str], full: bool) -> None:
    x, values, dtype = case
    m, n = x.shape[-2:]
    k = min(m, n)
    result = pe.linalg.svd(x, full_matrices=full)
    assert result._fields == ("U", "S", "Vh")
    assert result.U.shape == (*x.shape[:-1], m if full else k)
    assert result.Vh.shape == (*x.shape[:-2], n if full else k, n)
    assert result.U.dtype is result.Vh.dtype is x.dtype
    u, s, vh = (wide(part) for part in result)
    assert_orthonormal(u, dtype)
    assert_orthonormal(vh.conj().swapaxes(-1, -2), dtype)
    assert (np.abs((u[..., :k] * s[..., None, :]) @ vh[..., :k, :] - values) <= unit(dtype, m, n) * norm(values)).all()
    bound = unit(dtype, m, n) * norm(values)[..., 0]
    for actual in (result.S, pe.linalg.svdvals(x)):
        assert_within(actual, np.linalg.svd(values, compute_uv=False), bound, PARTS[dtype])


@given(stacks(square=True))
def test_eigh(case: tuple[pe.Tensor, Array, str]) -> None:
    x, _, dtype = case
    a = x + adjoint(x)
    values = wide(a)
    result = pe.linalg.eigh(a)
    assert result._fields == ("eigenvalues", "eigenvectors")
    assert result.eigenvectors.dtype is x.dtype
    w, q = (wide(part) for part in result)
    assert_orthonormal(q, dtype)
    bound = unit(dtype, x.shape[-1]) * norm(values)
    assert (np.abs(q * w[..., None, :] @ q.conj().swapaxes(-1, -2) - values) <= bound).all()
    for actual in (result.eigenvalues, pe.linalg.eigvalsh(a)):
        assert_within(actual, np.linalg.eigvalsh(values), bound[..., 0], PARTS[dtype])


@given(stacks(square=True))
def test_eig(case: tuple[pe.Tensor, Array, str]) -> None:
    x, values, dtype = case
    result = pe.linalg.eig(x)
    assert result._fields == ("eigenvalues", "eigenvectors")
    assert {part.dtype.name for part in (*result, pe.linalg.eigvals(x))} == {"complex64" if EPS[dtype] > 1e-10 else "complex128"}
    w, v = (wide(part) for part in result)
    bound = unit(dtype, x.shape[-1]) * norm(values)
    assert (np.abs(values @ v - v * w[..., None, :]) <= bound).all()
    assert (np.abs(np.sqrt((np.abs(v) ** 2).sum(-2)) - 1) <= unit(dtype, x.shape[-1])).all()
    # Eigenvalues of a general matrix may move by eps^(1/n); their sum, the trace, does not.
    total = wide(pe.linalg.eigvals(x)).sum(-1)
    assert (np.abs(total - np.trace(values, axis1=-2, axis2=-1)) <= x.shape[-1] * bound[..., 0, 0]).all()


# Norms ----------------------------------------------------------------------------------------------------------------------------------

ORDERS = [0, 1, 2, 3, 0.5, -1, -2, -0.5, 30, math.inf, -math.inf]


@pytest.mark.parametrize("order", ORDERS)
@given(stacks(), st.sampled_from([None, -1, 0, (-2, -1)]), st.booleans())
def test_vector_norm(order: float, case: tuple[pe.Tensor, Array, str], axis: Any, keepdims: bool) -> None:
    """A power of 1 / p multiplies relative errors by 1 / p, after one of p has multiplied them by p; the sum adds its own."""
    x, values, dtype = case
    if 0 in x.shape:
        return
    moved = values.reshape(-1) if axis is None else values
    with np.errstate(divide="ignore"):
        axes = tuple(range(x.ndim)) if axis is None else axis
        if axis in (None, (-2, -1)):
            moved = np.abs(values)
            expected = {0: lambda: (moved != 0).sum(axes, keepdims=keepdims), math.inf: lambda: moved.max(axes, keepdims=keepdims)}
            expected[-math.inf] = lambda: moved.min(axes, keepdims=keepdims)
            result = expected.get(order, lambda: (moved**order).sum(axes, keepdims=keepdims) ** (1 / order))()
        else:
            result = np.linalg.norm(values, order, axis, keepdims)
    terms = x.size + 40 * max(1.0, abs(order) if math.isfinite(order) else 1.0)
    relative = 2 * terms * EPS[dtype] * (max(1.0, 1 / abs(order)) if order else 1.0)
    actual = pe.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=order)
    assert_within(actual, np.asarray(result), relative * np.abs(result), PARTS[dtype])


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf, None])
@given(stacks(), st.booleans())
def test_matrix_norm(order: Any, case: tuple[pe.Tensor, Array, str], keepdims: bool) -> None:
    x, values, dtype = case
    if 0 in x.shape:
        return
    expected = np.linalg.norm(values, order or "fro", (-2, -1), keepdims)
    bound = 6 * unit(dtype, *x.shape[-2:]) * norm(values)
    actual = pe.linalg.matrix_norm(x, ord=order, keepdims=keepdims)
    assert_within(actual, np.asarray(expected), bound if keepdims else bound[..., 0, 0], PARTS[dtype])


def test_norms_of_nothing_and_of_extremes() -> None:
    assert pe.linalg.vector_norm(pe.zeros((2, 0)), axis=1).tolist() == [0, 0]
    assert pe.linalg.matrix_norm(pe.zeros((2, 0, 3))).tolist() == [0, 0]
    assert pe.linalg.matrix_norm(pe.zeros((2, 0, 3)), ord="nuc").tolist() == [0, 0]
    assert pe.linalg.vector_norm(pe.asarray([3e30, 4e30])).item() == pytest.approx(5e30, rel=1e-6)
    assert pe.linalg.vector_norm(pe.asarray([300.0, 400.0], dtype=pe.float16)).item() == 500
    assert pe.linalg.vector_norm(pe.asarray([math.inf, 1.0])).item() == math.inf
    assert math.isnan(pe.linalg.vector_norm(pe.asarray([math.nan, 1.0])).item())
    assert pe.linalg.vector_norm(pe.asarray([0.0, 1.0]), ord=-1).item() == 0
    assert pe.linalg.vector_norm(pe.zeros(3), ord=3).item() == 0


CROSSED = [((3,), (3,), -1), ((2, 3), (3,), -1), ((4, 1, 3), (2, 3), -1), ((3, 2), (5, 3, 1), -2)]


@given(st.integers(0, 99), st.sampled_from(CROSSED), dtypes)
def test_cross(seed: int, shapes: Any, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    a, b = normal(rng, shapes[0], dtype), normal(rng, shapes[1], dtype)
    axis = shapes[2]
    expected = np.cross(a.astype(WIDE[dtype]), b.astype(WIDE[dtype]), axis=axis)
    size = np.abs(a).max() * np.abs(b).max()
    assert_within(pe.linalg.cross(pe.asarray(a), pe.asarray(b), axis=axis), expected, 8 * EPS[dtype] * size, dtype)
    integers = pe.linalg.cross(pe.asarray([1, 2, 3]), pe.asarray([4, 5, 6]))
    assert (integers.dtype, integers.tolist()) == (pe.int64, [-3, 6, -3])


def test_vecdot_conjugates_its_first_argument() -> None:
    assert pe.linalg.vecdot(pe.asarray([1j, 2.0]), pe.asarray([1.0, 1j])).item() == 1j


# Errors ---------------------------------------------------------------------------------------------------------------------------------

singular = [[1.0, 2.0], [2.0, 4.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pe.linalg.inv(singular), ValueError, r"inv: singular matrix: shape \(2, 2\); every matrix must be invertible"),
        (lambda: pe.linalg.solve(singular, [1.0, 2.0]), ValueError, r"solve: singular matrix: shape \(2, 2\), \(2, 1\)"),
        (lambda: pe.linalg.matrix_power(singular, -1), ValueError, "inv: singular matrix"),
        (
            lambda: pe.linalg.cholesky(-pe.eye(2)),
            ValueError,
            "cholesky: matrix is not positive definite: .*; every eigenvalue",
        ),
        (lambda: pe.linalg.solve(pe.eye(2), pe.ones((3, 1))), ValueError, r"solve: sizes differ: a \(2, 2\), b \(3, 1\)"),
        (lambda: pe.linalg.solve(pe.ones((2, 2, 2)), pe.ones((3, 2, 1))), ValueError, "solve: stacks cannot be broadcast"),
        (lambda: pe.linalg.qr(pe.eye(2), mode="r"), ValueError, "qr: unknown mode: 'r'"),  # type: ignore[arg-type]
        (lambda: pe.linalg.eig(pe.full((2, 2), math.nan)), ValueError, "eig: array must not contain infs or nans: .*must be finite"),
        (lambda: pe.linalg.matrix_norm(pe.ones((2, 2)), ord=3), ValueError, "matrix_norm: unknown order: 3"),
        (lambda: pe.linalg.matrix_norm(pe.ones(2)), ValueError, "matrix_norm: rank too low"),
        (lambda: pe.linalg.vector_norm(pe.ones(2, dtype=pe.int32)), TypeError, "vector_norm: dtype not supported: .*int32"),
        (lambda: pe.linalg.cross(pe.ones(2), pe.ones(2)), ValueError, r"cross: not of three elements: a \(2,\), b \(2,\)"),
        (lambda: pe.linalg.cross(pe.ones((3, 1)), pe.ones((3, 3)), axis=-1), ValueError, "cross: not of three elements"),
        (lambda: pe.linalg.cross(pe.ones(3), pe.ones((3, 3)), axis=-2), IndexError, r"cross: axis out of range: -2 .*\[-1, -1\]"),
        (lambda: pe.linalg.cross(pe.ones(3), pe.ones(3), axis=0), IndexError, "cross: axis out of range: 0"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


SQUARE = ["cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "slogdet"]


@pytest.mark.parametrize("name", [*SQUARE, "qr", "svd", "svdvals", "pinv", "matrix_rank"])
def test_what_is_no_stack_of_matrices(name: str) -> None:
    f = getattr(pe.linalg, name)
    with pytest.raises(ValueError, match=rf"{name}: rank too low: shape \(3,\); at least 2 axes are needed"):
        f(pe.ones(3))
    for dtype in (pe.int64, pe.bool, pe.float16, pe.bfloat16):
        with pytest.raises(TypeError, match=f"{name}: dtype not supported: .*{dtype.name}; must be float32"):
            f(pe.eye(2, dtype=dtype))
    if name in SQUARE:
        with pytest.raises(ValueError, match=rf"{name}: not square: shape \(2, 3\)"):
            f(pe.ones((2, 3)))
