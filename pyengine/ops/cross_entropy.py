"""Cross-entropy of softmax(logits), fused: the probabilities are never stored."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import is_grad_enabled, record
from pyengine.tensor import Tensor, as_tensor

__all__ = ["cross_entropy", "softmax_cross_entropy"]


class _Options(NamedTuple):
    ignore_index: int
    label_smoothing: float


def cross_entropy(
    logits: Any,
    target: Any,
    /,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """loss_n = Σ_c w_c t'_nc (log Σ_k exp x_nk - x_nc),   t' = (1 - s) t + s / C,   s = ``label_smoothing``.

    ``logits`` (C,), (N, C) or (N, C, d1, ...), floating. ``target`` holds either class indices, integers of the shape without C (t is one
    at that class; rows equal to ``ignore_index`` count for nothing), or probabilities t, of the shape and dtype of logits. ``weight``
    (C,): w, one for each class, else 1. ``reduction``: "none" gives one loss for each row; "sum" adds them up; "mean" divides their sum
    by the weights of the given classes, Σ_n w_target(n), for class indices, and by the number of rows for probabilities.

    The dtype of logits; computed in float32 for 16-bit floats. Gradient with respect to logits, weight, and target probabilities:
    dx_nc = g_n (softmax(x)_nc Σ_k w_k t'_nk - w_c t'_nc).
    ValueError for shapes that do not fit, a reduction or label_smoothing that does not exist; IndexError for a class out of range;
    TypeError for dtypes. As torch.nn.functional.cross_entropy; label smoothing: Szegedy et al. 2016, section 7.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"cross_entropy: no such reduction: {reduction!r}; must be 'none', 'mean' or 'sum'")
    logits, target = as_tensor(logits), as_tensor(target)
    weight = None if weight is None else as_tensor(weight)
    loss = softmax_cross_entropy(logits, target, weight, ignore_index=ignore_index, label_smoothing=label_smoothing)
    if reduction == "sum":
        loss = ops.sum(loss)
    elif reduction == "mean":
        loss = ops.sum(loss) / (
            loss.size if dtypes.is_floating(target.dtype) else _weight_of_targets(loss.dtype, target, weight, ignore_index)
        )
    return ops.astype(loss, logits.dtype, copy=False)


def _weight_of_targets(dtype: dtypes.DType, target: Tensor, weight: Tensor | None, ignore_index: int) -> Tensor:
    counted = ops.not_equal(target, ignore_index)
    if weight is None:
        return ops.sum(ops.astype(counted, dtype, copy=False))
    return ops.sum(ops.where(counted, ops.astype(weight, dtype, copy=False)[ops.where(counted, target, 0)], 0.0))


def softmax_cross_entropy(
    logits: Any, target: Any, /, weight: Any = None, *, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Tensor:
    """:func:`cross_entropy` of each row, unreduced: the shape of logits without the class axis, float32 for 16-bit logits."""
    logits, target = as_tensor(logits), as_tensor(target)
    weight = None if weight is None else as_tensor(weight)
    options = _Options(ignore_index, label_smoothing)
    loss, logsumexp = _engine.softmax_cross_entropy(logits._array, target._array, None if weight is None else weight._array, *options)
    saved = (options, logits, target, weight, Tensor(logsumexp))
    inputs = (logits, target) if weight is None else (logits, target, weight)
    vjps = (_pull_logits, _pull_target, _pull_weight)[: len(inputs)]
    return record("softmax_cross_entropy", loss, inputs, vjps, saved)


def _pull_logits(g: Tensor, options: _Options, logits: Tensor, target: Tensor, weight: Tensor | None, logsumexp: Tensor) -> Tensor:
    if is_grad_enabled():
        logits, g = _silenced(options, logits, target, logits), _silenced(options, logits, target, _by_row(g, logits))
        weighted = _smoothed(g.dtype, options, logits, target) * _class_weights(g.dtype, logits, weight)
        probabilities = ops.softmax(ops.astype(logits, g.dtype, copy=False), axis=_class_axis(logits))
        total = ops.sum(weighted, axis=_class_axis(logits), keepdims=True)
        return g * (probabilities * total - weighted)
    arrays = (logits._array, target._array, None if weight is None else weight._array)
    return Tensor(_engine.softmax_cross_entropy_backward(g._array, logsumexp._array, *arrays, *options))


def _pull_target(g: Tensor, options: _Options, logits: Tensor, target: Tensor, weight: Tensor | None, logsumexp: Tensor) -> Tensor:
    share = _by_row(g, logits) * (1.0 - options.label_smoothing)
    return share * _class_weights(g.dtype, logits, weight) * _surprise(g.dtype, logits)


def _pull_weight(g: Tensor, options: _Options, logits: Tensor, target: Tensor, weight: Tensor | None, logsumexp: Tensor) -> Tensor:
    share = _smoothed(g.dtype, options, logits, target)
    # A class without a share has no part in the loss, however unlikely it is: not 0 * inf.
    each = ops.where(ops.equal(share, 0.0), 0.0, share * _surprise(g.dtype, logits) * _by_row(g, logits))
    return ops.sum(each, axis=tuple(axis for axis in range(logits.ndim) if axis != _class_axis(logits)))


# In differentiable ops, shaped like logits --------------------------------------------------------------------------------------------


def _class_axis(logits: Tensor) -> int:
    return 0 if logits.ndim == 1 else 1


def _by_row(g: Tensor, logits: Tensor) -> Tensor:
    return ops.expand_dims(g, axis=_class_axis(logits))


def _class_weights(dtype: dtypes.DType, logits: Tensor, weight: Tensor | None) -> Tensor | float:
    if weight is None:
        return 1.0
    return ops.reshape(ops.astype(weight, dtype, copy=False), (-1,) + (1,) * (logits.ndim - 1 - _class_axis(logits)))


def _surprise(dtype: dtypes.DType, logits: Tensor) -> Tensor:
    """-log softmax(x)."""
    return -ops.log_softmax(ops.astype(logits, dtype, copy=False), axis=_class_axis(logits))


def _silenced(options: _Options, logits: Tensor, target: Tensor, x: Tensor) -> Tensor:
    """x, 0 in ignored rows, whatever it holds there."""
    if dtypes.is_floating(target.dtype):
        return x
    return ops.where(ops.not_equal(ops.expand_dims(target, axis=_class_axis(logits)), options.ignore_index), x, 0.0)


def _smoothed(dtype: dtypes.DType, options: _Options, logits: Tensor, target: Tensor) -> Tensor:
    """t', 0 in ignored rows."""
    axis = _class_axis(logits)
    count = logits.shape[axis]
    even = options.label_smoothing / max(count, 1)
    if dtypes.is_floating(target.dtype):
        return ops.astype(target, dtype, copy=False) * (1.0 - options.label_smoothing) + even
    classes = ops.reshape(creation.arange(count, device=logits.device), (-1,) + (1,) * (logits.ndim - 1 - axis))
    rows = ops.expand_dims(target, axis=axis)
    hard = ops.astype(ops.equal(rows, classes), dtype, copy=False) * (1.0 - options.label_smoothing)
    return ops.where(ops.not_equal(rows, options.ignore_index), hard + even, 0.0)
