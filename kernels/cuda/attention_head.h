// What the attention kernels share: a head's matrices, its scores, its dropout, and sums over the lanes that hold a row.
//
// The kernels are written once, for tiles of two kinds: attention_simt.h, attention_mma.h. A thread of a block holds of a tile the elements
// of rows row(r), r < rows, and columns column(c), c < columns, or of a result c < result_columns; `row_lanes` lanes hold a row together.
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

/// Unrolled, so that what is indexed by r and c stays in registers.
template <int rows, int columns, typename Visit>
__device__ __forceinline__ void each_element(Visit visit) {
#pragma unroll
    for (int r = 0; r < rows; ++r)
#pragma unroll
        for (int c = 0; c < columns; ++c) visit(r, c);
}

/// Rows first, first + 1, ... of two matrices: keys and values, or queries and the derivatives of their results.
template <typename T>
struct Pair {
    Matrix<T> x, y;
    std::int64_t first;
};

/// One (batch, query head).
template <typename T>
struct Head {
    using A = Accumulator<T>;

    const AttentionProblem& p;
    int number, batch, head;
    A scale;

    __device__ Head(const AttentionProblem& problem, int number)
        : p(problem),
          number(number),
          batch(number / static_cast<int>(p.query_heads)),
          head(number % static_cast<int>(p.query_heads)),
          scale(static_cast<A>(p.scale)) {}

    __device__ Matrix<T> q() const { return matrix(p.q, p.q_strides, head, p.queries, p.width); }
    __device__ Matrix<T> k() const { return matrix(p.k, p.k_strides, key_head(), p.keys, p.width); }
    __device__ Matrix<T> v() const { return matrix(p.v, p.v_strides, key_head(), p.keys, p.value_width); }

    /// The part that belongs to this head of an array (batch, query_heads, queries, value_width).
    __device__ Matrix<T> values_of(const void* data) const {
        return {static_cast<const T*>(data) + row(0) * p.value_width, p.queries, p.value_width, p.value_width, 1};
    }

    __device__ std::int64_t row(std::int64_t i) const { return number * p.queries + i; }

    /// From products to scores, of a tile whose rows belong to queries i0, i0 + 1, ... and columns to keys j0, j0 + 1, ..., or, if
    /// `transposed`, rows to keys and columns to queries. Hidden, or of no key: -Inf, whatever the product.
    template <typename Tiles, bool transposed = false>
    __device__ void to_scores(A (&s)[Tiles::rows][Tiles::columns], std::int64_t i0, std::int64_t j0) const {
        const int keys = within_tile(p.keys - j0), ahead = p.causal ? within_tile(i0 - j0) : tile;
        each_element<Tiles::rows, Tiles::columns>([&](int r, int c) { s[r][c] *= scale; });
        if (p.mask && p.mask_type == ElementType::boolean)
            mask<Tiles, transposed, bool>(s, i0, j0, [](A& score, bool shown) { score = shown ? score : -INFINITY; });
        else if (p.mask)
            mask<Tiles, transposed, T>(s, i0, j0, [](A& score, T x) {
                const A added = convert<A>(x);
                score = added == -INFINITY ? added : score + added;
            });
        if (keys < tile || ahead < tile)
            each_element<Tiles::rows, Tiles::columns>([&](int r, int c) {
                const int i = transposed ? Tiles::column(c) : Tiles::row(r), j = transposed ? Tiles::row(r) : Tiles::column(c);
                if (j >= keys || j > i + ahead) s[r][c] = -INFINITY;
            });
    }

    /// z, where it is not 0.
    __device__ A kept_factor() const { return static_cast<A>(1 / (1 - p.dropout)); }

    /// Whether z is kept_factor(), and not 0, for query i and `count` keys from j on, as bits. Each block of philox is drawn once.
    __device__ std::uint32_t kept(std::int64_t i, std::int64_t j, unsigned count) const {
        const std::uint64_t threshold = probability_threshold(1 - p.dropout);
        const auto replay = p.replays ? static_cast<std::uint32_t>(*p.replays) : 0u;
        const std::uint64_t first = p.offset + static_cast<std::uint64_t>(row(i) * p.keys + j);
        std::uint32_t bits = 0;
#pragma unroll 1
        for (std::uint64_t block = first / 4; block * 4 < first + count; ++block) {
            const PhiloxBlock words = philox(p.seed, RandomStream::words32, block, replay);
#pragma unroll
            for (unsigned w = 0; w < 4; ++w) {
                const std::uint64_t n = block * 4 + w - first;  // before the first it is more than any count
                if (n < count) bits |= std::uint32_t{hit(words.word[w], threshold)} << n;
            }
        }
        return bits;
    }

private:
    __device__ static int within_tile(std::int64_t count) {
        return static_cast<int>(min(max(count, std::int64_t{-tile}), std::int64_t{tile}));
    }

    /// Changes a score by what the mask has for it.
    template <typename Tiles, bool transposed, typename M, typename Change>
    __device__ void mask(A (&s)[Tiles::rows][Tiles::columns], std::int64_t i0, std::int64_t j0, Change change) const {
        const std::int64_t *stride = p.mask_strides, row_stride = stride[transposed ? 3 : 2], column_stride = stride[transposed ? 2 : 3];
        const M* const values = static_cast<const M*>(p.mask) + batch * stride[0] + head * stride[1] + i0 * stride[2] + j0 * stride[3];
        const int rows = within_tile(transposed ? p.keys - j0 : p.queries - i0);
        const int columns = within_tile(transposed ? p.queries - i0 : p.keys - j0);
#pragma unroll
        for (int c = 0; c < Tiles::columns; ++c) {
#pragma unroll
            for (int r = 0; r < Tiles::rows; ++r)
                if (Tiles::row(r) < rows && Tiles::column(c) < columns)
                    change(s[r][c], values[Tiles::row(r) * row_stride + Tiles::column(c) * column_stride]);
            if (c % 2 == 1) __syncwarp();  // or all would be read at once, to registers that are needed
        }
    }

    __device__ std::int64_t key_head() const { return head / (p.query_heads / p.key_heads); }

    __device__ Matrix<T> matrix(const void* data, const std::int64_t* strides, std::int64_t at, std::int64_t rows,
                                std::int64_t columns) const {
        return {static_cast<const T*>(data) + batch * strides[0] + at * strides[1], rows, columns, strides[2], strides[3]};
    }
};

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
