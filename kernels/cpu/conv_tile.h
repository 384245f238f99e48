// The micro-kernel of convolutions: the register tile of gemm_tile.h, summed over the taps of the kernel and the channels of the source.
//
//     c[i * c_row + j] = sum over uses u, channels p:  a[(u.tap * channels + p) * rows + i] * b[u.offset + p * b_channel + j]
//
// B is never gathered: what a tap meets lies in successive elements already (conv_over_positions.h, conv_over_images.h). Both layouts give
// the taps in rising order, so an output is the same sum, to the bit, in either.
// Panels of one to three rows take more vectors than gemm_tile.h's, so that eight sums are in flight in a depthwise convolution too.
#pragma once

#include "kernels/cpu/gemm_tile.h"

namespace pyengine::kernels {
namespace {

using Index = std::int64_t;

/// A tap of the kernel, and where in scratch the outputs of a tile meet it.
struct Use {
    Index tap, offset;
};

template <typename T>
struct TapsArgs {
    Index columns, channels;
    const Use* uses;
    Index use_count;
    const T* a;  // a packed panel
    const T* b;  // readable up to whole vectors beyond `columns`
    Index b_channel;
    T* c;  // written in whole vectors
    Index c_row;
};

constexpr int tile_vectors(int rows, int vectors) { return rows * vectors >= 8 ? vectors : (8 + rows - 1) / rows; }

template <typename T, int rows, int vectors>
void taps_tile(const TapsArgs<T>& args, Index column) {
    Vec<T> sum[rows][vectors] = {};
    for (Index u = 0; u < args.use_count; ++u) {
        const T* a = args.a + args.uses[u].tap * args.channels * rows;
        const T* b = args.b + args.uses[u].offset + column;
        for (Index p = 0; p < args.channels; ++p, a += rows, b += args.b_channel) {
            Vec<T> b_row[vectors];
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j) b_row[j] = load(b + j * lanes<T>);
#pragma GCC unroll 16
            for (int i = 0; i < rows; ++i) {
                const Vec<T> a_element = broadcast(a[i]);
#pragma GCC unroll 8
                for (int j = 0; j < vectors; ++j) sum[i][j] += a_element * b_row[j];
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) store(args.c + i * args.c_row + column + j * lanes<T>, sum[i][j]);
}

template <typename T, int rows, int vectors>
void last_taps_tile(const TapsArgs<T>& args, Index column) {
    if constexpr (vectors > 0) {
        if (args.columns - column > (vectors - 1) * lanes<T>) return taps_tile<T, rows, vectors>(args, column);
        last_taps_tile<T, rows, vectors - 1>(args, column);
    }
}

/// All columns of a panel.
template <typename T, int rows>
void multiply_taps(const TapsArgs<T>& args) {
    constexpr int vectors = tile_vectors(rows, Tile<T>::vectors);
    Index column = 0;
    for (; column + vectors * lanes<T> <= args.columns; column += vectors * lanes<T>) taps_tile<T, rows, vectors>(args, column);
    last_taps_tile<T, rows, vectors>(args, column);
}

template <typename T>
using MultiplyTaps = void (*)(const TapsArgs<T>&);

/// multiply_taps for panels of `wanted` rows.
template <typename T, int rows = Tile<T>::rows>
MultiplyTaps<T> multiply_taps_of(Index wanted) {
    if constexpr (rows > 1)
        if (wanted < rows) return multiply_taps_of<T, rows - 1>(wanted);
    return multiply_taps<T, rows>;
}

}  // namespace
}  // namespace pyengine::kernels
