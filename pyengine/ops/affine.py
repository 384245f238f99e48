"""The affine map of a layer, as one op: one node on the tape for what would be a transpose, a product and a sum."""

from __future__ import annotations

import math
from typing import Any

from pyengine import _engine, ops
from pyengine.autograd import kept, record
from pyengine.tensor import Tensor, as_tensor

__all__ = ["linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """y = x Wᵀ + b.

    Shapes: x (…, in), W (out, in), b (out), y (…, out). Dtypes and accuracy as of :func:`pyengine.matmul`, the bias added to the rounded
    product. Gradient: g W for x, gᵀ x for W, g for b, summed over the axes in front. ValueError if shapes do not fit.

    >>> pe.nn.functional.linear(pe.ones((2, 3)), pe.ones((1, 3)), pe.ones(1)).tolist()
    [[4.0], [4.0]]
    """
    x, w, b = as_tensor(input), as_tensor(weight), None if bias is None else as_tensor(bias)
    if w.ndim != 2 or x.ndim == 0 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"linear: sizes differ: input {x.shape}, weight {w.shape}; input.shape[-1] must equal weight.shape[1]")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"linear: bias does not fit: {b.shape}, weight {w.shape}; its shape must be weight.shape[:1]")
    rows = _engine.reshape(x._array, (math.prod(x.shape[:-1]), w.shape[1]))
    y = _engine.matmul(rows, _engine.permute_dims(w._array, (1, 0)))
    if b is not None:
        y = _engine.add(y, b._array, y if b.dtype is y.dtype else None)
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
