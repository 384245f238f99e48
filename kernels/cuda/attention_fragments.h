// What attention_mma.h multiplies: rows in shared memory, and the fragments of them, and of sums, that mma takes as factors.
//
// A fragment is 32 bytes deep: 16 elements of 16 bits, or 8 floats, which are rounded to tf32 on their way to the registers. As words, and
// as chunks of 16 bytes, both look the same; what differs is here. Sums become a left factor where they lie. A lane has of each row the
// sums of columns 2t, 2t + 1, which for 16 bits is a word of that factor. For floats the factor's columns t and t + 4 are needed: the depth
// is renumbered, column t stands for row 2t of the right factor, and t + 4 for row 2t + 1.
#pragma once

#include "kernels/cuda/attention_head.h"
#include "kernels/cuda/gemm_mma.h"
#include "kernels/cuda/gemm_tile.h"
#include "kernels/cuda/primitives/cp_async.h"

namespace pyengine::kernels {
namespace {

__device__ inline unsigned lane() { return threadIdx.x % 32; }

/// Rows in shared memory. Chunk c of 16 bytes of row i lies at place c ^ (i % 8) of the row: one chunk of 8 rows, which ldmatrix reads at
/// once, is in different banks, and so are 8 neighbouring floats of 4 rows, every second one.
template <typename T, int rows, int width>
struct SharedRows {
    static constexpr unsigned in_chunk = 16 / sizeof(T), depth = 2 * in_chunk;

    alignas(16) T elements[rows * width];

    static constexpr unsigned place(unsigned i, unsigned j) { return i * width + (j / in_chunk ^ i % 8) * in_chunk + j % in_chunk; }
    __device__ T* at(unsigned i, unsigned j) { return elements + place(i, j); }

    /// Rows first, first + 1, ... of a matrix, by all threads, with zeros around them. They are there after a wait and a barrier.
    template <unsigned threads>
    __device__ void copy(const Matrix<T>& from, std::int64_t first) {
        if (from.column_stride != 1 || (reinterpret_cast<std::uintptr_t>(from.data) | from.row_stride * sizeof(T)) % 16 != 0) {
            for (unsigned n = threadIdx.x; n < rows * width; n += threads) *at(n / width, n % width) = from(first + n / width, n % width);
            return;
        }
        constexpr unsigned chunks = width / in_chunk, at_once = threads / chunks;
        const unsigned row = threadIdx.x / chunks, column = threadIdx.x % chunks * in_chunk;
        const std::int64_t left = max(std::int64_t{0}, min(from.columns - column, std::int64_t{in_chunk}));
        const int bytes = static_cast<int>(left) * static_cast<int>(sizeof(T));
        const T* source = from.data + (first + row) * from.row_stride + column;
#pragma unroll
        for (unsigned i = 0; i < rows; i += at_once, source += at_once * from.row_stride) {
            const bool exists = bytes > 0 && first + row + i < from.rows;
            cp_async<16>(at(row + i, column), exists ? source : from.data, exists ? bytes : 0);
        }
    }

    /// A left factor: 16 rows, and `depth` columns.
    __device__ void load_left(std::uint32_t (&a)[4], unsigned row, unsigned column) {
        load_matrices(a, at(row + lane() % 16, column + lane() / 16 * in_chunk));
        round_factors<T>(a);
    }

    /// Two right factors, transposed: 8 rows each, and `depth` columns.
    __device__ void load_transposed(std::uint32_t (&b)[4], unsigned row, unsigned column) {
        load_matrices(b, at(row + lane() % 8 + lane() / 16 * 8, column + lane() / 8 % 2 * in_chunk));
        round_factors<T>(b);
    }

    /// Two right factors: `depth` rows, and 8 columns each.
    __device__ void load_right(std::uint32_t (&b)[4], unsigned row, unsigned column) {
        if constexpr (sizeof(T) == 2)
            load_matrices<true>(b, at(row + lane() % 16, column + lane() / 16 * 8));
        else
#pragma unroll
            for (unsigned i = 0; i < 4; ++i) b[i] = __float_as_uint(*at(row + lane() % 4 * 2 + i % 2, column + lane() / 4 + i / 2 * 8));
        round_factors<T>(b);
    }
};

/// Whether load_right() reads 32 floats in different banks.
constexpr bool banks_of_floats_differ() {
    for (unsigned i = 0; i < 4; ++i) {
        unsigned banks = 0;
        for (unsigned n = 0; n < 32; ++n) banks |= 1u << SharedRows<float, 8, 32>::place(n % 4 * 2 + i % 2, n / 4 + i / 2 * 8) % 32;
        if (banks != ~0u) return false;
    }
    return true;
}
static_assert(banks_of_floats_differ());

/// A left factor from the lane's sums of two rows, columns c, c + 1, ...
template <typename T, int columns>
__device__ void to_left_factor(std::uint32_t (&a)[4], const float (&sums)[2][columns], int c) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
        if constexpr (sizeof(T) == 2)
            a[i] = pack<T>(sums[i % 2][c + i / 2 * 2], sums[i % 2][c + i / 2 * 2 + 1]);
        else
            a[i] = to_tf32(sums[i % 2][c + i / 2]);
}

/// Neighbours, as they are stored.
template <typename T>
__device__ Pack<T, 2> to_pair(float first, float second) {
    if constexpr (sizeof(T) == 2)
        return std::bit_cast<Pack<T, 2>>(pack<T>(first, second));
    else
        return {first, second};
}

}  // namespace
}  // namespace pyengine::kernels
