// scaled_dot_product_attention, fused: the scores are computed in tiles and never stored.
//
// For each batch b and query head h, with the key head h' = h / (query_heads / key_heads):
//
//     s[i, j] = scale sum_d q[i, d] k[j, d] + bias[i, j]        bias: the mask (0 / -Inf, or what is added), -Inf for j > i if causal
//     p[i, j] = exp(s[i, j] - logsumexp[i]),   logsumexp[i] = log sum_j exp(s[i, j])
//     out[i, e] = sum_j z[i, j] p[i, j] v[j, e]                 z: dropout, 1 / (1 - dropout) with probability 1 - dropout, else 0
//
// and its backward, which computes the scores again:
//
//     dv[j] = sum_i z p dout[i],   ds[i, j] = p (z dout[i] . v[j] - dout[i] . out[i]),   dq[i] = scale sum_j ds k[j],   dk[j] = scale sum_i
//     ds q[i]
//
//   q (batch, query_heads, queries, width), k (batch, key_heads, keys, width), v (batch, key_heads, keys, value_width): any strides;
//   query_heads is a multiple of key_heads. One floating type; float16 and bfloat16 compute in float32 and round once at the end; but
//   tensor cores take p and ds rounded to the type, so that there float16's ds below 6e-8 are lost and those beyond 65504 are Inf.
//   tf32: as in matmul.h, for these products, of which z p and ds are factors, too; but dout[i] . out[i] is exact.
//   mask: strides for (batch, query_heads, queries, keys), 0 where it is broadcast; boolean (false hides the key) or of q's type (added)
//   out, dout (batch, query_heads, queries, value_width), logsumexp (batch, query_heads, queries), dq, dk, dv: contiguous; outputs are
//   overwritten and alias no input. logsumexp is float32 for 16-bit types, else of q's type.
//   A query whose keys are all hidden has out 0, logsumexp -Inf and gradient 0. NaN and Inf propagate, except from scores that are hidden.
//   z[i, j] is bernoulli of kernels/random.h at position offset + ((b query_heads + h) queries + i) keys + j.
//   No queries or keys: out and the gradients are zero. Sums run in an order that depends on the shape and the level alone.
//
// T. Dao et al.: FlashAttention, NeurIPS 2022, algorithms 1 and 4; M. Milakov, N. Gimelshein: Online normalizer calculation for softmax,
// 2018.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct AttentionProblem {
    ElementType type;
    bool tf32;
    std::int64_t batch, query_heads, key_heads, queries, keys, width, value_width;
    const void* q;
    const void* k;
    const void* v;
    std::int64_t q_strides[4], k_strides[4], v_strides[4];
    const void* mask;  // or null
    ElementType mask_type;
    std::int64_t mask_strides[4];
    bool causal;
    double scale;
    double dropout;  // in [0, 1)
    std::uint64_t seed, offset;
    const std::int64_t* replays;  // in a CUDA graph: how many replays there were before this one, else null
    int lanes;                    // tasks at a time that the workspace has room for
    void* workspace;              // 64-byte aligned, *_workspace(args) bytes
};

struct AttentionArgs : AttentionProblem {
    void* out;
    void* logsumexp;
};

struct AttentionBackwardArgs : AttentionProblem {
    const void* out;
    const void* logsumexp;
    const void* dout;
    void* dq;
    void* dk;
    void* dv;
};

template <Isa isa>
std::size_t scaled_dot_product_attention_workspace(const AttentionProblem& args);
template <Isa isa>
void scaled_dot_product_attention(const AttentionArgs& args);

template <Isa isa>
std::size_t scaled_dot_product_attention_backward_workspace(const AttentionProblem& args);
template <Isa isa>
void scaled_dot_product_attention_backward(const AttentionBackwardArgs& args);

}  // namespace pyengine::kernels
