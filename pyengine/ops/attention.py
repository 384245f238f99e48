"""Scaled dot-product attention, fused: the matrix of scores is never stored, neither forward nor backward."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pyengine import _engine, creation, dtypes, ops
from pyengine.autograd import OUTPUT, record
from pyengine.ops.random import default_generator
from pyengine.tensor import Tensor, as_tensor

__all__ = ["scaled_dot_product_attention"]

BLOCK_SCORES = 1 << 20
"""Scores held at a time where a gradient is differentiated again."""


class _Options(NamedTuple):
    causal: bool
    scale: float
    dropout: float
    seed: int
    offset: int
    queries: int

    def engine(self, mask: Tensor | None) -> _engine.AttentionOptions:
        return _engine.AttentionOptions(None if mask is None else mask._array, *self[:-1])


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """out = dropout(softmax(scale Q Kᵀ + M)) V,   scale = 1 / √E by default.

    ``query`` (..., Hq, L, E), ``key`` (..., H, S, E), ``value`` (..., H, S, Ev), at least of rank 2; axes before the last two broadcast.
    With ``enable_gqa`` Hq may be a multiple of H: query head i then reads key head i // (Hq / H). ``attn_mask`` M broadcasts to
    (..., Hq, L, S): boolean, where False hides the key (-inf), or of the queries' dtype, and added. ``is_causal`` hides key j from query
    i < j, also beside a mask. A query that sees no key gets zeros. ``dropout_p``: a weight is dropped with this probability, others are
    divided by 1 - dropout_p; always on, numbers from the default generator, drawn again in the backward.

    Floating dtypes; 16-bit floats compute in float32, but tensor cores take weights and the gradients of scores in 16 bits. They multiply
    float32 only where :func:`set_float32_matmul_precision` lets them round factors, weights and gradients of scores among them. Memory
    grows with L + S, not L S: the backward computes the scores again, tile by tile, and differentiating it once more does so by blocks
    of queries. Gradient with respect to query, key and value, and to an added mask, for which, alone, all scores are stored. ValueError
    where shapes do not fit, TypeError where dtypes differ.
    T. Dao et al.: FlashAttention, 2022. As torch.nn.functional.scaled_dot_product_attention.
    """
    q, k, v, batch = _as_heads(as_tensor(query), as_tensor(key), as_tensor(value), enable_gqa)
    mask = None if attn_mask is None else as_tensor(attn_mask)
    if mask is not None and len(batch) > 1:
        mask = _reshaped(ops.broadcast_to(mask, (*batch, *q.shape[1:3], k.shape[2])), (*q.shape[:3], k.shape[2]))
    seed, offset = default_generator.advance(math.prod(q.shape[:3]) * k.shape[2]) if dropout_p > 0 else (0, 0)
    options = _Options(is_causal, 1 / math.sqrt(max(q.shape[3], 1)) if scale is None else scale, dropout_p, seed, offset, q.shape[2])
    if mask is not None and mask.requires_grad:
        out = _composed(options, mask, q, k, v)
    else:
        result, logsumexp = _engine.scaled_dot_product_attention(q._array, k._array, v._array, options.engine(mask))
        out = record("scaled_dot_product_attention", result, (q, k, v), _pull, (options, mask, q, k, v, OUTPUT, Tensor(logsumexp)))
    rank = max(as_tensor(t).ndim for t in (query, key, value))
    return _reshaped(out, (*batch, *out.shape[1:])[-rank:])


def _as_heads(q: Tensor, k: Tensor, v: Tensor, enable_gqa: bool) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...]]:
    """All of rank 4, (batch, heads, length, width), and the axes that became the batch."""
    shapes = f"query {q.shape}, key {k.shape}, value {v.shape}"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ValueError(f"scaled_dot_product_attention: rank too low: {shapes}; must be (..., length, width)")
    rank = max(q.ndim, k.ndim, v.ndim, 4)
    q, k, v = (_reshaped(t, (1,) * (rank - t.ndim) + t.shape) for t in (q, k, v))
    heads = {t.shape[-3] for t in ((k, v) if enable_gqa else (q, k, v))} - {1} or {1}
    if len(heads) > 1:
        hint = "" if enable_gqa else "; enable_gqa=True lets a key head serve several query heads"
        raise ValueError(f"scaled_dot_product_attention: heads differ: {shapes}; they must be equal or 1{hint}")
    key_heads = heads.pop()
    query_heads = q.shape[-3] if enable_gqa else key_heads
    batch = ops.broadcast_shapes(*(t.shape[:-3] for t in (q, k, v)))
    q, k, v = (_spread(t, batch, n) for t, n in ((q, query_heads), (k, key_heads), (v, key_heads)))
    return q, k, v, batch


def _spread(t: Tensor, batch: tuple[int, ...], heads: int) -> Tensor:
    shape = (*batch, heads, *t.shape[-2:])
    t = t if t.shape == shape else ops.broadcast_to(t, shape)
    return _reshaped(t, (math.prod(batch), *shape[-3:]))


def _reshaped(t: Tensor, shape: tuple[int, ...]) -> Tensor:
    return t if t.shape == shape else ops.reshape(t, shape)


# Gradients ------------------------------------------------------------------------------------------------------------------------------

Three = tuple[Tensor, Tensor, Tensor]


def _pull(
    g: Tensor, options: _Options, mask: Tensor | None, q: Tensor, k: Tensor, v: Tensor, out: Tensor, logsumexp: Tensor
) -> tuple[Tensor, ...]:
    """dQ, dK, dV. As a function of g, Q, K and V: what the engine reads of out and logsumexp is in them."""
    arrays = (g._array, q._array, k._array, v._array, out._array, logsumexp._array)
    grads = _engine.scaled_dot_product_attention_backward(*arrays, options.engine(mask))
    return record("scaled_dot_product_attention_backward", grads, (g, q, k, v), _pull_again, (options, mask, g, q, k, v))


def _pull_again(
    h: Three, options: _Options, mask: Tensor | None, g: Tensor, q: Tensor, k: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """From the gradients of dQ, dK, dV to those of g, Q, K, V; block by block of queries."""
    wide = dtypes.float32 if q.dtype.itemsize == 2 else q.dtype
    group = q.shape[1] // max(k.shape[1], 1)
    hq, g, q = (_grouped(ops.astype(t, wide, copy=False), group) for t in (h[0], g, q))
    hk, hv, k, v = (ops.expand_dims(ops.astype(t, wide, copy=False), axis=2) for t in (h[1], h[2], k, v))
    size = max(1, BLOCK_SCORES // max(math.prod(q.shape[:3]) * k.shape[3], 1))
    blocks = []
    dk, dv = creation.zeros(k.shape, wide, device=k.device), creation.zeros(v.shape, wide, device=v.device)
    for first in range(0, q.shape[3], size):
        rows = (..., slice(first, first + size), slice(None))
        of_g, of_q, of_k, of_v = _pull_block(first, options, mask, (hq[rows], hk, hv), g[rows], q[rows], k, v)
        blocks.append((of_g, of_q))
        dk, dv = dk + ops.sum(of_k, axis=2, keepdims=True), dv + ops.sum(of_v, axis=2, keepdims=True)
    if not blocks:
        dg, dq = (creation.zeros(_ungrouped(x), wide, device=x.device) for x in (g, q))
        return dg, dq, ops.squeeze(dk, axis=2), ops.squeeze(dv, axis=2)
    dg, dq = (ops.concat(list(parts), axis=3) for parts in zip(*blocks, strict=True))
    return ops.reshape(dg, _ungrouped(dg)), ops.reshape(dq, _ungrouped(dq)), ops.squeeze(dk, axis=2), ops.squeeze(dv, axis=2)


def _pull_block(
    first: int, options: _Options, mask: Tensor | None, h: Three, g: Tensor, q: Tensor, k: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """With P the weights, Z dropout, and ⟨A, B⟩ the sums of A ∘ B over keys, the backward computes

    dP = Z ∘ (G Vᵀ),  dS = P ∘ (dP - ⟨P, dP⟩),  dQ = scale dS K,  dK = scale dSᵀ Q,  dV = (P ∘ Z)ᵀ G.
    """
    hq, hk, hv = h
    p, z = _weights(options, mask, q, k, first), _dropout(options, q, k, first)
    kept = p * z
    dp = z * (g @ v.mT)
    ds = p * (dp - _over_keys(p * dp))
    of_ds = (hq @ k.mT + q @ hk.mT) * options.scale
    mean = _over_keys(p * of_ds)
    of_dp = z * (p * (of_ds - mean))
    of_p = of_ds * (dp - _over_keys(p * dp)) - dp * mean + z * (g @ hv.mT)
    of_s = p * (of_p - _over_keys(p * of_p)) * options.scale
    return (
        kept @ hv + of_dp @ v,
        of_s @ k + (ds @ hk) * options.scale,
        of_s.mT @ q + (ds.mT @ hq) * options.scale,
        of_dp.mT @ g,
    )


# In differentiable ops: (batch, key heads, query heads of each, queries, keys) ----------------------------------------------------------


def _composed(options: _Options, mask: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention that stores its scores."""
    grouped = _grouped(q, q.shape[1] // max(k.shape[1], 1))
    k, v = ops.expand_dims(k, axis=2), ops.expand_dims(v, axis=2)
    out = (_weights(options, mask, grouped, k, 0) * _dropout(options, grouped, k, 0)) @ v
    return ops.reshape(out, _ungrouped(out))


def _weights(options: _Options, mask: Tensor | None, q: Tensor, k: Tensor, first: int) -> Tensor:
    """softmax(scale Q Kᵀ + M) of the queries from ``first`` on; 0 where a query sees nothing."""
    scores = (q @ k.mT) * options.scale
    queries, keys = scores.shape[-2:]
    if mask is not None:
        rows = mask if mask.ndim < 2 or mask.shape[-2] == 1 else mask[..., first : first + queries, :]
        if rows.ndim > 2:
            rows = _grouped(rows, q.shape[2] if rows.shape[-3] > 1 else 1)
        scores = scores + rows if dtypes.is_floating(rows.dtype) else ops.where(rows, scores, -math.inf)
    if options.causal:
        query = ops.expand_dims(creation.arange(first, first + queries, device=q.device), axis=1)
        scores = ops.where(ops.less_equal(creation.arange(keys, device=q.device), query), scores, -math.inf)
    if mask is None or scores.size == 0:
        return ops.softmax(scores)
    blind = ops.equal(ops.max(scores.detach(), axis=-1, keepdims=True), -math.inf)
    return ops.where(blind, 0.0, ops.softmax(ops.where(blind, 0.0, scores)))


def _dropout(options: _Options, q: Tensor, k: Tensor, first: int) -> Tensor | float:
    """Z of the queries from ``first`` on: the numbers that the kernel draws."""
    if options.dropout == 0:
        return 1.0
    keep = 1.0 - options.dropout
    queries, keys = q.shape[3], k.shape[3]
    heads = []
    for head in range(math.prod(q.shape[:3])):
        position = options.offset + (head * options.queries + first) * keys
        heads.append(Tensor(_engine.random_bernoulli((queries, keys), q.dtype, options.seed, position % 2**64, keep, 1.0 / keep, q.device)))
    return ops.reshape(ops.stack(heads), (*q.shape[:4], keys))


def _grouped(x: Tensor, group: int) -> Tensor:
    """Heads as (key heads, query heads of each)."""
    return ops.reshape(x, (*x.shape[:-3], x.shape[-3] // max(group, 1), group, *x.shape[-2:]))


def _ungrouped(x: Tensor) -> tuple[int, ...]:
    return (x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])


def _over_keys(x: Tensor) -> Tensor:
    return ops.sum(x, axis=-1, keepdims=True)
