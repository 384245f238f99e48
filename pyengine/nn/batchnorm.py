"""Normalisation of channels with running statistics: BatchNorm and InstanceNorm, in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from pyengine.autograd import no_grad
from pyengine.creation import ones, zeros
from pyengine.nn import functional as F
from pyengine.nn.module import Module
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _Norm(Module):
    """Parameters and buffers of both; ``num_batches_tracked`` counts the batches seen."""

    _ranks: ClassVar[tuple[int, ...]]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: str | None,
        dtype: Any,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(ones((num_features,), dtype, device=device)) if affine else None
        self.bias = Parameter(zeros((num_features,), dtype, device=device)) if affine else None
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros((num_features,), dtype, device=device) if tracked else None)
        self.register_buffer("running_var", ones((num_features,), dtype, device=device) if tracked else None)
        self.register_buffer("num_batches_tracked", zeros((), "int64", device=device) if tracked else None)

    def reset_running_stats(self) -> None:
        """Back to mean 0, variance 1, no batch seen."""
        with no_grad():
            for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
                if buffer is not None:
                    buffer[...] = value

    def _check(self, x: Tensor) -> None:
        if x.ndim not in self._ranks:
            raise ValueError(
                f"{type(self).__name__}: rank does not fit: shape {x.shape}; must have rank {' or '.join(map(str, self._ranks))}"
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=by_batch,
            momentum=self._count_batch() if self.training else 0.0,
            eps=self.eps,
        )

    def _count_batch(self) -> float:
        """The share of this batch in the running statistics: ``momentum``, or 1 / batches for a plain mean of all."""
        if self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked += 1
        return 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum


class BatchNorm1d(_BatchNorm):
    """y = (x - mean) / √(var + eps) w + b for every channel: x (N, C) or (N, C, L), statistics over all other axes.

    In training, mean and var (without correction) are the batch's, and r ← (1 - momentum) r + momentum s updates the running mean and
    (corrected) variance r, ``momentum`` None being a plain mean of all batches; in evaluation the running ones are used. ``weight`` w,
    ``bias`` b, and the buffers have an element a channel. Source: Ioffe & Szegedy 2015.
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """:class:`BatchNorm1d` for x (N, C, H, W)."""

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """:class:`BatchNorm1d` for x (N, C, D, H, W)."""

    _ranks = (5,)


class _InstanceNorm(_Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        unbatched = x.ndim == self._ranks[0]
        result = F.instance_norm(
            x[None] if unbatched else x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            use_input_stats=self.training or self.running_mean is None,
            momentum=self.momentum or 0.0,
            eps=self.eps,
        )
        return result[0] if unbatched else result


class InstanceNorm1d(_InstanceNorm):
    """y = (x - mean) / √(var + eps) w + b with the statistics of each sample's channel over its positions: x (N, C, L) or (C, L).

    ``track_running_stats`` keeps their running means over the batch, used in evaluation. Source: Ulyanov et al. 2016.
    """

    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` for x (N, C, H, W) or (C, H, W)."""

    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` for x (N, C, D, H, W) or (C, D, H, W)."""

    _ranks = (4, 5)
