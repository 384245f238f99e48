"""Affine maps, look-ups and normalisation."""

from __future__ import annotations

from pyengine import ops
from pyengine.creation import arange
from pyengine.ops import linear
from pyengine.tensor import Tensor

__all__ = ["bilinear", "cosine_similarity", "embedding", "linear", "normalize", "one_hot"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = Σ_ij x₁_i W_kij x₂_j + b_k: x₁ (…, in1), x₂ (…, in2), W (out, in1, in2), b (out)."""
    out, in1, in2 = weight.shape
    if input1.shape[:-1] != input2.shape[:-1] or input1.shape[-1] != in1 or input2.shape[-1] != in2:
        raise ValueError(
            f"bilinear: sizes differ: input1 {input1.shape}, input2 {input2.shape}, weight {weight.shape}; "
            "must be (…, in1), (…, in2), (out, in1, in2)"
        )
    halves = linear(input1, ops.reshape(ops.permute_dims(weight, (0, 2, 1)), (out * in2, in1)))
    result = ops.sum(ops.reshape(halves, (*input1.shape[:-1], out, in2)) * ops.expand_dims(input2, -2), axis=-1)
    return result if bias is None else result + bias


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Row ``input[…]`` of ``weight`` (rows, features) for every integer in ``input``: shape (…, features).

    Gradient: g summed into the rows that were read, in a fixed order; row ``padding_idx`` gets none. IndexError if an index is out of
    range.
    """
    rows = ops.reshape(ops.take(weight, ops.reshape(input, (-1,)), axis=0), (*input.shape, weight.shape[1]))
    if padding_idx is None:
        return rows
    return ops.where(ops.expand_dims(input == range(weight.shape[0])[padding_idx], -1), rows.detach(), rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at position ``tensor[…]`` of a new last axis of size ``num_classes`` (-1: the largest class + 1), 0 elsewhere; int64.

    ValueError if a class is negative or too large.
    """
    low, high = (ops.min(tensor).item(), ops.max(tensor).item()) if tensor.size else (0, num_classes - 1)
    count = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= count:
        raise ValueError(f"one_hot: class out of range: in [{low}, {high}]; must be in [0, {count})")
    return ops.astype(ops.expand_dims(tensor, -1) == arange(count, device=tensor.device), "int64")


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖_p, eps), norms along ``dim``. At x = 0 the gradient is NaN for p ≤ 2, as the norm's is."""
    size = ops.abs(input)
    norm = ops.sqrt(ops.sum(input * input, axis=dim, keepdims=True)) if p == 2 else ops.sum(size**p, axis=dim, keepdims=True) ** (1 / p)
    return input / ops.maximum(norm, eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """⟨x₁, x₂⟩ / (max(‖x₁‖, eps) max(‖x₂‖, eps)) along ``dim``."""
    return ops.sum(normalize(x1, dim=dim, eps=eps) * normalize(x2, dim=dim, eps=eps), axis=dim)
