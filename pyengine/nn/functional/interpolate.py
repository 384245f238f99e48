"""Resampling of images and sequences to other sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyengine import ops
from pyengine.creation import asarray
from pyengine.tensor import Tensor

__all__ = ["interpolate"]

_linear_modes = {1: "linear", 2: "bilinear", 3: "trilinear"}


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """x (N, C, n…) at other sizes m…: either ``size``, or ⌊scale_factor n⌋.

    'nearest': element i of an axis copies element ⌊i n / m⌋. 'linear', 'bilinear', 'trilinear' (for one, two, three axes): between the two
    elements around position (i + 1/2) n / m - 1/2, held inside the axis, weighted by nearness; with ``align_corners`` the position is
    i (n - 1) / (m - 1), so that ends meet ends. Each axis is one product with a matrix (m, n), or one look-up: so is the gradient.
    ValueError if sizes, or a mode, do not fit.
    """
    sizes = _sizes(input, size, scale_factor)
    if mode not in ("nearest", _linear_modes.get(len(sizes))):
        raise ValueError(
            f"interpolate: mode does not fit: {mode!r}, input {input.shape}; must be 'nearest' or {_linear_modes.get(len(sizes))!r}"
        )
    for axis, new in enumerate(sizes, 2):
        old = input.shape[axis]
        if mode == "nearest":
            input = ops.take(input, asarray(np.arange(new) * old // new, device=input.device), axis=axis)
        elif new != old:
            weights = asarray(_weights(old, new, align_corners), device=input.device).astype(input.dtype)
            input = ops.moveaxis(ops.matmul(ops.moveaxis(input, axis, -1), weights.mT), -1, axis)
    return input


def _sizes(x: Tensor, size: int | Sequence[int] | None, scale: float | Sequence[float] | None) -> list[int]:
    rank = x.ndim - 2
    if (size is None) == (scale is None):
        raise ValueError(f"interpolate: size {size}, scale_factor {scale}; give one of them")
    given: Any = size if scale is None else scale
    values = list(given) if isinstance(given, Sequence) else [given] * rank
    sizes = values if scale is None else [int(n * factor) for n, factor in zip(x.shape[2:], values, strict=False)]
    if rank not in _linear_modes or len(values) != rank or min(sizes) < 1 or 0 in x.shape[2:]:
        raise ValueError(f"interpolate: sizes do not fit: {given} for input {x.shape}; one of at least 1 for each axis behind (N, C)")
    return sizes


def _weights(old: int, new: int, align_corners: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    steps = np.arange(new)
    position = steps * (old - 1) / max(new - 1, 1) if align_corners else (steps + 0.5) * old / new - 0.5
    position = position.clip(0, old - 1)
    low = np.minimum(np.floor(position).astype(np.int64), max(old - 2, 0))
    weights = np.zeros((new, old))
    np.add.at(weights, (steps, low), 1 - (position - low))
    np.add.at(weights, (steps, np.minimum(low + 1, old - 1)), position - low)
    return weights
