"""pyengine.linalg and pyengine.fft against PyTorch: values and gradients in double precision, real and complex."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyengine as pe

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no peer to compare linear algebra with")

Array = np.ndarray[Any, Any]
Call = Callable[[Any, Any], Any]  # of the library and an array of it

# Both are backward stable: about n^2 eps times the condition, which well_conditioned keeps below 10; squares and inverses of it, in the
# gradients, and the factors of a gradient's few products stay within this.
TOLERANCE = 1e4 * 2.0**-52


def well_conditioned(shape: tuple[int, ...], dtype: str) -> Array:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype == "complex128" else 0)
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    return np.asarray((u * np.arange(1.0, 1.0 + min(shape[-2:]))) @ vh)


def positive(lib: Any, x: Any) -> Any:
    return x @ x.mT.conj() if lib is torch else x @ pe.conj(x.mT)


def projector(lib: Any, x: Any) -> Any:
    return positive(lib, x[..., :2])


CASES: dict[str, Call] = {
    "inv": lambda lib, x: lib.linalg.inv(x),
    "det": lambda lib, x: lib.linalg.det(x),
    "slogdet": lambda lib, x: lib.linalg.slogdet(x)[1],
    "sign of slogdet": lambda lib, x: lib.linalg.slogdet(x)[0] * lib.abs(x[..., 0, 0]),
    "solve": lambda lib, x: lib.linalg.solve(x, x[..., :2] * x[..., :2]),
    "matrix_power": lambda lib, x: lib.linalg.matrix_power(x, -3),
    "cholesky": lambda lib, x: lib.linalg.cholesky(positive(lib, x)),
    "eigvalsh": lambda lib, x: lib.linalg.eigvalsh(positive(lib, x)),
    "eigh": lambda lib, x: projector(lib, lib.linalg.eigh(positive(lib, x))[1]),
    "eig": lambda lib, x: lib.abs(lib.linalg.eig(x)[1]) * lib.abs(lib.linalg.eig(x)[0])[..., None, :],
    "det of a singular matrix": lambda lib, x: lib.linalg.det(x * lib.asarray([1.0, 1.0, 0.0], dtype=lib.float64)),
}
RECTANGULAR: dict[str, Call] = {
    "pinv": lambda lib, x: lib.linalg.pinv(x),
    "svdvals": lambda lib, x: lib.linalg.svdvals(x),
    "U of svd": lambda lib, x: projector(lib, lib.linalg.svd(x, full_matrices=False)[0][..., 1:]),
    "Vh of svd": lambda lib, x: projector(lib, lib.linalg.svd(x, full_matrices=False)[2].mT[..., 1:]),
    "Q of qr": lambda lib, x: lib.linalg.qr(x)[0],
    "R of qr": lambda lib, x: lib.linalg.qr(x)[1],
    **{
        f"matrix_norm {order}": lambda lib, x, order=order: lib.linalg.matrix_norm(x, ord=order)
        for order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
    },
    **{
        f"vector_norm {order}": lambda lib, x, order=order: lib.linalg.vector_norm(x, ord=order)
        for order in (1, 2, 3, 0.5, -1, math.inf, -math.inf)
    },
    "fft": lambda lib, x: lib.fft.fft(x, n=6, norm="ortho"),
    "ifft": lambda lib, x: lib.fft.ifft(x, n=2),
    "fftn": lambda lib, x: lib.fft.fftn(x),
    "ifftn": lambda lib, x: lib.fft.ifftn(x, norm="forward"),
    "irfft": lambda lib, x: lib.fft.irfft(x, n=5),
    "irfft even": lambda lib, x: lib.fft.irfft(x, n=6, norm="forward"),
    "irfftn": lambda lib, x: lib.fft.irfftn(x + 0j),
    "hfft": lambda lib, x: lib.fft.hfft(x, n=4),
    "fftshift": lambda lib, x: lib.fft.fftshift(x),
}
REAL: dict[str, Call] = {
    "rfft": lambda lib, x: lib.fft.rfft(x),
    "rfft even": lambda lib, x: lib.fft.rfft(x, n=4, norm="ortho"),
    "rfftn": lambda lib, x: lib.fft.rfftn(x, norm="forward"),
    "ihfft": lambda lib, x: lib.fft.ihfft(x, n=5),
}


def compare(call: Call, values: Array) -> None:
    ours, theirs = pe.asarray(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)
    y, peer = call(pe, ours), call(torch, theirs)
    close(y, peer)
    weights = np.random.default_rng(4).standard_normal(tuple(peer.shape))
    pe.sum(pe.abs(y - 0.25) * pe.asarray(weights)).backward()
    (torch.abs(peer - 0.25) * torch.tensor(weights)).sum().backward()
    close(ours.grad, theirs.grad)


def close(ours: Any, theirs: Any) -> None:
    expected = theirs.detach().resolve_conj().numpy()
    actual = ours.detach().numpy()
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", CASES)
def test_square(name: str, dtype: str) -> None:
    compare(CASES[name], well_conditioned((2, 3, 3), dtype))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3), (2, 3, 4)])
@pytest.mark.parametrize("name", RECTANGULAR)
def test_any_shape(name: str, shape: tuple[int, ...], dtype: str) -> None:
    compare(RECTANGULAR[name], well_conditioned(shape, dtype))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3)])
@pytest.mark.parametrize("name", REAL)
def test_real(name: str, shape: tuple[int, ...]) -> None:
    compare(REAL[name], well_conditioned(shape, "float64"))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_norm_of_zeros(order: float) -> None:
    ours, theirs = pe.zeros(3).requires_grad_(), torch.zeros(3, requires_grad=True)
    pe.linalg.vector_norm(ours, ord=order).backward()
    torch.linalg.vector_norm(theirs, ord=order).backward()
    assert ours.grad is not None
    assert ours.grad.tolist() == theirs.grad.tolist()
