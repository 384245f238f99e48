"""``pyengine.lib.stride_tricks``, where NumPy has its windows and xarray looks for them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from pyengine import creation, ops
from pyengine.tensor import Tensor, as_tensor

__all__ = ["stride_tricks"]


def sliding_window_view(array: Any, window_shape: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """``y[..., i, ..., w] = x[..., i + w, ...]``: all windows along the axes, each window's own axes last. A copy, unlike NumPy's.

    Gradient: every element gets the sum over its windows. ValueError where a window is longer than its axis.
    """
    x = as_tensor(array)
    windows = (window_shape,) if isinstance(window_shape, int) else tuple(window_shape)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if len(windows) != len(axes):
        raise ValueError(f"sliding_window_view: counts differ: windows {windows}, axes {axes}; one window for each axis")
    for along, window in zip((a % x.ndim for a in axes), windows, strict=True):
        if not 0 < window <= x.shape[along]:
            raise ValueError(f"sliding_window_view: window does not fit: {window} on axis {along} of {x.shape}; must be in [1, size]")
        starts = creation.arange(x.shape[along] - window + 1, device=x.device)
        places = ops.add(ops.expand_dims(starts, 1), creation.arange(window, device=x.device))
        windowed = ops.reshape(
            ops.take(x, ops.reshape(places, (-1,)), axis=along), (*x.shape[:along], *places.shape, *x.shape[along + 1 :])
        )
        x = ops.moveaxis(windowed, along + 1, -1)
    return x


stride_tricks = SimpleNamespace(sliding_window_view=sliding_window_view)
