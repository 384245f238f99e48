// softmax_cross_entropy: cross-entropy of softmax(logits) with a target distribution over the n classes, fused; and its gradient.
//
// For each row, a column of logits (outer, n, inner) along the middle axis, with t the target distribution and w the class weights:
//
//     logsumexp = log sum_c exp(x[c]),     t'[c] = (1 - s) t[c] + s / n,     s = label_smoothing
//     loss      = sum_c w[c] t'[c] (logsumexp - x[c])
//     dx[c]     = g (exp(x[c] - logsumexp) sum_k w[k] t'[k] - w[c] t'[c])
//
//   logits, dlogits (outer, n, inner), contiguous, of one floating type
//   target: either `classes` (outer, inner), t one at that class, each in [0, n) or equal to ignore_index (then loss and gradient are 0);
//           or `distribution` (outer, n, inner) of the type of logits; the other is null
//   weight (n) of the type of logits, or null: all ones
//   loss, logsumexp, grad (outer, inner): float32 for 16-bit logits, else the type of logits
//   With classes and s = 0 only x at the class enters the loss: -Inf elsewhere is harmless. Otherwise 0 * Inf = NaN as in the formula.
//   Outputs are overwritten and alias no input. n = 0: loss 0, logsumexp -Inf. outer or inner 0: nothing is written.
#pragma once

#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct CrossEntropyProblem {
    ElementType type;
    std::int64_t outer, n, inner;
    const void* logits;
    const std::int64_t* classes;
    const void* distribution;
    const void* weight;
    std::int64_t ignore_index;
    double label_smoothing;
};

struct SoftmaxCrossEntropyArgs : CrossEntropyProblem {
    void* loss;
    void* logsumexp;
};

struct SoftmaxCrossEntropyBackwardArgs : CrossEntropyProblem {
    const void* grad;
    const void* logsumexp;
    void* dlogits;
};

template <Isa isa>
void softmax_cross_entropy(const SoftmaxCrossEntropyArgs& args);
template <Isa isa>
void softmax_cross_entropy_backward(const SoftmaxCrossEntropyBackwardArgs& args);

}  // namespace pyengine::kernels
