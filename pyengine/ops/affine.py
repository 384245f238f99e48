"""Affine maps as one op, with one node on the tape: of a layer, what would be a transpose, a product and a sum; and element by element."""

from __future__ import annotations

import math
from typing import Any

from pyengine import _engine, ops
from pyengine.autograd import kept, record
from pyengine.tensor import Tensor, as_tensor, coerce

__all__ = ["linear", "multiply_add"]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """y = x Wᵀ + b.

    Shapes: x (…, in), W (out, in), b (out), y (…, out). Dtypes and accuracy as of :func:`pyengine.matmul`; the bias is added as the product
    is written, before it is rounded or after. Gradient: g W for x, gᵀ x for W, g for b, summed over the axes in front. ValueError if
    shapes do not fit.

    >>> pe.nn.functional.linear(pe.ones((2, 3)), pe.ones((1, 3)), pe.ones(1)).tolist()
    [[4.0], [4.0]]
    """
    x, w, b = as_tensor(input), as_tensor(weight), None if bias is None else as_tensor(bias)
    if w.ndim != 2 or x.ndim == 0 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"linear: sizes differ: input {x.shape}, weight {w.shape}; input.shape[-1] must equal weight.shape[1]")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"linear: bias does not fit: {b.shape}, weight {w.shape}; its shape must be weight.shape[:1]")
    rows = _engine.reshape(x._array, (math.prod(x.shape[:-1]), w.shape[1]))
    fused = b is not None and b.dtype is x.dtype is w.dtype
    y = _engine.matmul(rows, _engine.permute_dims(w._array, (1, 0)), b._array if b is not None and fused else None)
    if b is not None and not fused:
        y = _engine.add(y, b._array)
    inputs = (x, w) if b is None else (x, w, b)
    vjps = (_input_vjp, _weight_vjp, _bias_vjp)[: len(inputs)]
    return record("linear", _engine.reshape(y, (*x.shape[:-1], w.shape[0])), inputs, vjps, (kept(x, w), kept(w, x)))


def _rows(x: Tensor) -> Tensor:
    return x if x.ndim == 2 else ops.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _input_vjp(g: Tensor, x: Tensor | None, w: Tensor) -> Tensor:
    return ops.reshape(ops.matmul(_rows(g), w), (*g.shape[:-1], w.shape[1]))


def _weight_vjp(g: Tensor, x: Tensor, w: Tensor | None) -> Tensor:
    return ops.matmul(_rows(g).mT, _rows(x))


def _bias_vjp(g: Tensor, x: Tensor | None, w: Tensor | None) -> Tensor:
    return g


def multiply_add(x1: Any, x2: Any, x3: Any, /) -> Tensor:
    """``x1 x2 + x3``, element by element under NumPy's broadcasting, in one pass over memory.

    Dtypes as in arithmetic, real floating ones only; the product is rounded before the sum or not, as the device has it. Gradients:
    ``g x2``, ``g x1``, ``g``. TypeError for other dtypes, ValueError where shapes do not broadcast.

    >>> pe.multiply_add(pe.asarray([1.0, 2.0]), 3.0, 0.5).tolist()
    [3.5, 6.5]
    """
    a, b = coerce(x1, x2)
    a, c = coerce(a, x3)
    array = _engine.multiply_add(a._array, b._array, c._array)
    vjps = (lambda g, a, b: ops.multiply(g, b), lambda g, a, b: ops.multiply(g, a), lambda g, a, b: g)
    return record("multiply_add", array, (a, b, c), vjps, (kept(a, b), kept(b, a)))
