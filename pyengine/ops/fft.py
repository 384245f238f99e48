"""Discrete Fourier transforms, computed by NumPy (pocketfft).

All of them are linear, so the gradient is the adjoint, which is a transform again: that in the other direction, with the factor 1 / n moved
from one direction to the other. ``norm`` says which one bears it: "backward" the inverse, "forward" the forward transform, and "ortho"
gives ``1 / sqrt(n)`` to both.
Dtypes: float32 and complex64, float64 and complex128; TypeError for others, 16-bit floats among them: they would lose most digits in
long sums, convert them first. ValueError if there is no point to transform or ``norm`` is none of the three, IndexError if an axis is out
of range. The error is about ``eps log2(n)``, relative to the norm of the result (Higham, Accuracy and Stability of Numerical Algorithms,
theorem 24.2). The names and meanings are those of the array API standard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from pyengine import creation, dtypes, interop, ops
from pyengine.autograd import record
from pyengine.device import as_device
from pyengine.ops.complex import conj
from pyengine.ops.shape import _axes
from pyengine.tensor import Axis, Tensor, as_tensor

Norm = Literal["backward"] | Literal["ortho"] | Literal["forward"]

_adjoint: dict[Norm, Norm] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def fft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """``y_k = sum_j x_j exp(-2 pi i j k / n)`` along ``axis``, x cut or filled up with zeros to n points; real x counts as complex.

    Gradient: :func:`ifft` of g, cut or filled up in turn.
    """
    return _complex_transform("fft", x, _points("fft", n), (axis,), norm, inverse=False)


def ifft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """``x_j = (1 / n) sum_k y_k exp(2 pi i j k / n)`` along ``axis``: the inverse of :func:`fft`. Gradient: :func:`fft` of g."""
    return _complex_transform("ifft", x, _points("ifft", n), (axis,), norm, inverse=True)


def fftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> Tensor:
    """:func:`fft` along each of ``axes`` (None: all) in turn, with ``s`` points, -1 for all there are. Gradient: :func:`ifftn` of g.

    ValueError for ``s`` without ``axes``.
    """
    return _complex_transform("fftn", x, s, axes, norm, inverse=False)


def ifftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> Tensor:
    """:func:`ifft` along each of ``axes`` in turn: the inverse of :func:`fftn`. Gradient: :func:`fftn` of g."""
    return _complex_transform("ifftn", x, s, axes, norm, inverse=True)


def rfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """:func:`fft` of real x, for ``k = 0 .. n // 2`` alone: the others are ``y_(n - k) = conj(y_k)``.

    Gradient: ``Re sum_k g_k exp(2 pi i j k / n)``. TypeError for complex x.
    """
    return _real_transform("rfft", x, _points("rfft", n), (axis,), norm)


def irfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The inverse of :func:`rfft`: n real points, ``2 (m - 1)`` by default, from the first ``n // 2 + 1`` of a Hermitian spectrum.

    The imaginary parts of the first and, for even n, the last of them do not count. Gradient: :func:`rfft` of g, doubled for all others.
    """
    return _hermitian_transform("irfft", x, _points("irfft", n), (axis,), norm)


def rfftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> Tensor:
    """:func:`rfft` along the last of ``axes``, then :func:`fft` along the others."""
    return _real_transform("rfftn", x, s, axes, norm)


def irfftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward") -> Tensor:
    """The inverse of :func:`rfftn`: :func:`ifft` along all of ``axes`` but the last, then :func:`irfft` along that."""
    return _hermitian_transform("irfftn", x, s, axes, norm)


def hfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """:func:`fft` of a Hermitian signal, ``x_(n - j) = conj(x_j)``, given by its first ``n // 2 + 1`` points: n real numbers."""
    _check_norm("hfft", norm)
    return _hermitian_transform("hfft", conj(as_tensor(x)), _points("hfft", n), (axis,), _adjoint[norm])


def ihfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """The inverse of :func:`hfft`: the first ``n // 2 + 1`` points of the Hermitian signal. TypeError for complex x."""
    _check_norm("ihfft", norm)
    return conj(_real_transform("ihfft", x, _points("ihfft", n), (axis,), _adjoint[norm]))


# Arguments --------------------------------------------------------------------------------------------------------------------------------


def _points(op: str, n: int | None) -> tuple[int] | None:
    if n is not None and n < 1:
        raise ValueError(f"{op}: no points: n {n}; must be at least 1")
    return None if n is None else (n,)


def _check_norm(op: str, norm: Any) -> None:
    if norm not in _adjoint:
        raise ValueError(f"{op}: unknown norm: {norm!r}; must be 'backward', 'ortho' or 'forward'")


def _as_complex(op: str, value: Any) -> Tensor:
    x = as_tensor(value)
    if not dtypes.is_inexact(x.dtype) or x.dtype.itemsize == 2:
        raise TypeError(f"{op}: dtype not supported: {x.dtype}; must be float32, float64, complex64 or complex128")
    return ops.astype(x, dtypes.complex_of(x.dtype), copy=False)


def _as_real(op: str, value: Any) -> Tensor:
    x = as_tensor(value)
    if x.dtype not in (dtypes.float32, dtypes.float64):
        raise TypeError(f"{op}: dtype not supported: {x.dtype}; must be float32 or float64")
    return x


def _layout(
    op: str, x: Tensor, s: Sequence[int] | None, axes: Sequence[int] | None, norm: Norm, hermitian: bool = False
) -> tuple[tuple[int, ...], list[int]]:
    """The axes, and how many points the transform has along each."""
    _check_norm(op, norm)
    if s is not None and axes is None:
        raise ValueError(f"{op}: sizes without axes: s {tuple(s)}; name the axes they are for")
    along = _axes(op, None if axes is None else tuple(axes), x.ndim)
    sizes = [x.shape[axis] for axis in along]
    if hermitian and sizes:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if s is not None:
        if len(s) != len(along):
            raise ValueError(f"{op}: counts differ: s {tuple(s)}, axes {along}; one size for each axis")
        sizes = [size if n == -1 else n for size, n in zip(sizes, s, strict=True)]
    if any(n < 1 for n in sizes):
        raise ValueError(f"{op}: no points: {sizes} along axes {along} of shape {x.shape}; every size must be at least 1")
    return along, sizes


def _resized(x: Tensor, axes: tuple[int, ...], sizes: Sequence[int]) -> Tensor:
    widths = [(0, 0)] * x.ndim
    for axis, size in zip(axes, sizes, strict=True):
        widths[axis] = (0, size - x.shape[axis])
    return ops.pad(x, widths) if any(width != (0, 0) for width in widths) else x


def _require_axis(op: str, axes: tuple[int, ...]) -> None:
    if not axes:
        raise ValueError(f"{op}: no axes: axes (); the last one is that of the real transform")


# Transforms -------------------------------------------------------------------------------------------------------------------------------


def _complex_transform(op: str, x: Any, s: Sequence[int] | None, axes: Sequence[int] | None, norm: Norm, inverse: bool) -> Tensor:
    x = _as_complex(op, x)
    along, sizes = _layout(op, x, s, axes, norm)
    return _complex_to_complex(_resized(x, along, sizes), along, norm, inverse)


def _real_transform(op: str, x: Any, s: Sequence[int] | None, axes: Sequence[int] | None, norm: Norm) -> Tensor:
    x = _as_real(op, x)
    along, sizes = _layout(op, x, s, axes, norm)
    _require_axis(op, along)
    half = _real_to_hermitian(_resized(x, along, sizes), along[-1], norm)
    return _complex_to_complex(half, along[:-1], norm, inverse=False)


def _hermitian_transform(op: str, x: Any, s: Sequence[int] | None, axes: Sequence[int] | None, norm: Norm) -> Tensor:
    x = _as_complex(op, x)
    along, sizes = _layout(op, x, s, axes, norm, hermitian=True)
    _require_axis(op, along)
    full = _complex_to_complex(_resized(x, along, [*sizes[:-1], sizes[-1] // 2 + 1]), along[:-1], norm, inverse=True)
    return _hermitian_to_real(full, sizes[-1], along[-1], norm)


def _complex_to_complex(x: Tensor, axes: tuple[int, ...], norm: Norm, inverse: bool) -> Tensor:
    if not axes:
        return x
    y = (np.fft.ifftn if inverse else np.fft.fftn)(interop.values_of(x), axes=axes, norm=norm)
    vjp = partial(_complex_to_complex, axes=axes, norm=_adjoint[norm], inverse=not inverse)
    return record("ifftn" if inverse else "fftn", interop.from_result(y, x.dtype, x.device), (x,), (vjp,))


def _real_to_hermitian(x: Tensor, axis: int, norm: Norm) -> Tensor:
    y = np.fft.rfft(interop.values_of(x), axis=axis, norm=norm)
    n = x.shape[axis]

    def vjp(g: Tensor) -> Tensor:
        return _hermitian_to_real(ops.multiply(g, _counted(0.5, n, axis, x, x.dtype)), n, axis, _adjoint[norm])

    return record("rfft", interop.from_result(y, dtypes.complex_of(x.dtype), x.device), (x,), (vjp,))


def _hermitian_to_real(x: Tensor, n: int, axis: int, norm: Norm) -> Tensor:
    y = np.fft.irfft(interop.values_of(x), n=n, axis=axis, norm=norm)
    dtype = dtypes.real_of(x.dtype)

    def vjp(g: Tensor) -> Tensor:
        return ops.multiply(_real_to_hermitian(g, axis, _adjoint[norm]), _counted(2.0, n, axis, x, dtype))

    return record("irfft", interop.from_result(y, dtype, x.device), (x,), (vjp,))


def _counted(weight: float, n: int, axis: int, x: Tensor, dtype: dtypes.DType) -> Tensor:
    """``weight`` for the frequencies that occur twice among n, once as a conjugate; 1 for 0 and, if n is even, n / 2; to multiply x's."""
    weights = np.full(n // 2 + 1, weight)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return creation.asarray(weights.reshape([-1 if i == axis else 1 for i in range(x.ndim)]), dtype=dtype, device=x.device)


# Frequencies ------------------------------------------------------------------------------------------------------------------------------


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: str | None = None) -> Tensor:
    """``f_k = k / (d n)`` for ``k = 0 .. (n - 1) // 2, -(n // 2) .. -1``: the frequencies of :func:`fft`, with d between the points.

    float32 by default. TypeError for a dtype that is not floating, ValueError for n below 1.
    """
    return _frequencies("fftfreq", n, [*range((n + 1) // 2), *range(-(n // 2), 0)], d, dtype, device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: str | None = None) -> Tensor:
    """``f_k = k / (d n)`` for ``k = 0 .. n // 2``: the frequencies of :func:`rfft`; otherwise as :func:`fftfreq`."""
    return _frequencies("rfftfreq", n, range(n // 2 + 1), d, dtype, device)


def _frequencies(op: str, n: int, k: Sequence[int], d: float, dtype: Any, device: str | None) -> Tensor:
    target = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    if not dtypes.is_floating(target):
        raise TypeError(f"{op}: not a floating dtype: {target}; frequencies are fractions")
    if n < 1 or d == 0 or math.isnan(d):
        raise ValueError(f"{op}: no frequencies: n {n}, d {d}; n must be at least 1, d not 0")
    return creation.asarray(np.array(k, np.float64) / (n * d), dtype=target, device=as_device(op, device))


def fftshift(x: Any, /, *, axes: Axis | Sequence[int] = None) -> Tensor:
    """x rolled by half its size along ``axes`` (None: all), so that frequency 0 comes to stand in the middle. Gradient: rolled back."""
    return _shifted("fftshift", as_tensor(x), axes, lambda size: size // 2)


def ifftshift(x: Any, /, *, axes: Axis | Sequence[int] = None) -> Tensor:
    """The inverse of :func:`fftshift`, from which it differs for odd sizes. Gradient: rolled back."""
    return _shifted("ifftshift", as_tensor(x), axes, lambda size: -(size // 2))


def _shifted(op: str, x: Tensor, axes: Axis | Sequence[int], shift: Any) -> Tensor:
    along = _axes(op, axes if axes is None or isinstance(axes, int) else tuple(axes), x.ndim)
    return ops.roll(x, tuple(shift(x.shape[axis]) for axis in along), axis=along)
