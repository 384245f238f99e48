"""Dropout of elements (the op) and of whole channels."""

from __future__ import annotations

from pyengine.creation import ones
from pyengine.ops import dropout
from pyengine.tensor import Tensor

__all__ = ["dropout", "dropout1d", "dropout2d", "dropout3d"]


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Each channel of x (N, C, L) or (C, L) kept whole, times 1 / (1 - p), with probability 1 - p, else 0. Source: Tompson et al. 2015."""
    return _dropout_channels("dropout1d", input, p, training, 1)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """:func:`dropout1d` for x (N, C, H, W) or (C, H, W)."""
    return _dropout_channels("dropout2d", input, p, training, 2)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """:func:`dropout1d` for x (N, C, D, H, W) or (C, D, H, W)."""
    return _dropout_channels("dropout3d", input, p, training, 3)


def _dropout_channels(op: str, x: Tensor, p: float, training: bool, rank: int) -> Tensor:
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"{op}: rank does not fit: shape {x.shape}; must be (N, C, …) or (C, …) with {rank} positions")
    factors = dropout(ones((*x.shape[: x.ndim - rank], *[1] * rank), x.dtype, device=x.device), p, training)
    return x * factors
