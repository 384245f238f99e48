"""Multi-head attention."""

from __future__ import annotations

import math
from typing import Any

from pyengine import ops
from pyengine.creation import empty, zeros
from pyengine.nn import functional as F
from pyengine.nn import init
from pyengine.nn.linear import Linear
from pyengine.nn.module import Module
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """concat(head_1, …, head_h) W_Oᵀ + b_O with head_i = softmax(Q_i K_iᵀ / √d + mask) V_i, d = embed_dim / num_heads.

    Q, K, V are affine maps of query (L, N, embed_dim), key (S, N, kdim) and value (S, N, vdim); ``batch_first`` puts N in front, and N may
    be missing. ``in_proj_weight`` (3 embed_dim, embed_dim) holds their weights one below the other, or ``q_proj_weight``, ``k_proj_weight``
    and ``v_proj_weight`` where kdim or vdim differ; ``out_proj`` is W_O. Initialised by xavier_uniform_, biases zero. ``dropout`` acts on
    the weights, in training. Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if num_heads <= 0 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: heads do not fit: embed_dim {embed_dim}, num_heads {num_heads}; num_heads must divide embed_dim"
            )
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        sizes = (embed_dim, embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim)
        if sizes == (embed_dim,) * 3:
            self.in_proj_weight: Parameter | None = Parameter(empty((3 * embed_dim, embed_dim), device=device, dtype=dtype))
        else:
            self.in_proj_weight = None
            for name, size in zip("qkv", sizes, strict=True):
                setattr(self, f"{name}_proj_weight", Parameter(empty((embed_dim, size), device=device, dtype=dtype)))
        self.in_proj_bias = Parameter(zeros((3 * embed_dim,), dtype, device=device)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for name, weight in self.named_parameters(recurse=False):
            if name.endswith("weight"):
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The attended values, and the weights (N, L, S), or (N, num_heads, L, S) unless ``average_attn_weights``, or None unless
        ``need_weights``.

        Masks are boolean, True where attention is forbidden, or floating, added to the scores: ``key_padding_mask`` (N, S), ``attn_mask``
        (L, S) or (N num_heads, L, S). ``is_causal`` forbids every position those behind it. A query that sees no key attends to nothing:
        zeros. Without weights, the fused kernel does not store them.
        """
        batched = query.ndim == 3
        if not batched and key_padding_mask is not None:
            key_padding_mask = ops.expand_dims(key_padding_mask, 0)
        q, k, v = (self._heads(x) for x in self._project(query, key, value))
        mask = self._mask(q, k, key_padding_mask, attn_mask)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            heads, weights = _attend(q, k, v, mask, is_causal, dropout)
            weights = ops.mean(weights, axis=1) if average_attn_weights else weights
        else:
            heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal)
        joined = ops.flatten(ops.swapaxes(heads, 1, 2), 2, 3)
        result = self.out_proj(joined)
        if not batched:
            return result[0], None if weights is None else weights[0]
        return result if self.batch_first else ops.swapaxes(result, 0, 1), weights

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Q, K and V, each (N, L, E); one product where they come from one tensor."""
        size = self.embed_dim
        biases = [None] * 3 if self.in_proj_bias is None else [self.in_proj_bias[i * size : (i + 1) * size] for i in range(3)]
        if self.in_proj_weight is None:
            weights = [getattr(self, f"{name}_proj_weight") for name in "qkv"]
        elif query is key and key is value:
            joint = F.linear(self._batch_first(query), self.in_proj_weight, self.in_proj_bias)
            return list(ops.split(joint, size, axis=-1))
        else:
            weights = [self.in_proj_weight[i * size : (i + 1) * size] for i in range(3)]
        inputs = (self._batch_first(x) for x in (query, key, value))
        return [F.linear(x, weight, bias) for x, weight, bias in zip(inputs, weights, biases, strict=True)]

    def _batch_first(self, x: Tensor) -> Tensor:
        return ops.expand_dims(x, 0) if x.ndim == 2 else x if self.batch_first else ops.swapaxes(x, 0, 1)

    def _heads(self, x: Tensor) -> Tensor:
        """(N, L, E) to (N, heads, L, E / heads)."""
        return ops.swapaxes(ops.reshape(x, (*x.shape[:2], self.num_heads, -1)), 1, 2)

    def _mask(self, q: Tensor, k: Tensor, key_padding_mask: Tensor | None, attn_mask: Tensor | None) -> Tensor | None:
        """Both masks as one that is added to the scores, broadcasting to (N, heads, L, S)."""
        batch, heads, length, source = q.shape[0], q.shape[1], q.shape[2], k.shape[2]
        added = None
        if attn_mask is not None:
            if attn_mask.shape not in ((length, source), (batch * heads, length, source)):
                raise ValueError(
                    f"MultiheadAttention: attn_mask does not fit: {attn_mask.shape}; "
                    f"must be {(length, source)} or {(batch * heads, length, source)}"
                )
            added = _as_added(attn_mask, q)
            added = ops.reshape(added, (batch, heads, length, source)) if attn_mask.ndim == 3 else added
        if key_padding_mask is not None:
            if key_padding_mask.shape != (batch, source):
                raise ValueError(f"MultiheadAttention: key_padding_mask does not fit: {key_padding_mask.shape}; must be {(batch, source)}")
            padding = ops.reshape(_as_added(key_padding_mask, q), (batch, 1, 1, source))
            added = padding if added is None else added + padding
        return added

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, batch_first={self.batch_first}"


def _as_added(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype.kind != "b":
        return ops.astype(mask, like.dtype, copy=False)
    return ops.where(mask, -math.inf, zeros((), like.dtype, device=mask.device))


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool, dropout: float) -> tuple[Tensor, Tensor]:
    """softmax(q kᵀ / √d + mask) v, and its weights, which the fused kernel does not keep."""
    scores = ops.matmul(q * (1 / math.sqrt(q.shape[-1])), k.mT)
    if is_causal:
        future = ops.triu(zeros(scores.shape[-2:], "int8", device=scores.device) + 1, k=1) != 0
        scores = ops.where(future, -math.inf, scores)
    if mask is not None:
        scores = scores + mask
        unseen = ops.max(scores, axis=-1, keepdims=True) == -math.inf
        weights = ops.where(unseen, 0.0, F.softmax(ops.where(unseen, 0.0, scores), -1))
    else:
        weights = F.softmax(scores, -1)
    return ops.matmul(F.dropout(weights, dropout, dropout > 0), v), weights
