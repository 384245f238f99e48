// What the threads of a block work out together: a reduction, or a running total. Blocks are one-dimensional, of whole warps.
//
// Within a warp values go from register to register, between warps through shared memory, in an order that depends on the size of the
// block alone: the bits are the same every time.
#pragma once

#include <bit>

#include "kernels/cuda/cuda.h"

namespace pyengine::kernels {
namespace {

constexpr unsigned all_lanes = 0xffffffffu;

__device__ inline unsigned lane_index() { return threadIdx.x % 32; }
__device__ inline unsigned warp_index() { return threadIdx.x / 32; }
__device__ inline unsigned warp_count() { return blockDim.x / 32; }

/// Exchanges a value of any size, 32 bits at a time.
template <typename T, typename Exchange>
__device__ T exchanged(T value, Exchange exchange) {
    static_assert(sizeof(T) % 4 == 0);
    struct Words {
        unsigned at[sizeof(T) / 4];
    };
    Words words = std::bit_cast<Words>(value);
    for (unsigned& word : words.at) word = exchange(word);
    return std::bit_cast<T>(words);
}

template <typename T>
__device__ T from_lane_across(T value, int distance) {
    return exchanged(value, [=](unsigned word) { return __shfl_xor_sync(all_lanes, word, distance); });
}

template <typename T>
__device__ T from_lane_below(T value, int distance) {
    return exchanged(value, [=](unsigned word) { return __shfl_up_sync(all_lanes, word, static_cast<unsigned>(distance)); });
}

/// The most warps that block_reduce takes.
template <int columns>
constexpr unsigned most_warps = columns == 1 ? 32 : 8;

/// Combines the values of all threads (columns = 1), or of the threads with the same lane (columns = 32), for each thread to have.
/// The number of warps is a power of two; combine(a, b) equals combine(b, a).
template <int columns, typename T, typename Combine>
__device__ T block_reduce(T value, Combine combine) {
    __shared__ T of_warps[columns * most_warps<columns>];
    const unsigned warps = warp_count(), column = columns == 1 ? 0 : lane_index();
    if constexpr (columns == 1)
        for (int distance = 16; distance > 0; distance /= 2) value = combine(value, from_lane_across(value, distance));
    if (warps == 1) return value;
    __syncthreads();  // the last reduction's values have been read
    if (columns == 32 || lane_index() == 0) of_warps[warp_index() * columns + column] = value;
    __syncthreads();
    if constexpr (columns == 1) {
        value = of_warps[lane_index() % warps];
        for (int distance = static_cast<int>(warps) / 2; distance > 0; distance /= 2)
            value = combine(value, from_lane_across(value, distance));
    } else {
        value = of_warps[column];
        for (unsigned warp = 1; warp < warps; ++warp) value = combine(value, of_warps[warp * columns + column]);
    }
    return value;
}

/// Combines the values of the threads up to and with this one, in their order; `total` gets that of all.
template <typename T, typename Combine>
__device__ T block_scan(T value, T neutral, Combine combine, T& total) {
    __shared__ T of_warps[32];
    for (int distance = 1; distance < 32; distance *= 2) {
        const T below = from_lane_below(value, distance);
        if (static_cast<int>(lane_index()) >= distance) value = combine(below, value);
    }
    __syncthreads();  // the last scan's values have been read
    if (lane_index() == 31) of_warps[warp_index()] = value;
    __syncthreads();
    T before = neutral;
    total = neutral;
    for (unsigned warp = 0; warp < warp_count(); ++warp) {
        if (warp == warp_index()) before = total;
        total = combine(total, of_warps[warp]);
    }
    return combine(before, value);
}

struct Add {
    template <typename T>
    __device__ T operator()(T a, T b) const {
        return a + b;
    }
};

/// Sum of term(i) for i = begin, begin + step, ... below end: eight at a time, and their sums pairwise, so that the error grows with the
/// logarithm of their number.
template <typename A, typename Combine, typename Term>
__device__ A pairwise(A neutral, std::int64_t begin, std::int64_t end, std::int64_t step, Combine combine, Term term) {
    constexpr int leaf = 8, depth = 24;  // room for 2^27 terms, which no thread has
    A levels[depth];                     // levels[l] holds 2^l leaves if bit l of their number is set
    unsigned leaves = 0;
    std::int64_t i = begin;
    for (; i + (leaf - 1) * step < end; i += leaf * step, ++leaves) {
        A terms[leaf];
        for (int t = 0; t < leaf; ++t) terms[t] = term(i + t * step);
        for (int half = leaf / 2; half > 0; half /= 2)
            for (int t = 0; t < half; ++t) terms[t] = combine(terms[t], terms[t + half]);
        A sum = terms[0];
        int level = 0;
        for (; leaves >> level & 1; ++level) sum = combine(levels[level], sum);
        levels[level] = sum;
    }
    A total = neutral;
    for (; i < end; i += step) total = combine(total, term(i));
    for (int level = 0; leaves >> level > 0; ++level)
        if (leaves >> level & 1) total = combine(levels[level], total);
    return total;
}

}  // namespace
}  // namespace pyengine::kernels
