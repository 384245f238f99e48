"""Pooling: the greatest element or the mean of windows that slide over the last one, two or three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from pyengine import _engine
from pyengine.autograd import record
from pyengine.ops.padding import Padding, axes_tuple, conv_geometry
from pyengine.tensor import Tensor, as_tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]

Size = int | Sequence[int]


class _Windows(NamedTuple):
    """For each axis and output: the first input it sees, how many, and what its sum is divided by; the step between inputs by axis."""

    first: list[list[int]]
    length: list[list[int]]
    divisor: list[list[int]]
    step: list[int]


class _Axis(NamedTuple):
    first: list[int]
    length: list[int]
    divisor: list[int]
    step: int


_single = _Axis([0], [1], [1], 1)


def _windows(axes: Sequence[_Axis]) -> _Windows:
    """Axes filled up with single elements in front, to three."""
    full = [*[_single] * (3 - len(axes)), *axes]
    return _Windows([a.first for a in full], [a.length for a in full], [a.divisor for a in full], [a.step for a in full])


def _sliding(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], ceil_mode: bool, counts_padding: bool) -> _Axis:
    """Windows of ``kernel`` elements, ``stride`` apart, cut off where they leave the input."""
    low, high = pads
    span = dilation * (kernel - 1) + 1
    steps = size + low + high - span
    outputs = (-(-steps // stride) if ceil_mode else steps // stride) + 1
    if ceil_mode and (outputs - 1) * stride >= size + low:
        outputs -= 1  # the last window would see nothing but padding
    first, length, divisor = [], [], []
    for i in range(outputs):
        start = i * stride - low
        skipped = max(0, -(start // dilation)) if start < 0 else 0
        begin = start + skipped * dilation
        stop = min(start + span, size)
        taps = max(0, -(-(stop - begin) // dilation))
        first.append(begin)
        length.append(taps)
        divisor.append(min(start + span, size + high) - start if counts_padding else taps)
    return _Axis(first, length, divisor, dilation)


def _adaptive(size: int, outputs: int) -> _Axis:
    """Output i of n sees the inputs from floor(i size / n) to ceil((i + 1) size / n)."""
    first = [i * size // outputs for i in range(outputs)]
    length = [-(-(i + 1) * size // outputs) - start for i, start in enumerate(first)]
    return _Axis(first, length, length, 1)


class _Planes:
    """x as (planes, depth, height, width), and the way back to its own leading axes."""

    def __init__(self, op: str, x: Any, axes: int) -> None:
        self.x = as_tensor(x)
        if self.x.ndim not in (axes + 1, axes + 2):
            raise ValueError(
                f"{op}: wrong rank: shape {self.x.shape}; must be (channels, ...) or (batch, channels, ...) with {axes} spatial axes"
            )
        self.lead, self.size = self.x.shape[:-axes], self.x.shape[-axes:]
        self.in_size = (1,) * (3 - axes) + self.size
        self.planes = self.x.reshape((math.prod(self.lead), *self.in_size))

    def restored(self, y: Tensor) -> Tensor:
        return y.reshape((*self.lead, *y.shape[1 + 3 - len(self.size) :]))


def _sliding_windows(
    op: str,
    size: Sequence[int],
    kernel_size: Size,
    stride: Size | None,
    padding: Padding,
    dilation: Size,
    ceil_mode: bool,
    counts_padding: bool,
) -> _Windows:
    axes = len(size)
    kernel = axes_tuple(op, "kernel_size", kernel_size, axes)
    strides = kernel if stride is None else axes_tuple(op, "stride", stride, axes)
    dilations = axes_tuple(op, "dilation", dilation, axes)
    pads = conv_geometry(size, kernel, strides, padding, dilations, op=op).padding
    for axis, (low, high) in enumerate(pads):
        if max(low, high) >= dilations[axis] * (kernel[axis] - 1) + 1:
            raise ValueError(
                f"{op}: padding too wide: {pads[axis]} on axis {axis} for a kernel of {kernel[axis]}; a window would see padding only"
            )
    shared = zip(size, kernel, strides, dilations, pads, strict=True)
    return _windows([_sliding(n, k, s, d, p, ceil_mode, counts_padding) for n, k, s, d, p in shared])


def _adaptive_windows(op: str, size: Sequence[int], output_size: Size | Sequence[int | None]) -> _Windows:
    wanted = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * len(size)
    outputs = tuple(n if out is None else out for n, out in zip(size, wanted, strict=False))
    if len(wanted) != len(size) or any(out < 1 for out in outputs) or 0 in size:
        raise ValueError(
            f"{op}: output size does not fit: {output_size} for {tuple(size)}; one of at least 1 for each axis, and no empty input"
        )
    return _windows([_adaptive(n, out) for n, out in zip(size, outputs, strict=True)])


def _max(planes: _Planes, windows: _Windows, return_indices: bool) -> Any:
    array, indices = _engine.max_pool(planes.planes._array, *windows)
    y = record("max_pool", array, (planes.planes,), (partial(_scatter, indices, planes.in_size),))
    return (planes.restored(y), planes.restored(Tensor(indices))) if return_indices else planes.restored(y)


def _scatter(indices: Any, in_size: tuple[int, ...], g: Tensor) -> Tensor:
    """g added in where each maximum stood: the transpose of :func:`_gather`."""
    array = _engine.max_pool_scatter(g._array, indices, in_size)
    return record("max_pool_scatter", array, (g,), (partial(_gather, indices, in_size),))


def _gather(indices: Any, in_size: tuple[int, ...], g: Tensor) -> Tensor:
    array = _engine.max_pool_gather(g._array, indices)
    return record("max_pool_gather", array, (g,), (partial(_scatter, indices, in_size),))


def _mean(windows: _Windows, in_size: tuple[int, ...], x: Tensor) -> Tensor:
    return record("avg_pool", _engine.avg_pool(x._array, *windows), (x,), (partial(_spread, windows, in_size),))


def _spread(windows: _Windows, in_size: tuple[int, ...], g: Tensor) -> Tensor:
    """Every mean's gradient in equal shares to its window: the transpose of :func:`_mean`."""
    array = _engine.avg_pool_transpose(g._array, in_size, *windows)
    return record("avg_pool_transpose", array, (g,), (partial(_mean, windows, in_size),))


def _max_pool(
    axes: int, x: Any, kernel_size: Size, stride: Size | None, padding: Padding, dilation: Size, ceil_mode: bool, return_indices: bool
) -> Any:
    op = f"max_pool{axes}d"
    planes = _Planes(op, x, axes)
    return _max(planes, _sliding_windows(op, planes.size, kernel_size, stride, padding, dilation, ceil_mode, False), return_indices)


def _avg_pool(
    axes: int,
    x: Any,
    kernel_size: Size,
    stride: Size | None,
    padding: Padding,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    op = f"avg_pool{axes}d"
    planes = _Planes(op, x, axes)
    windows = _sliding_windows(op, planes.size, kernel_size, stride, padding, 1, ceil_mode, count_include_pad)
    if divisor_override is not None:
        if divisor_override == 0:
            raise ValueError(f"{op}: divisor_override is 0; must be another number")
        ones = [[1] * len(divisor) for divisor in windows.divisor]
        windows = windows._replace(divisor=[[divisor_override] * len(ones[0]), *ones[1:]])
    return planes.restored(_mean(windows, planes.in_size, planes.planes))


def _adaptive_pool(kind: str, axes: int, x: Any, output_size: Any, return_indices: bool = False) -> Any:
    op = f"adaptive_{kind}_pool{axes}d"
    planes = _Planes(op, x, axes)
    windows = _adaptive_windows(op, planes.size, output_size)
    if kind == "max":
        return _max(planes, windows, return_indices)
    return planes.restored(_mean(windows, planes.in_size, planes.planes))


def max_pool1d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``y[..., i] = max_t x[..., i stride + t dilation - padding]`` for t < kernel_size,
    on the last 1 axis of (..., channels, width).

    ``stride`` is the kernel size by default; ``padding`` an int, one for each axis, pairs (low, high), "same" or "valid", and counts as
    -inf; ``ceil_mode`` adds a last window that is cut off by the edge. ``return_indices`` adds where each maximum stood in its plane,
    flattened. NaN is greater than anything. Gradient: g to the maximum, to the first of equal ones. ValueError if sizes do not fit.
    """
    return _max_pool(1, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """``y[..., i] = (1 / n) sum_t x[..., i stride + t - padding]`` for t < kernel_size,
    on the last 1 axis of (..., channels, width).

    n counts the window's elements, padding included unless ``count_include_pad=False``, or is ``divisor_override``. The other arguments are
    those of :func:`max_pool1d`. 16-bit floats are added in float32. Gradient: g / n to every element of the window.
    """
    return _avg_pool(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_max_pool1d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of ``output_size`` windows on each of the last 1 axes, together covering it: from floor(i n / o) to ceil((i + 1) n / o).

    ``output_size`` is an int, or one for each axis, None where the size stays. Gradient and indices: as :func:`max_pool1d`.
    """
    return _adaptive_pool("max", 1, x, output_size, return_indices)


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Tensor:
    """The means of ``output_size`` windows on each of the last 1 axes; windows as in :func:`adaptive_max_pool1d`."""
    result: Tensor = _adaptive_pool("avg", 1, x, output_size)
    return result


def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``y[..., i] = max_t x[..., i stride + t dilation - padding]`` for t < kernel_size,
    on the last 2 axes of (..., channels, height, width).

    ``stride`` is the kernel size by default; ``padding`` an int, one for each axis, pairs (low, high), "same" or "valid", and counts as
    -inf; ``ceil_mode`` adds a last window that is cut off by the edge. ``return_indices`` adds where each maximum stood in its plane,
    flattened. NaN is greater than anything. Gradient: g to the maximum, to the first of equal ones. ValueError if sizes do not fit.
    """
    return _max_pool(2, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """``y[..., i] = (1 / n) sum_t x[..., i stride + t - padding]`` for t < kernel_size,
    on the last 2 axes of (..., channels, height, width).

    n counts the window's elements, padding included unless ``count_include_pad=False``, or is ``divisor_override``. The other arguments are
    those of :func:`max_pool2d`. 16-bit floats are added in float32. Gradient: g / n to every element of the window.
    """
    return _avg_pool(2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_max_pool2d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of ``output_size`` windows on each of the last 2 axes, together covering it: from floor(i n / o) to ceil((i + 1) n / o).

    ``output_size`` is an int, or one for each axis, None where the size stays. Gradient and indices: as :func:`max_pool2d`.
    """
    return _adaptive_pool("max", 2, x, output_size, return_indices)


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Tensor:
    """The means of ``output_size`` windows on each of the last 2 axes; windows as in :func:`adaptive_max_pool2d`."""
    result: Tensor = _adaptive_pool("avg", 2, x, output_size)
    return result


def max_pool3d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``y[..., i] = max_t x[..., i stride + t dilation - padding]`` for t < kernel_size,
    on the last 3 axes of (..., channels, depth, height, width).

    ``stride`` is the kernel size by default; ``padding`` an int, one for each axis, pairs (low, high), "same" or "valid", and counts as
    -inf; ``ceil_mode`` adds a last window that is cut off by the edge. ``return_indices`` adds where each maximum stood in its plane,
    flattened. NaN is greater than anything. Gradient: g to the maximum, to the first of equal ones. ValueError if sizes do not fit.
    """
    return _max_pool(3, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool3d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """``y[..., i] = (1 / n) sum_t x[..., i stride + t - padding]`` for t < kernel_size,
    on the last 3 axes of (..., channels, depth, height, width).

    n counts the window's elements, padding included unless ``count_include_pad=False``, or is ``divisor_override``. The other arguments are
    those of :func:`max_pool3d`. 16-bit floats are added in float32. Gradient: g / n to every element of the window.
    """
    return _avg_pool(3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_max_pool3d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of ``output_size`` windows on each of the last 3 axes, together covering it: from floor(i n / o) to ceil((i + 1) n / o).

    ``output_size`` is an int, or one for each axis, None where the size stays. Gradient and indices: as :func:`max_pool3d`.
    """
    return _adaptive_pool("max", 3, x, output_size, return_indices)


def adaptive_avg_pool3d(x: Any, output_size: Any) -> Tensor:
    """The means of ``output_size`` windows on each of the last 3 axes; windows as in :func:`adaptive_max_pool3d`."""
    result: Tensor = _adaptive_pool("avg", 3, x, output_size)
    return result
