// softmax and log_softmax along the middle axis of (outer, n, inner), and the products of a gradient with their Jacobians.
//
//     softmax               y[j] = exp(x[j] - m) / sum_k exp(x[k] - m),      m = max_k x[k]
//     log_softmax           y[j] = x[j] - m - log sum_k exp(x[k] - m)
//     softmax_backward      dx[j] = y[j] (dy[j] - sum_k dy[k] y[k])
//     log_softmax_backward  dx[j] = dy[j] - exp(y[j]) sum_k dy[k]
//
//   all arrays (outer, n, inner), contiguous, of one floating type; float16 and bfloat16 compute in float32 and round once
//   outputs are overwritten and alias no input; any size 0: nothing is written
//   A row with a NaN or +Inf, or of -Inf alone, is NaN; a -Inf among finite values is 0 (softmax), -Inf (log_softmax).
//   The order of summation depends on n and the level alone.
#pragma once

#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct SoftmaxArgs {
    ElementType type;
    std::int64_t outer, n, inner;
    const void* x;
    void* y;
};

struct SoftmaxBackwardArgs {
    ElementType type;
    std::int64_t outer, n, inner;
    const void* y;
    const void* dy;
    void* dx;
};

template <Isa isa>
void softmax(const SoftmaxArgs& args);
template <Isa isa>
void log_softmax(const SoftmaxArgs& args);
template <Isa isa>
void softmax_backward(const SoftmaxBackwardArgs& args);
template <Isa isa>
void log_softmax_backward(const SoftmaxBackwardArgs& args);

}  // namespace pyengine::kernels
