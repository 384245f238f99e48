"""Convolutions and transposed convolutions as layers, in one, two and three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

from pyengine.creation import empty
from pyengine.nn import functional as F
from pyengine.nn.linear import init_uniform
from pyengine.nn.module import Module
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

Sizes = int | Sequence[int]
Padding = Sizes | Sequence[tuple[int, int]] | str


class _Conv(Module):
    """What all convolutions share: settings, one number for each dimension, and parameters drawn from U(-k, k), k = 1 / √fan_in."""

    _rank: ClassVar[int]
    _transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Padding = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if groups <= 0 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups do not fit: in_channels {in_channels}, out_channels {out_channels}, groups {groups}; "
                "groups must divide both"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = self._sizes("kernel_size", kernel_size)
        self.stride = self._sizes("stride", stride)
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"{name}: no such padding: {padding!r}; must be 'same', 'valid', an integer, or one or a pair for each axis")
        self.padding = padding if isinstance(padding, str) else self._sizes("padding", padding)
        self.dilation = self._sizes("dilation", dilation)
        self.groups = groups
        ends = (in_channels, out_channels // groups) if self._transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(empty((*ends, *self.kernel_size), device=device, dtype=dtype))
        self.bias = Parameter(empty((out_channels,), device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init_uniform([self.weight, self.bias], math.prod(self.weight.shape[1:]))

    def _sizes(self, setting: str, value: Any) -> tuple[Any, ...]:
        sizes = (value,) * self._rank if isinstance(value, Integral) else tuple(value)
        if len(sizes) != self._rank:
            raise ValueError(f"{type(self).__name__}: {setting} does not fit: {sizes}; one number, or {self._rank}")
        return sizes

    def extra_repr(self) -> str:
        defaults: dict[str, Any] = {"padding": (0,) * self._rank, "dilation": (1,) * self._rank, "groups": 1}
        shown = {name: getattr(self, name) for name, default in defaults.items() if getattr(self, name) != default}
        settings = "".join(f", {name}={value}" for name, value in shown.items())
        head = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return head + settings + ("" if self.bias is not None else ", bias=False")


class _ConvForward(_Conv):
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Padding = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"{type(self).__name__}: unknown padding_mode: {padding_mode!r}; must be 'zeros', 'reflect', 'replicate' or 'circular'"
            )
        if padding_mode != "zeros" and isinstance(padding, str):
            raise ValueError(f"{type(self).__name__}: padding {padding!r} with padding_mode {padding_mode!r}; give the widths as numbers")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device, dtype)
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            pairs = [(width, width) if isinstance(width, int) else width for width in padding]
            x = F.pad(x, [width for pair in reversed(pairs) for width in pair], mode=self.padding_mode)
            padding = 0
        return type(self)._function(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode}")


class Conv1d(_ConvForward):
    """y[n, o, i] = b[o] + Σ_c,k W[o, c, k] x[n, c, i stride + k dilation - padding]: x (N, C, L), W ``weight`` (out, in / groups, K).

    ``padding``: numbers, pairs (low, high), 'valid' (none), or 'same' (⌈L / stride⌉ outputs, the odd element behind, at every stride and
    dilation, as TensorFlow has it).
    """

    _rank = 1
    _function = staticmethod(F.conv1d)


class Conv2d(_ConvForward):
    """y[n, o, i, j] = b[o] + Σ_c,k,l W[o, c, k, l] x[n, c, i s + k d - p, j s + l d - p]: x (N, C, H, W), W ``weight`` (out, in / groups,
    KH, KW).

    ``padding`` as for :class:`Conv1d`.

    >>> import pyengine as pe
    >>> pe.nn.Conv2d(3, 8, 3, stride=2, padding="same")(pe.zeros((1, 3, 28, 28))).shape
    (1, 8, 14, 14)
    """

    _rank = 2
    _function = staticmethod(F.conv2d)


class Conv3d(_ConvForward):
    """:class:`Conv2d` with a depth: x (N, C, D, H, W), ``weight`` (out, in / groups, KD, KH, KW)."""

    _rank = 3
    _function = staticmethod(F.conv3d)


class _ConvTranspose(_Conv):
    _transposed = True
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Padding = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device, dtype)
        self.output_padding = self._sizes("output_padding", output_padding)

    def forward(self, x: Tensor) -> Tensor:
        return type(self)._function(x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation)

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", output_padding={self.output_padding}" if any(self.output_padding) else "")


class ConvTranspose1d(_ConvTranspose):
    """The transpose (gradient) of :class:`Conv1d` as a map of its own: x (N, in, L), W ``weight`` (in, out / groups, K).

    The output has (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1 elements.
    """

    _rank = 1
    _function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The transpose of :class:`Conv2d`: x (N, in, H, W), W ``weight`` (in, out / groups, KH, KW); sizes as for :class:`ConvTranspose1d`."""

    _rank = 2
    _function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The transpose of :class:`Conv3d`: x (N, in, D, H, W), W ``weight`` (in, out / groups, KD, KH, KW)."""

    _rank = 3
    _function = staticmethod(F.conv_transpose3d)
