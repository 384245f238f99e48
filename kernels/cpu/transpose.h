// Transposing blocks in registers, and whole matrices block by block.
#pragma once

#include <utility>

#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/simd.h"

namespace pyengine::kernels {
namespace {

/// Lane i is a[i] and b[i - step] by turns of `step` lanes; with `high`, a[i + step] and b[i].
template <typename T, int step, bool high, int... i>
inline Vec<T> exchange(Vec<T> a, Vec<T> b, std::integer_sequence<int, i...>) {
    constexpr int n = static_cast<int>(lanes<T>);
    return __builtin_shufflevector(a, b, ((i & step) != 0 ? n + i - (high ? 0 : step) : i + (high ? step : 0))...);
}

/// Exchanges bit by bit of row and lane number.
template <typename T, int step = 1>
inline void transpose_block(Vec<T> (&rows)[lanes<T>]) {
    constexpr int n = static_cast<int>(lanes<T>);
    if constexpr (step < n) {
        using Lanes = std::make_integer_sequence<int, n>;
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) {
            if ((i & step) != 0) continue;
            const Vec<T> low = exchange<T, step, false>(rows[i], rows[i + step], Lanes{});
            rows[i + step] = exchange<T, step, true>(rows[i], rows[i + step], Lanes{});
            rows[i] = low;
        }
        transpose_block<T, 2 * step>(rows);
    }
}

inline Vec<double> load_wide(const double* p) { return load(p); }
template <typename E>
inline Vec<float> load_wide(const E* p) {
    return load_float(p);
}
inline void store_narrow(double* p, Vec<double> v) { store(p, v); }
template <typename E>
inline void store_narrow(E* p, Vec<float> v) {
    store_float(p, v);
}

inline void narrow(float& to, float x) { to = x; }
inline void narrow(double& to, double x) { to = x; }
inline void narrow(bfloat16& to, float x) { to = to_bfloat16(x); }
inline void narrow(float16& to, float x) { to = to_float16(x); }

/// to[j * to_row + i] = from[i * from_row + j] for i < rows, j < cols; widened from or narrowed to 16-bit floats. T computes.
/// The last blocks of a row and column overlap the ones before; matrices narrower than a block go element by element.
template <typename T, typename To, typename From>
void transpose(To* to, std::int64_t to_row, const From* from, std::int64_t from_row, std::int64_t rows, std::int64_t cols) {
    if (rows < lanes<T> || cols < lanes<T>) {
        for (std::int64_t i = 0; i < rows; ++i)
            for (std::int64_t j = 0; j < cols; ++j) narrow(to[j * to_row + i], widened(from[i * from_row + j]));
        return;
    }
    for (std::int64_t block_i = 0; block_i < rows; block_i += lanes<T>)
        for (std::int64_t block_j = 0; block_j < cols; block_j += lanes<T>) {
            const std::int64_t i = min_of(block_i, rows - lanes<T>), j = min_of(block_j, cols - lanes<T>);
            Vec<T> block[lanes<T>];
#pragma GCC unroll 16
            for (int r = 0; r < lanes<T>; ++r) block[r] = load_wide(from + (i + r) * from_row + j);
            transpose_block<T>(block);
#pragma GCC unroll 16
            for (int r = 0; r < lanes<T>; ++r) store_narrow(to + (j + r) * to_row + i, block[r]);
        }
}

}  // namespace
}  // namespace pyengine::kernels
