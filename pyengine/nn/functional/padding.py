"""Padding, in PyTorch's order: (left, right, top, bottom, front, back), from the last axis on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyengine import ops
from pyengine.creation import asarray
from pyengine.tensor import Tensor

__all__ = ["pad"]

_modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # what numpy.pad calls them


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Elements before and behind the last ``len(pad) / 2`` axes; negative widths crop.

    'constant': ``value``; 'reflect': mirrored without the edge; 'replicate': the edge; 'circular': from the other end. Gradient: summed
    into the elements that were copied. ValueError if the widths do not come in pairs, are more than the axes, or reach beyond what can be
    copied.
    """
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(f"pad: widths do not fit: {tuple(pad)} for shape {input.shape}; two for each axis, the last axis first")
    widths = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    start = input.ndim - len(widths)
    if mode == "constant":
        return ops.pad(input, [(0, 0)] * start + widths, value=value)
    if mode not in _modes:
        raise ValueError(f"pad: unknown mode: {mode!r}; must be 'constant', {', '.join(map(repr, _modes))}")
    for axis, (low, high) in enumerate(widths, start):
        if (low, high) != (0, 0):
            input = ops.take(input, asarray(_sources(input.shape[axis], low, high, mode), device=input.device), axis=axis)
    return input


def _sources(size: int, low: int, high: int, mode: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which element of an axis each element of the padded axis copies."""
    reach = {"reflect": size - 1, "replicate": max(low, high) if size else 0, "circular": size}[mode]
    if max(low, high) > reach:
        raise ValueError(f"pad: width too large: {(low, high)} for an axis of size {size}; {mode} padding reaches {reach} elements")
    padded = np.pad(np.arange(size), (max(low, 0), max(high, 0)), mode=_modes[mode])  # type: ignore[call-overload]
    return padded[max(-low, 0) : len(padded) - max(-high, 0)]  # type: ignore[no-any-return]
