"""How windows lie on an axis: what "same" and "valid" mean, and how large the result is."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["ConvGeometry", "conv_geometry"]

Padding = int | str | Sequence[int] | Sequence[tuple[int, int]]


class ConvGeometry(NamedTuple):
    """What :func:`conv_geometry` resolves: for each axis the padding (low, high), and the size of the result."""

    padding: tuple[tuple[int, int], ...]
    output_size: tuple[int, ...]


def axes_tuple(op: str, name: str, value: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """One integer for each axis, from one for all or a sequence."""
    try:
        values = tuple(operator.index(v) for v in value) if isinstance(value, Sequence) else (operator.index(value),) * axes
    except TypeError:
        raise TypeError(f"{op}: {name} is not of integers: {value!r}; must be an integer, or one for each axis") from None
    if len(values) == 1:
        values *= axes
    if len(values) != axes or any(v < least for v in values):
        raise ValueError(f"{op}: {name} does not fit: {value!r} for {axes} spatial axes; must be one integer of at least {least} for each")
    return values


def conv_geometry(
    input_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    *,
    op: str = "conv_geometry",
) -> ConvGeometry:
    """The padding and the result's size of a convolution or pooling, axis by axis, for any stride s and dilation d.

    With ``span = d (kernel - 1) + 1``, what the kernel covers:

    - "valid": no padding; ``output = ceil((input - span + 1) / s)``.
    - "same": ``output = ceil(input / s)``; ``total = max((output - 1) s + span - input, 0)`` is padded, ``total // 2`` low and the rest
      high: TensorFlow's rule (tf.nn.convolution), at every stride.
    - an integer, one for each axis, or a pair (low, high) for each: ``output = (input + low + high - span) // s + 1``.

    ValueError if a kernel does not fit into its padded input. ``conv_geometry(28, 5, 2, "same")`` gives padding ((1, 2),), output (14,).
    """
    sizes = (input_size,) if isinstance(input_size, int) else tuple(input_size)
    axes = len(sizes)
    kernels = axes_tuple(op, "kernel_size", kernel_size, axes)
    strides = axes_tuple(op, "stride", stride, axes)
    dilations = axes_tuple(op, "dilation", dilation, axes)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernels, dilations, strict=True))
    pads = resolve_padding(op, padding, sizes, spans, strides)
    for axis, (size, span, (low, high)) in enumerate(zip(sizes, spans, pads, strict=True)):
        if size + low + high < span:
            raise ValueError(
                f"{op}: kernel larger than its input: kernel {kernels[axis]}, dilation {dilations[axis]} covers {span} on axis {axis}, "
                f"input {size} with padding {(low, high)}; the kernel must fit into the padded input"
            )
    outputs = tuple((n + low + high - span) // s + 1 for n, (low, high), span, s in zip(sizes, pads, spans, strides, strict=True))
    return ConvGeometry(pads, outputs)


def resolve_padding(
    op: str, padding: Padding, sizes: tuple[int, ...], spans: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """(low, high) for each axis, from any of the forms that :func:`conv_geometry` takes."""
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"{op}: no such padding: {padding!r}; must be 'same', 'valid', an integer, or one or a pair for each axis")
        if padding == "valid":
            return ((0, 0),) * len(sizes)
        totals = [max((-(-n // s) - 1) * s + span - n, 0) for n, span, s in zip(sizes, spans, strides, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, Sequence) and any(isinstance(pair, Sequence) for pair in padding):
        pairs = tuple(axes_tuple(op, "padding", pair, 2, least=0) for pair in padding)
        if len(pairs) != len(sizes):
            raise ValueError(
                f"{op}: padding does not fit: {padding!r} for {len(sizes)} spatial axes; must be one pair (low, high) for each"
            )
        return tuple((low, high) for low, high in pairs)
    return tuple((p, p) for p in axes_tuple(op, "padding", padding, len(sizes), least=0))
