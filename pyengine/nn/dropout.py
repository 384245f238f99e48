"""Dropout as a layer: active in training, the identity in evaluation."""

from __future__ import annotations

from pyengine.nn import functional as F
from pyengine.nn.module import Module
from pyengine.tensor import Tensor

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"]


class Dropout(Module):
    """In training, y = x / (1 - p) with probability 1 - p, else 0, for every element on its own. Source: Srivastava et al. 2014."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p out of range: {p}; must be in [0, 1]")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(Dropout):
    """:class:`Dropout` of whole channels: x (N, C, L) or (C, L). Source: Tompson et al. 2015."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout1d(x, self.p, self.training)


class Dropout2d(Dropout):
    """:class:`Dropout1d` for x (N, C, H, W) or (C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout2d(x, self.p, self.training)


class Dropout3d(Dropout):
    """:class:`Dropout1d` for x (N, C, D, H, W) or (C, D, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout3d(x, self.p, self.training)
