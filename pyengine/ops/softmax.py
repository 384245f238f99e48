"""softmax and log_softmax."""

from __future__ import annotations

from functools import partial
from typing import Any

from pyengine import _engine, ops
from pyengine.autograd import OUTPUT, record
from pyengine.tensor import Tensor, as_tensor

__all__ = ["log_softmax", "softmax"]


def softmax(x: Any, /, axis: int = -1) -> Tensor:
    """y_j = exp(x_j - m) / Σ_k exp(x_k - m) along ``axis``, m = max_k x_k.

    Shape and dtype of x, which must be floating; 16-bit floats compute in float32. A row with a NaN or +inf, or of -inf alone, is NaN.
    Gradient: y_j (g_j - Σ_k g_k y_k). TypeError if x is not floating, IndexError if there is no such axis.
    """
    x = as_tensor(x)
    return record("softmax", _engine.softmax(x._array, axis), (x,), (partial(_softmax_backward, axis),), (OUTPUT,))


def _softmax_backward(axis: int, g: Tensor, y: Tensor) -> Tensor:
    """y (g - Σ g y): bilinear in y and g but for y's own factor, and self-adjoint as a function of g."""
    array = _engine.softmax_backward(g._array, y._array, axis)
    return record("softmax_backward", array, (g, y), (partial(_pull_g, axis), partial(_pull_y, axis)), (g, y))


def _pull_g(axis: int, h: Tensor, g: Tensor, y: Tensor) -> Tensor:
    return _softmax_backward(axis, h, y)


def _pull_y(axis: int, h: Tensor, g: Tensor, y: Tensor) -> Tensor:
    return h * (g - _total(g * y, axis)) - g * _total(h * y, axis)


def log_softmax(x: Any, /, axis: int = -1) -> Tensor:
    """y_j = x_j - m - log Σ_k exp(x_k - m) along ``axis``, m = max_k x_k.

    Shape and dtype of x, which must be floating; 16-bit floats compute in float32. Where x_j is -inf among finite values, y_j is -inf.
    Gradient: g_j - exp(y_j) Σ_k g_k. TypeError if x is not floating, IndexError if there is no such axis.
    """
    x = as_tensor(x)
    return record("log_softmax", _engine.log_softmax(x._array, axis), (x,), (partial(_log_softmax_backward, axis),), (OUTPUT,))


def _log_softmax_backward(axis: int, g: Tensor, y: Tensor) -> Tensor:
    """g - exp(y) Σ g."""
    array = _engine.log_softmax_backward(g._array, y._array, axis)
    return record("log_softmax_backward", array, (g, y), (partial(_pull_log_g, axis), partial(_pull_log_y, axis)), (g, y))


def _pull_log_g(axis: int, h: Tensor, g: Tensor, y: Tensor) -> Tensor:
    return h - _total(h * ops.exp(y), axis)


def _pull_log_y(axis: int, h: Tensor, g: Tensor, y: Tensor) -> Tensor:
    return -h * ops.exp(y) * _total(g, axis)


def _total(x: Tensor, axis: int) -> Tensor:
    return ops.sum(x, axis=axis, keepdims=True)
