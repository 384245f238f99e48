"""Convolution in one, two and three dimensions, and its transpose.

Three ops that are each other's gradients, so that any order of them is made of the same three: ``conv`` gives y from x and w,
``conv_transpose`` x from y and w, ``conv_weight_gradient`` w from x and y. All are linear in both arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from pyengine import _engine, ops
from pyengine.autograd import record
from pyengine.ops.padding import Padding, axes_tuple, conv_geometry, resolve_padding
from pyengine.tensor import Tensor, as_tensor

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


Ints = int | Sequence[int]


class _Parameters(NamedTuple):
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    low: tuple[int, ...]
    groups: int


def conv1d(x: Any, weight: Any, bias: Any = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1) -> Tensor:
    """``y[n, o, p] = bias[o] + sum_{c, k} x[n, c, p * stride + k * dilation - low] weight[o, c, k]``, see :func:`conv2d`.

    Shapes: x (N, C, L) or (C, L), weight (O, C / groups, K), bias (O,), y (N, O, L') or (O, L').
    """
    return _forward("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x: Any, weight: Any, bias: Any = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1) -> Tensor:
    """``y[n, o, p] = bias[o] + sum_{c, k} x[n, c, p * stride + k * dilation - low] weight[o, c, k]``

    p and k are (row, column), x is zero outside. The cross-correlation that deep learning calls convolution: the kernel is not flipped.

    Shapes: x (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW), bias (O,), y (N, O, H', W') or (O, H', W').
    ``stride`` and ``dilation``: a number, or one for each dimension. ``padding``: a number, one or a pair (low, high) for each dimension,
    "valid" (none), or "same" (H' = ceil(H / stride), TensorFlow's rule at every stride and dilation); :func:`conv_geometry` reports the
    pads and sizes, and has the formulae. ``groups``: output channels of the g-th share see only the input channels of the g-th share;
    groups = C is a depthwise convolution.
    Dtypes: the common floating one of x and weight. float16 and bfloat16 are multiplied and added in float32 and rounded once.
    Accuracy: as of :func:`matmul` with k = C / groups KH KW. The bits do not depend on the number of threads.
    Gradient: of any order; for x the transposed convolution of g with weight, for weight the correlation of x with g, for bias a sum.
    ValueError if channels, groups, bias or sizes do not fit; TypeError for integers.
    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016; the layout is PyTorch's.

    >>> pe.conv2d(pe.ones((1, 1, 5, 5)), pe.ones((2, 1, 3, 3)), stride=2, padding="same").shape
    (1, 2, 3, 3)
    """
    return _forward("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(x: Any, weight: Any, bias: Any = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1) -> Tensor:
    """:func:`conv2d` with a depth in front of row and column.

    Shapes: x (N, C, D, H, W) or (C, D, H, W), weight (O, C / groups, KD, KH, KW), bias (O,), y (N, O, D', H', W') or (O, D', H', W').
    """
    return _forward("conv3d", 3, x, weight, bias, stride, padding, dilation, groups)


def _forward(
    op: str, dimensions: int, x: Any, weight: Any, bias: Any, stride: Ints, padding: Padding, dilation: Ints, groups: int
) -> Tensor:
    x, w, b = as_tensor(x), as_tensor(weight), None if bias is None else as_tensor(bias)
    _check_ranks(op, dimensions, x, w)
    steps, spread = axes_tuple(op, "stride", stride, dimensions), axes_tuple(op, "dilation", dilation, dimensions)
    pads, size = conv_geometry(x.shape[-dimensions:], w.shape[2:], steps, padding, spread, op=op)
    parameters = _Parameters(steps, spread, tuple(low for low, _ in pads), groups)
    if x.ndim == dimensions + 1:
        return _conv(ops.expand_dims(x, 0), w, b, size, parameters)[0]
    return _conv(x, w, b, size, parameters)


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """:func:`conv_transpose2d` in one dimension.

    Shapes: x (N, C, L) or (C, L), weight (C, O / groups, K), bias (O,), y (N, O, L') or (O, L').
    """
    return _transposed("conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """``y[n, o, q] = bias[o] + sum_{c, p, k: p * stride + k * dilation - low = q} x[n, c, p] weight[c, o, k]``

    The adjoint of :func:`conv2d` with the same weight, stride, padding and dilation: <conv2d(a, w), x> = <a, conv_transpose2d(x, w)>. It
    makes images larger by the stride, and is no inverse of the convolution.

    Shapes: x (N, C, H, W) or (C, H, W), weight (C, O / groups, KH, KW), bias (O,), y (N, O, H', W') or (O, H', W') with
    ``H' = (H - 1) stride - low - high + dilation (KH - 1) + 1 + output_padding``. Several sizes H' lead a convolution back to H;
    ``output_padding``, smaller than the stride or the dilation, chooses one.
    ``padding``: as of :func:`conv2d`, but it crops the output. "same" gives H' = H stride + output_padding, with the pads that
    :func:`conv2d` has there from H stride; "valid" crops nothing.
    Dtypes, accuracy, gradient and errors as of :func:`conv2d`; ValueError, too, if nothing is left of the output.

    >>> pe.conv_transpose2d(pe.ones((1, 2, 3, 3)), pe.ones((2, 1, 2, 2)), stride=2).shape
    (1, 1, 6, 6)
    """
    return _transposed("conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """:func:`conv_transpose2d` with a depth in front of row and column.

    Shapes: x (N, C, D, H, W) or (C, D, H, W), weight (C, O / groups, KD, KH, KW), bias (O,), y (N, O, D', H', W') or (O, D', H', W').
    """
    return _transposed("conv_transpose3d", 3, x, weight, bias, stride, padding, output_padding, groups, dilation)


def _transposed(
    op: str,
    dimensions: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> Tensor:
    x, w, b = as_tensor(x), as_tensor(weight), None if bias is None else as_tensor(bias)
    _check_ranks(op, dimensions, x, w)
    steps, spread = axes_tuple(op, "stride", stride, dimensions), axes_tuple(op, "dilation", dilation, dimensions)
    more = axes_tuple(op, "output_padding", output_padding, dimensions, least=0)
    if any(m >= max(s, d) for m, s, d in zip(more, steps, spread, strict=True)):
        raise ValueError(
            f"{op}: output_padding too large: {more}, stride {steps}, dilation {spread}; must be smaller than the stride or the dilation"
        )
    sizes, kernel = x.shape[-dimensions:], w.shape[2:]
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, spread, strict=True))
    scaled = tuple(n * s for n, s in zip(sizes, steps, strict=True))
    pads = resolve_padding(op, padding, scaled, spans, steps)
    whole = scaled
    if padding != "same":
        rows = zip(scaled, steps, spans, pads, strict=True)
        whole = tuple(n - s + span - low - high for n, s, span, (low, high) in rows)
    size = tuple(n + m for n, m in zip(whole, more, strict=True))
    if any(n < 1 for n in size) and 0 not in sizes:
        raise ValueError(
            f"{op}: nothing left of the output: size {size} from input {sizes}, kernel {kernel}, stride {steps}, padding {pads}; "
            "(input - 1) * stride + dilation * (kernel - 1) + 1 + output_padding must exceed the padding"
        )
    size = tuple(max(n, 0) for n in size)
    parameters = _Parameters(steps, spread, tuple(low for low, _ in pads), groups)
    if x.ndim == dimensions + 1:
        return _conv_transpose(ops.expand_dims(x, 0), w, b, size, parameters)[0]
    return _conv_transpose(x, w, b, size, parameters)


def _check_ranks(op: str, dimensions: int, x: Tensor, w: Tensor) -> None:
    if w.ndim != dimensions + 2 or x.ndim not in (dimensions + 1, dimensions + 2):
        raise ValueError(
            f"{op}: wrong rank: x {x.shape}, weight {w.shape}; x must have {dimensions + 2} axes, or {dimensions + 1} for one image, "
            f"weight {dimensions + 2}"
        )


# The three ops --------------------------------------------------------------------------------------------------------------------------


def _conv(x: Tensor, w: Tensor, bias: Tensor | None, size: tuple[int, ...], p: _Parameters) -> Tensor:
    array = _engine.conv(x._array, w._array, None if bias is None else bias._array, size, *p)
    x_vjp, w_vjp = partial(_conv_x_vjp, x.shape[2:], p), partial(_conv_w_vjp, w.shape[2:], p)
    saved = (x if w.requires_grad else None, w if x.requires_grad else None)
    if bias is None:
        return record("conv", array, (x, w), (x_vjp, w_vjp), saved)
    return record("conv", array, (x, w, bias), (x_vjp, w_vjp, _bias_vjp), saved)


def _conv_x_vjp(size: tuple[int, ...], p: _Parameters, g: Tensor, x: Tensor | None, w: Tensor) -> Tensor:
    return _conv_transpose(g, w, None, size, p)


def _conv_w_vjp(kernel: tuple[int, ...], p: _Parameters, g: Tensor, x: Tensor, w: Tensor | None) -> Tensor:
    return _conv_weight_gradient(x, g, kernel, p)


def _bias_vjp(g: Tensor, *saved: Tensor | None) -> Tensor:
    return ops.sum(g, axis=(0, *range(2, g.ndim)))


def _conv_transpose(y: Tensor, w: Tensor, bias: Tensor | None, size: tuple[int, ...], p: _Parameters) -> Tensor:
    array = _engine.conv_transpose(y._array, w._array, None if bias is None else bias._array, size, *p)
    y_vjp, w_vjp = partial(_conv_transpose_y_vjp, y.shape[2:], p), partial(_conv_transpose_w_vjp, w.shape[2:], p)
    saved = (y if w.requires_grad else None, w if y.requires_grad else None)
    if bias is None:
        return record("conv_transpose", array, (y, w), (y_vjp, w_vjp), saved)
    return record("conv_transpose", array, (y, w, bias), (y_vjp, w_vjp, _bias_vjp), saved)


def _conv_transpose_y_vjp(size: tuple[int, ...], p: _Parameters, g: Tensor, y: Tensor | None, w: Tensor) -> Tensor:
    return _conv(g, w, None, size, p)


def _conv_transpose_w_vjp(kernel: tuple[int, ...], p: _Parameters, g: Tensor, y: Tensor, w: Tensor | None) -> Tensor:
    return _conv_weight_gradient(g, y, kernel, p)


def _conv_weight_gradient(x: Tensor, y: Tensor, kernel: tuple[int, ...], p: _Parameters) -> Tensor:
    array = _engine.conv_weight_gradient(x._array, y._array, kernel, *p)
    vjps = (partial(_weight_gradient_x_vjp, x.shape[2:], p), partial(_weight_gradient_y_vjp, y.shape[2:], p))
    saved = (x if y.requires_grad else None, y if x.requires_grad else None)
    return record("conv_weight_gradient", array, (x, y), vjps, saved)


def _weight_gradient_x_vjp(size: tuple[int, ...], p: _Parameters, g: Tensor, x: Tensor | None, y: Tensor) -> Tensor:
    return _conv_transpose(y, g, None, size, p)


def _weight_gradient_y_vjp(size: tuple[int, ...], p: _Parameters, g: Tensor, x: Tensor, y: Tensor | None) -> Tensor:
    return _conv(x, g, None, size, p)
