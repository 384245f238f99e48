// max x and sum exp(x - max x) in one pass: the sum is scaled whenever the maximum grows. (M. Milakov, N. Gimelshein: "Online normalizer
// calculation for softmax", 2018.)
#pragma once

#include <limits>

#include "kernels/accumulator.h"
#include "kernels/cuda/rows.h"

namespace pyengine::kernels {
namespace {

template <typename A>
struct MaxSum {
    A max = std::numeric_limits<A>::lowest();  // finite, so that -Inf by itself counts 0 and no Inf - Inf arises before the end
    A sum = 0;

    /// NaN, and +Inf, show in the sum.
    __device__ void add(A x) {
        if (x > max) {
            sum = sum * exp(max - x) + (x - x + 1);
            max = x;
        } else {
            sum += exp(x - max);
        }
    }
};

struct MergeMaxSum {
    template <typename A>
    __device__ MaxSum<A> operator()(MaxSum<A> a, MaxSum<A> b) const {
        const A max = a.max > b.max ? a.max : b.max;
        return {max, a.sum * exp(a.max - max) + b.sum * exp(b.max - max)};
    }
};

template <int columns, typename T, typename Layout>
__device__ MaxSum<Accumulator<T>> max_sum(const Share<Layout>& share, const T* x) {
    using A = Accumulator<T>;
    MaxSum<A> state;
    share.each_value(x, [&](std::int64_t, T value) { state.add(convert<A>(value)); });
    return block_reduce<columns>(state, MergeMaxSum());
}

}  // namespace
}  // namespace pyengine::kernels
