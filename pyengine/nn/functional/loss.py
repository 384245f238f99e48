"""Losses. ``reduction``: 'none' keeps an element a term, 'sum' adds them, 'mean' divides the sum by their number (weights: by their
sum)."""

from __future__ import annotations

from pyengine import ops
from pyengine.creation import ones_like
from pyengine.tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "perceptron_loss",
    "smooth_l1_loss",
]


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(x - y)². Shapes must be equal: a target (N,) beside an input (N, 1) would broadcast to (N, N)."""
    _check_shapes("mse_loss", input, target)
    difference = input - target
    return _reduce("mse_loss", difference * difference, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """|x - y|; the derivative at 0 is 0."""
    _check_shapes("l1_loss", input, target)
    return _reduce("l1_loss", ops.abs(input - target), reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d² / 2 where |d| ≤ delta, delta (|d| - delta / 2) beyond; d = x - y. Source: Huber 1964, section 4."""
    _check_shapes("huber_loss", input, target)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta out of range: {delta}; must be positive")
    return _reduce("huber_loss", _huber(input - target, delta), reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d² / (2 beta) where |d| < beta, |d| - beta / 2 beyond; d = x - y: :func:`huber_loss` / beta. Source: Girshick 2015, Fast R-CNN,
    equation 3."""
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta out of range: {beta}; must not be negative")
    if beta == 0:
        return l1_loss(input, target, reduction)
    _check_shapes("smooth_l1_loss", input, target)
    return _reduce("smooth_l1_loss", _huber(input - target, beta) / beta, reduction)


def _huber(d: Tensor, delta: float) -> Tensor:
    size = ops.abs(d)
    return ops.where(size <= delta, 0.5 * d * d, delta * (size - 0.5 * delta))


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """-w (y log p + (1 - y) log(1 - p)) for probabilities p; logarithms are at least -100, with derivative 0 there.

    Prefer :func:`binary_cross_entropy_with_logits`, which is exact everywhere.
    """
    _check_shapes("binary_cross_entropy", input, target)
    loss = -(target * _clamped_log(input) + (1 - target) * _clamped_log(1 - input))
    return _reduce("binary_cross_entropy", loss if weight is None else weight * loss, reduction)


def _clamped_log(x: Tensor) -> Tensor:
    positive = x != 0  # log(0) is kept off the tape: 0 · ∞ would be NaN. Negative x stays NaN.
    return ops.maximum(ops.where(positive, ops.log(ops.where(positive, x, ones_like(x))), -100.0), -100.0)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None
) -> Tensor:
    """w ((1 - y) x + (1 + (p - 1) y) log(1 + exp(-x))) for logits x: the cross-entropy of σ(x), positives counted p = ``pos_weight`` times.

    Exact for every x: log(1 + exp(-x)) is ``logaddexp(0, -x)``.
    """
    _check_shapes("binary_cross_entropy_with_logits", input, target)
    log_term = ops.logaddexp(-input, 0.0)
    if pos_weight is not None:
        log_term = (1 + (pos_weight - 1) * target) * log_term
    loss = (1 - target) * input + log_term
    return _reduce("binary_cross_entropy_with_logits", loss if weight is None else weight * loss, reduction)


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """y (log y - x), x being log-probabilities; 0 where y is 0. With ``log_target`` the target is log y. 'batchmean': the sum / shape[0],
    which is the mean divergence of the rows, while 'mean' divides by the number of elements. Source: Kullback & Leibler 1951."""
    _check_shapes("kl_div", input, target)
    if log_target:
        loss = ops.exp(target) * (target - input)
    else:
        positive = target > 0
        loss = ops.where(positive, target * (ops.log(ops.where(positive, target, ones_like(target))) - input), 0.0)
    if reduction == "batchmean":
        return ops.sum(loss) / input.shape[0]
    return _reduce("kl_div", loss, reduction, "'none', 'mean', 'sum' or 'batchmean'")


def hinge_loss(input: Tensor, target: Tensor, reduction: str = "mean", margin: float = 1.0) -> Tensor:
    """max(0, margin - y s) for scores s and labels y in {-1, 1}. Source: Cortes & Vapnik 1995, section 3."""
    _check_shapes("hinge_loss", input, target)
    return _reduce("hinge_loss", ops.relu(margin - target * input), reduction)


def perceptron_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """max(0, -y s) for scores s and labels y in {-1, 1}; its gradient step is the perceptron's rule. Source: Rosenblatt 1958."""
    _check_shapes("perceptron_loss", input, target)
    return _reduce("perceptron_loss", ops.relu(-(target * input)), reduction)


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """-w[y] x[y]: x log-probabilities (N, C, …) or (C,), y classes (N, …) or (); where y is ``ignore_index`` the term is 0 and not counted.

    'mean' divides by the sum of the counted terms' weights. For logits, :func:`cross_entropy` does the same after a log-softmax, in one
    kernel. Raises ValueError if the shapes do not match, IndexError if a class is outside [0, C).
    """
    axis = 0 if input.ndim == 1 else 1
    if input.ndim == 0 or target.shape != (*input.shape[:axis], *input.shape[axis + 1 :]):
        raise ValueError(
            f"nll_loss: shapes do not match: input {input.shape}, target {target.shape}; target must be input without its class axis"
        )
    counted = target != ignore_index
    classes = ops.where(counted, target, 0)
    if target.size and not ops.all((classes >= 0) & (classes < input.shape[axis])):
        raise IndexError(
            f"nll_loss: class out of range: in [{ops.min(classes).item()}, {ops.max(classes).item()}]; must be in [0, {input.shape[axis]})"
        )
    picked = ops.squeeze(ops.take_along_axis(input, ops.expand_dims(classes, axis), axis=axis), axis)
    share = (
        counted.astype(input.dtype)
        if weight is None
        else ops.where(counted, ops.reshape(ops.take(weight, ops.reshape(classes, (-1,)), axis=0), classes.shape), 0.0)
    )
    loss = ops.where(counted, -picked * share, 0.0)
    return ops.sum(loss) / ops.sum(share) if reduction == "mean" else _reduce("nll_loss", loss, reduction)


def _check_shapes(op: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise ValueError(f"{op}: shapes differ: input {input.shape}, target {target.shape}; they must be equal")


def _reduce(op: str, loss: Tensor, reduction: str, choices: str = "'none', 'mean' or 'sum'") -> Tensor:
    if reduction == "mean":
        return ops.mean(loss)
    if reduction == "sum":
        return ops.sum(loss)
    if reduction != "none":
        raise ValueError(f"{op}: unknown reduction: {reduction!r}; must be {choices}")
    return loss
