"""Fourier transforms against their definition, the product with the matrix exp(-2 pi i j k / n), in complex128; gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyengine as pe
from tests.gradients import by_parts, check_gradients
from tests.tolerance import gamma

Array = np.ndarray[Any, Any]
NORMS = ["backward", "ortho", "forward"]
DTYPES = {"float32": "complex64", "float64": "complex128", "complex64": "complex64", "complex128": "complex128"}
REAL = {"complex64": "float32", "complex128": "float64"}
EXPONENT = {"backward": (0.0, 1.0), "ortho": (0.5, 0.5), "forward": (1.0, 0.0)}  # of 1 / n, forwards and back


# The definition -------------------------------------------------------------------------------------------------------------------------


def resized(x: Array, size: int, axis: int) -> Array:
    x = np.moveaxis(x, axis, -1)[..., :size]
    return np.moveaxis(np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, size - x.shape[-1])]), -1, axis)


def defined(x: Array, axis: int, norm: str, inverse: bool) -> Array:
    n = x.shape[axis]
    powers = np.outer(np.arange(n), np.arange(n)) % n
    matrix = np.exp((2j if inverse else -2j) * np.pi * powers / n)
    return np.asarray(np.moveaxis(np.moveaxis(x, axis, -1) @ matrix, -1, axis) / float(n) ** EXPONENT[norm][inverse])


def hermitian(half: Array, n: int, axis: int) -> Array:
    """All n frequencies from the first n // 2 + 1."""
    half = np.moveaxis(resized(half, n // 2 + 1, axis), axis, -1).astype(np.complex128)
    half[..., 0] = half[..., 0].real
    if n % 2 == 0:
        half[..., -1] = half[..., -1].real
    mirrored = np.conj(half[..., 1 : (n + 1) // 2][..., ::-1])
    return np.moveaxis(np.concatenate([half, mirrored], -1), -1, axis)


def expected_of(name: str, x: Array, sizes: Sequence[int], axes: Sequence[int], norm: str) -> Array:
    inverse = name in ("ifft", "ifftn", "irfft", "irfftn", "ihfft")
    *others, last = axes
    for size, axis in zip(sizes[:-1], others, strict=True):
        x = defined(resized(x, size, axis), axis, norm, inverse)
    n = sizes[-1]
    if name in ("irfft", "irfftn", "hfft"):
        return defined(hermitian(x, n, last), last, norm, inverse).real
    y = defined(resized(x, n, last), last, norm, inverse)
    return resized(y, n // 2 + 1, last) if name in ("rfft", "rfftn", "ihfft") else y


def assert_transformed(actual: pe.Tensor, expected: Array, x: Array, sizes: Sequence[int], dtype: str) -> None:
    """No worse than the plain sums: N products of complex numbers of at most |x_j|, two roundings each, added up (Higham, section 3.6).

    Every factor 1 / sqrt(n) and exp(..) is rounded once more, on every axis; a spectrum given by its half counts twice.
    """
    assert actual.dtype.name == dtype
    assert actual.shape == expected.shape
    size = math.prod(sizes)
    bound = gamma(2 * size + 6 * len(sizes) + 2, REAL.get(dtype, dtype)) * 2 * float(np.abs(x).sum())
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=2 * bound)


def draw_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype in REAL else x).astype(dtype)


@st.composite
def views(draw: st.DrawFn, dtype: str) -> tuple[pe.Tensor, Array]:
    """Stepped over, backwards and transposed; axes of size 0 are for tests of their own."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    values = draw_array(rng, tuple(shape), dtype)
    key = tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)
    x, y = pe.asarray(values)[key], values[key]
    return (pe.permute_dims(x, range(x.ndim)[::-1]), y.T) if draw(st.booleans()) else (x, y)


def result_dtype(name: str, dtype: str) -> str:
    return REAL[DTYPES[dtype]] if name in ("irfft", "irfftn", "hfft") else DTYPES[dtype]


def dtypes_of(name: str) -> list[str]:
    return list(REAL.values()) if name in ("rfft", "rfftn", "ihfft") else list(DTYPES)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
@given(data=st.data())
def test_along_one_axis(name: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(dtypes_of(name)))
    x, values = data.draw(views(dtype))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    norm: Any = data.draw(st.sampled_from(NORMS))
    n = data.draw(st.none() | st.integers(1, 12))
    size = x.shape[axis] if n is None else n
    if name in ("irfft", "hfft") and n is None:
        size = 2 * (size - 1)
    if size == 0:
        with pytest.raises(ValueError, match=f"{name}: no points"):
            getattr(pe.fft, name)(x, axis=axis)
        return
    expected = expected_of(name, values.astype(np.complex128), [size], [axis], norm)
    actual = getattr(pe.fft, name)(x, n=n, axis=axis, norm=norm)
    assert_transformed(actual, expected, values, [size], result_dtype(name, dtype))


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@given(data=st.data())
def test_along_several_axes(name: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(dtypes_of(name)))
    x, values = data.draw(views(dtype))
    axes = data.draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True))
    norm: Any = data.draw(st.sampled_from(NORMS))
    s = data.draw(st.tuples(*(st.just(-1) | st.integers(1, 7) for _ in axes)))
    given_s = None if all(n == -1 for n in s) else s
    full = [x.shape[axis] for axis in axes]
    if name == "irfftn":
        full[-1] = max(2 * (full[-1] - 1), 0)
    sizes = [a if n == -1 else n for a, n in zip(full, s, strict=True)]
    if 0 in sizes:
        return
    expected = expected_of(name, values.astype(np.complex128), sizes, axes, norm)
    given_axes = None if given_s is None and axes == list(range(x.ndim)) else [axis - x.ndim for axis in axes]
    actual = getattr(pe.fft, name)(x, s=given_s, axes=given_axes, norm=norm)
    assert_transformed(actual, expected, values, sizes, result_dtype(name, dtype))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0, 4)])
def test_no_vectors_to_transform(shape: tuple[int, ...]) -> None:
    x = pe.zeros(shape)
    assert pe.fft.fft(x).shape == shape
    assert pe.fft.rfft(x).shape == (*shape[:-1], 3)
    assert pe.fft.irfft(x).shape == (*shape[:-1], 6)


# Gradients ------------------------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(1)
Z = RNG.standard_normal((2, 3, 5)), RNG.standard_normal((2, 3, 5))


def squared(f: Callable[..., pe.Tensor]) -> Callable[..., pe.Tensor]:
    """A linear function alone has no second derivative."""
    return lambda x: f(x) * f(x)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("axis", [-1, 1])
def test_gradients_along_one_axis(norm: Any, n: int | None, axis: int) -> None:
    for f in (pe.fft.fft, pe.fft.ifft, pe.fft.irfft, pe.fft.hfft):
        check_gradients(by_parts(squared(lambda x, f=f: f(x, n=n, axis=axis, norm=norm))), *Z)
    for f in (pe.fft.rfft, pe.fft.ihfft, pe.fft.fft, pe.fft.irfft):
        check_gradients(lambda x, f=f: pe.square(pe.abs(f(x, n=n, axis=axis, norm=norm) + 3.0)), Z[0])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("s", "axes"), [(None, None), (None, (2, 0)), ((3, 4, 4), (0, 1, 2)), ((4, 7), (2, 1)), ((-1, 4), (0, 2))])
def test_gradients_along_several_axes(norm: Any, s: Any, axes: Any) -> None:
    for f in (pe.fft.fftn, pe.fft.ifftn, pe.fft.irfftn):
        check_gradients(by_parts(squared(lambda x, f=f: f(x, s=s, axes=axes, norm=norm))), *Z)
    check_gradients(lambda x: pe.square(pe.abs(pe.fft.rfftn(x, s=s, axes=axes, norm=norm) + 3.0)), Z[0])


def test_shift_gradient() -> None:
    check_gradients(squared(pe.fft.fftshift), Z[0])
    check_gradients(squared(lambda x: pe.fft.ifftshift(x, axes=1)), Z[0])


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_gradient_keeps_the_dtype(dtype: str) -> None:
    x = pe.ones((2, 4), dtype=dtype, requires_grad=True)
    pe.sum(pe.abs(pe.fft.fftn(x) + 1.0)).backward()
    assert x.grad is not None
    assert x.grad.dtype.name == dtype


# Frequencies ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 100])
@pytest.mark.parametrize("d", [1.0, 0.25, -3.0])
def test_frequencies(n: int, d: float) -> None:
    for name in ("fftfreq", "rfftfreq"):
        expected = getattr(np.fft, name)(n, d)
        actual = getattr(pe.fft, name)(n, d=d)
        assert actual.dtype is pe.float32
        np.testing.assert_array_max_ulp(actual.numpy(), expected.astype(np.float32), 1)
        np.testing.assert_array_max_ulp(getattr(pe.fft, name)(n, d=d, dtype=pe.float64).numpy(), expected, 1)


@pytest.mark.parametrize("axes", [None, 0, -1, (0, 2), ()])
@pytest.mark.parametrize("shape", [(4, 5, 1), (3, 0, 2)])
def test_shifts(shape: tuple[int, ...], axes: Any) -> None:
    values = np.arange(math.prod(shape)).reshape(shape)
    x = pe.asarray(values)
    np.testing.assert_array_equal(pe.fft.fftshift(x, axes=axes).numpy(), np.fft.fftshift(values, axes))
    np.testing.assert_array_equal(pe.fft.ifftshift(x, axes=axes).numpy(), np.fft.ifftshift(values, axes))
    np.testing.assert_array_equal(pe.fft.ifftshift(pe.fft.fftshift(x, axes=axes), axes=axes).numpy(), values)


# Errors ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: pe.fft.fft(x, n=0), ValueError, "fft: no points: n 0; must be at least 1"),
        (lambda x: pe.fft.irfft(x, n=-1), ValueError, "irfft: no points: n -1"),
        (lambda x: pe.fft.fftn(x, s=(4, 0), axes=(0, 1)), ValueError, r"fftn: no points: \[4, 0\] along axes \(0, 1\) of shape \(4, 3\)"),
        (lambda x: pe.fft.irfft(x[:, :1]), ValueError, r"irfft: no points: \[0\] along axes \(1,\) of shape \(4, 1\)"),
        (lambda x: pe.fft.fft(x, norm="best"), ValueError, "fft: unknown norm: 'best'"),
        (lambda x: pe.fft.hfft(x, norm="best"), ValueError, "hfft: unknown norm: 'best'"),
        (lambda x: pe.fft.fftn(x, s=(4,)), ValueError, r"fftn: sizes without axes: s \(4,\)"),
        (lambda x: pe.fft.rfftn(x, s=(4,), axes=(0, 1)), ValueError, r"rfftn: counts differ: s \(4,\), axes \(0, 1\)"),
        (lambda x: pe.fft.rfftn(x, axes=()), ValueError, "rfftn: no axes"),
        (lambda x: pe.fft.fftn(x, axes=(0, 0)), ValueError, "fftn: axis named twice"),
        (lambda x: pe.fft.fft(x, axis=2), IndexError, "fft: axis out of range: 2 for rank 2"),
        (lambda x: pe.fft.rfft(x * 1j), TypeError, "rfft: dtype not supported: .*complex64; must be float32 or float64"),
        (lambda x: pe.fft.fft(pe.astype(x, pe.int32)), TypeError, "fft: dtype not supported: .*int32"),
        (lambda x: pe.fft.fft(pe.astype(x, pe.bfloat16)), TypeError, "fft: dtype not supported: .*bfloat16"),
        (lambda x: pe.fft.fftfreq(0), ValueError, "fftfreq: no frequencies: n 0, d 1.0"),
        (lambda x: pe.fft.rfftfreq(4, d=0.0), ValueError, "rfftfreq: no frequencies: n 4, d 0.0"),
        (lambda x: pe.fft.fftfreq(4, dtype=pe.int32), TypeError, "fftfreq: not a floating dtype: .*int32"),
        (lambda x: pe.fft.fftfreq(4, device="moon"), ValueError, "fftfreq"),
    ],
)
def test_errors(call: Callable[[pe.Tensor], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(pe.ones((4, 3)))
