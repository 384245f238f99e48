"""Pooling as layers, in one, two and three dimensions; x is (N, C, positions…) or (C, positions…)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pyengine.nn import functional as F
from pyengine.nn.module import Module
from pyengine.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]

Sizes = int | Sequence[int]
Padding = Sizes | Sequence[tuple[int, int]] | str


class _Pool(Module):
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None, padding: Padding, ceil_mode: bool) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Padding = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.dilation = dilation
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        return type(self)._function(
            x, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class MaxPool1d(_MaxPool):
    """The largest element of every window; what lies outside x does not count. Gradient: to the first that is largest."""

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """:class:`MaxPool1d` over height and width."""

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """:class:`MaxPool1d` over depth, height and width."""

    _function = staticmethod(F.max_pool3d)


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = type(self)._function(
            x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode, count_include_pad=self.count_include_pad
        )
        return result


class AvgPool1d(_AvgPool):
    """The mean of every window; padding counts as zeros, or, with ``count_include_pad=False``, not at all."""

    _function = staticmethod(F.avg_pool1d)


class AvgPool2d(_AvgPool):
    """:class:`AvgPool1d` over height and width."""

    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """:class:`AvgPool1d` over depth, height and width."""

    _function = staticmethod(F.avg_pool3d)


class _AdaptivePool(Module):
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Any:
        return type(self)._function(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size: int | Sequence[int | None], return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        return type(self)._function(x, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_AdaptivePool):
    """``output_size`` means, of windows from ⌊i L / output_size⌋ up to ⌈(i + 1) L / output_size⌉."""

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """:class:`AdaptiveAvgPool1d` over height and width; a size None keeps the input's."""

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """:class:`AdaptiveAvgPool1d` over depth, height and width; a size None keeps the input's."""

    _function = staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """``output_size`` maxima, of windows from ⌊i L / output_size⌋ up to ⌈(i + 1) L / output_size⌉."""

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """:class:`AdaptiveMaxPool1d` over height and width; a size None keeps the input's."""

    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """:class:`AdaptiveMaxPool1d` over depth, height and width; a size None keeps the input's."""

    _function = staticmethod(F.adaptive_max_pool3d)
