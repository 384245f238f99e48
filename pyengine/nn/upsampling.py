"""Upsample: resampling as a layer."""

from __future__ import annotations

from collections.abc import Sequence

from pyengine.nn import functional as F
from pyengine.nn.module import Module
from pyengine.tensor import Tensor

__all__ = ["Upsample"]


class Upsample(Module):
    """x (N, C, n…) at other sizes: :func:`~pyengine.nn.functional.interpolate`."""

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        target = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{target}, mode={self.mode!r}"
