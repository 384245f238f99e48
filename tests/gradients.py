"""Gradients against finite differences: random directional derivatives in float64, to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import pyengine as pe
from pyengine.ops.complex import from_parts

Scalar = Callable[..., Any]
Floats = npt.NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)

# The five-point formula (-F(2h) + 8 F(h) - 8 F(-h) + F(-2h)) / 12h errs by F's fifth derivative times h^4 / 30 from truncation, and by
# 1.5 eps |F| / h from rounding (Fornberg 1988). They balance near h = eps^(1/5), at about eps^(4/5) = 3e-13 of F's scale.
STEP = EPS**0.2
# F's own rounding errors and its fifth derivative are larger than F by factors that depend on f. A wrong gradient is wrong in its
# leading digits, so four decimal orders for them cost nothing.
TOLERANCE = 1e4 * EPS**0.8


def check_gradients(f: Callable[..., Any], *arrays: npt.ArrayLike, order: int = 2, seed: int = 0) -> None:
    """Asserts d/dt F(x + t v) = <grad F(x), v> for F(x) = <w, f(x)>, random v and w; then the same for that derivative, up to ``order``.

    ``f`` takes a Tensor for each array and returns a Tensor. It must be smooth within about 2e-3 of the arrays: keep clear of kinks.
    """
    rng = np.random.default_rng(seed)
    points = [np.array(a, np.float64) for a in arrays]
    weights: list[Any] = []

    def scalar(*tensors: Any) -> Any:
        y = f(*tensors)
        if not weights:
            weights.append(pe.asarray(rng.standard_normal(y.shape), dtype=pe.float64))
        return pe.sum(y * weights[0])

    for n in range(1, order + 1):
        directions = [rng.standard_normal(p.shape) for p in points]
        scalar = _check_and_differentiate(scalar, points, directions, f"order {n}")


def _check_and_differentiate(F: Scalar, points: Sequence[Floats], directions: Sequence[Floats], what: str) -> Scalar:
    """Compares F's slope along the directions with finite differences, and returns it as a function."""

    def slope(*tensors: Any) -> Any:
        value = F(*tensors)
        total = pe.sum(value * 0.0)
        if not value.requires_grad:  # constant: F, or an earlier derivative, does not depend on the arrays any more
            return total
        grads = pe.gradients(value, tensors, create_graph=True, allow_unused=True)
        for g, t, v in zip(grads, tensors, directions, strict=True):
            if g is not None:
                assert g.shape == t.shape, f"{what}: gradient has shape {g.shape}, its input {t.shape}"
                total = total + pe.sum(g * pe.asarray(v, dtype=pe.float64))
        return total

    def along(t: float) -> float:
        return float(F(*_leaves([p + t * v for p, v in zip(points, directions, strict=True)])).item())

    at = {s: along(s * STEP) for s in (-2, -1, 1, 2)}
    numeric = (at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * STEP)
    analytic = float(slope(*_leaves(points)).item())
    scale = max(1.0, abs(numeric), *map(abs, at.values()))
    error, bound = abs(analytic - numeric), TOLERANCE * scale
    assert error <= bound, f"{what}: derivative {analytic!r}, finite difference {numeric!r}, error {error:.3g}, bound {bound:.3g}"
    return slope


def by_parts(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of complex tensors as one of their real and imaginary parts in turn, with the parts of its result side by side."""

    def real_function(*parts: Any) -> Any:
        return parts_of(f(*(from_parts(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True))))

    return real_function


def parts_of(y: Any) -> Any:
    return pe.stack([pe.real(y), pe.imag(y)]) if y.dtype.kind == "c" else y


def _leaves(points: Sequence[Floats]) -> list[Any]:
    return [pe.asarray(p, dtype=pe.float64, requires_grad=True) for p in points]
