// What the attention kernels share: a head's matrices, its scores, its dropout, and sums over the lanes that hold a row.
#pragma once

#include "kernels/accumulator.h"
#include "kernels/attention.h"
#include "kernels/cuda/cuda.h"
#include "kernels/philox.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr int tile = 64;  // queries, keys

constexpr std::int64_t tiles_of(std::int64_t count) { return (count + tile - 1) / tile; }

/// A matrix in global memory, with zeros around it.
template <typename T>
struct Matrix {
    const T* data;
    std::int64_t rows, columns, row_stride, column_stride;

    __device__ T operator()(std::int64_t i, std::int64_t j) const {
        return i < rows && j < columns ? data[i * row_stride + j * column_stride] : T{};
    }
};

/// One (batch, query head).
template <typename T>
struct Head {
    using A = Accumulator<T>;

    const AttentionProblem& p;
    std::int64_t number, batch, head;
    A scale, kept_factor;
    std::uint64_t kept_threshold;

    __device__ Head(const AttentionProblem& problem, std::int64_t number)
        : p(problem),
          number(number),
          batch(number / p.query_heads),
          head(number % p.query_heads),
          scale(static_cast<A>(p.scale)),
          kept_factor(static_cast<A>(1 / (1 - p.dropout))),
          kept_threshold(probability_threshold(1 - p.dropout)) {}

    __device__ Matrix<T> q() const { return matrix(p.q, p.q_strides, head, p.queries, p.width); }
    __device__ Matrix<T> k() const { return matrix(p.k, p.k_strides, key_head(), p.keys, p.width); }
    __device__ Matrix<T> v() const { return matrix(p.v, p.v_strides, key_head(), p.keys, p.value_width); }

    /// The part that belongs to this head of an array (batch, query_heads, queries, value_width).
    __device__ Matrix<T> values_of(const void* data) const {
        return {static_cast<const T*>(data) + row(0) * p.value_width, p.queries, p.value_width, p.value_width, 1};
    }

    __device__ std::int64_t row(std::int64_t i) const { return number * p.queries + i; }

    /// s[i, j], from q[i] . k[j]. Hidden, or outside: -Inf, whatever the product.
    __device__ A score(std::int64_t i, std::int64_t j, A product) const {
        constexpr A hidden = -INFINITY;
        if (i >= p.queries || j >= p.keys || (p.causal && j > i)) return hidden;
        if (!p.mask) return scale * product;
        const std::int64_t* s = p.mask_strides;
        const std::int64_t place = batch * s[0] + head * s[1] + i * s[2] + j * s[3];
        if (p.mask_type == ElementType::boolean) return static_cast<const bool*>(p.mask)[place] ? scale * product : hidden;
        const A added = convert<A>(static_cast<const T*>(p.mask)[place]);
        return added == hidden ? hidden : scale * product + added;
    }

    /// z[i, j].
    __device__ A kept(std::int64_t i, std::int64_t j) const {
        if (p.dropout == 0) return 1;
        const std::uint64_t position = p.offset + static_cast<std::uint64_t>(row(i) * p.keys + j);
        return hit(philox_word(p.seed, RandomStream::words32, position), kept_threshold) ? kept_factor : 0;
    }

private:
    __device__ std::int64_t key_head() const { return head / (p.query_heads / p.key_heads); }

    __device__ Matrix<T> matrix(const void* data, const std::int64_t* strides, std::int64_t at, std::int64_t rows,
                                std::int64_t columns) const {
        return {static_cast<const T*>(data) + batch * strides[0] + at * strides[1], rows, columns, strides[2], strides[3]};
    }
};

/// Unrolled, so that what is indexed by r and c stays in registers.
template <int rows, int columns, typename Visit>
__device__ __forceinline__ void each_element(Visit visit) {
#pragma unroll
    for (int r = 0; r < rows; ++r)
#pragma unroll
        for (int c = 0; c < columns; ++c) visit(r, c);
}

template <int lanes, typename A>
__device__ A sum_over_lanes(A x) {
    for (int step = lanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

/// Passes over NaN.
template <int lanes, typename A>
__device__ A max_over_lanes(A x) {
    for (int step = lanes / 2; step > 0; step /= 2) {
        const A other = __shfl_xor_sync(0xffffffffu, x, step);
        x = other > x ? other : x;
    }
    return x;
}

}  // namespace
}  // namespace pyengine::kernels
