// The heart of every matrix product on a CPU: a micro-kernel that keeps a tile of C in registers.
//
//     C (rows, cols) = A (rows, k) B (k, cols)          rows <= Tile<T>::rows, cols <= Tile<T>::cols, T float or double
//
//   A panel  element (i, p) at a[i * a_row + p * a_col]: any strides. pack_a (gemm_pack.h) lays it out as a[p * rows + i], which is read
//            in one stream.
//   B panel  element (p, j) at b[p * b_row + j]: columns adjacent. Whole vectors are read, so row p must be readable up to
//            padded_cols<T>(cols); pack_b lays it out as b[p * padded + j] and fills the rest with zeros, which are never stored.
//   C tile   element (i, j) at c[i * c_row + j]; overwritten, or added to where `accumulate`. Nothing outside (rows, cols) is touched.
//
// Register budget, in vectors: rows * vectors sums, `vectors` of B and one broadcast element of A. A fused multiply-add takes 4 cycles and
// two start in each, so at least 8 sums must be in flight.
//   AVX-512  14 * 2 + 2 + 1 = 31 of 32      AVX2  6 * 2 + 2 + 1 = 15 of 16
//   NEON      8 * 3 + 3 + 1 = 28 of 32      SSE2  4 * 2 + 2 + 1 and a product, which has no fused addition: 12 of 16
// Tiles at the edge run the same code with fewer rows and vectors: every size is instantiated, so none is computed for nothing.
#pragma once

#include <cstdint>

#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/simd.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct Tile {
    static constexpr int rows = level == Isa::avx512 ? 14 : level == Isa::neon ? 8 : level == Isa::avx2 ? 6 : 4;
    static constexpr int vectors = level == Isa::neon ? 3 : 2;
    static constexpr std::int64_t cols = vectors * lanes<T>;
};

/// One tile, or the part of it that an edge leaves.
template <typename T>
struct TileArgs {
    std::int64_t cols, k;
    const T* a;
    std::int64_t a_row, a_col;
    const T* b;
    std::int64_t b_row;
    T* c;
    std::int64_t c_row;
    bool accumulate;
};

// Rows of B that lie far apart are not foreseen by the hardware; with AVX-512 there are loads to spare to ask for them this far ahead.
constexpr std::int64_t prefetched_rows = 32;

template <typename T, int rows, int vectors>
void tile_kernel(const TileArgs<T>& args) {
    const T* a = args.a;
    const T* b = args.b;
    Vec<T> sum[rows][vectors] = {};
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j) __builtin_prefetch(args.c + i * args.c_row + j * lanes<T>, 1);
    for (std::int64_t p = 0; p < args.k; ++p) {
        Vec<T> b_row[vectors];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) {
            b_row[j] = load(b + j * lanes<T>);
            if constexpr (level == Isa::avx512) __builtin_prefetch(b + prefetched_rows * args.b_row + j * lanes<T>);
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const Vec<T> a_element = broadcast(a[i * args.a_row]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j) sum[i][j] += a_element * b_row[j];
        }
        a += args.a_col;
        b += args.b_row;
    }
    constexpr int last = vectors - 1;
    const std::int64_t edge = args.cols - last * lanes<T>;
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        T* c = args.c + i * args.c_row;
#pragma GCC unroll 4
        for (int j = 0; j < last; ++j) store(c + j * lanes<T>, args.accumulate ? load(c + j * lanes<T>) + sum[i][j] : sum[i][j]);
        c += last * lanes<T>;
        if (edge == lanes<T>)
            store(c, args.accumulate ? load(c) + sum[i][last] : sum[i][last]);
        else
            store_partial(c, args.accumulate ? load_partial(c, edge) + sum[i][last] : sum[i][last], edge);
    }
}

template <typename T>
using TileKernel = void (*)(const TileArgs<T>&);

template <typename T>
struct TileKernels {
    TileKernel<T> of[Tile<T>::rows][Tile<T>::vectors];

    constexpr TileKernels() : of{} { fill_rows<Tile<T>::rows>(); }

private:
    template <int rows>
    constexpr void fill_rows() {
        fill_vectors<rows, Tile<T>::vectors>();
        if constexpr (rows > 1) fill_rows<rows - 1>();
    }
    template <int rows, int vectors>
    constexpr void fill_vectors() {
        of[rows - 1][vectors - 1] = tile_kernel<T, rows, vectors>;
        if constexpr (vectors > 1) fill_vectors<rows, vectors - 1>();
    }
};

/// C (rows, cols) = or += A (rows, k) B (k, cols), for one tile.
template <typename T>
void multiply_tile(std::int64_t rows, const TileArgs<T>& args) {
    static constexpr TileKernels<T> kernels;
    kernels.of[rows - 1][(args.cols - 1) / lanes<T>](args);
}

}  // namespace
}  // namespace pyengine::kernels
