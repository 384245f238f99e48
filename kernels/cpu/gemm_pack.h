// Packing: copies a panel of a matrix into the order in which the micro-kernel of gemm_tile.h reads it, whatever strides it has, so that a
// transpose costs nothing further. The 16-bit floats become float on the way.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd.h"

namespace pyengine::kernels {
namespace {

template <typename T>
constexpr std::int64_t padded_cols(std::int64_t cols) {
    return (cols + lanes<T> - 1) / lanes<T> * lanes<T>;
}

/// What an element is multiplied and summed as: the 16-bit floats in float.
inline float widened(float x) { return x; }
inline double widened(double x) { return x; }
inline float widened(bfloat16 x) { return to_float(x); }
inline float widened(float16 x) { return to_float(x); }

inline Vec<double> load_float(const double* p) { return load(p); }
inline void store_float(double* p, Vec<double> v) { store(p, v); }

/// The first n elements from p, zeros in the other lanes; n < lanes<T>.
template <typename T, typename E>
inline Vec<T> load_float_partial(const E* p, std::int64_t n) {
    if constexpr (sizeof(E) == sizeof(T)) return load_partial(p, n);
    E whole[lanes<T>] = {};
    for (std::int64_t i = 0; i < n; ++i) whole[i] = p[i];
    return load_float(whole);
}

/// dst[i] = src[i], rounded where E is narrower, i < count.
template <typename E, typename T>
void copy_narrowed(E* dst, const T* src, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + lanes<T> <= count; i += lanes<T>) store_float(dst + i, load(src + i));
    if (i == count) return;
    E rest[lanes<T>];
    store_float(rest, load_partial(src + i, count - i));
    for (std::int64_t j = 0; i + j < count; ++j) dst[i + j] = rest[j];
}

// Sixteen bytes of T: the unit in which panels are transposed. Wider vectors would need shuffles across their 16-byte halves.
template <typename T>
struct QuadOf {
    typedef T type __attribute__((vector_size(16)));
};
template <typename T>
using Quad = typename QuadOf<T>::type;
template <typename T>
constexpr std::int64_t quad = 16 / static_cast<std::int64_t>(sizeof(T));

template <typename T, typename E>
inline Quad<T> load_quad(const E* p) {
    Quad<T> v;
    if constexpr (sizeof(T) == sizeof(E))
        std::memcpy(&v, p, sizeof v);
    else
        for (int i = 0; i < quad<T>; ++i) v[i] = widened(p[i]);
    return v;
}

inline void transpose(Quad<float> (&v)[4]) {
    const Quad<float> low02 = __builtin_shufflevector(v[0], v[2], 0, 4, 1, 5), high02 = __builtin_shufflevector(v[0], v[2], 2, 6, 3, 7);
    const Quad<float> low13 = __builtin_shufflevector(v[1], v[3], 0, 4, 1, 5), high13 = __builtin_shufflevector(v[1], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(low02, low13, 0, 4, 1, 5);
    v[1] = __builtin_shufflevector(low02, low13, 2, 6, 3, 7);
    v[2] = __builtin_shufflevector(high02, high13, 0, 4, 1, 5);
    v[3] = __builtin_shufflevector(high02, high13, 2, 6, 3, 7);
}

inline void transpose(Quad<double> (&v)[2]) {
    const Quad<double> first = __builtin_shufflevector(v[0], v[1], 0, 2);
    v[1] = __builtin_shufflevector(v[0], v[1], 1, 3);
    v[0] = first;
}

/// dst[p * width + i] = src[i * stride + p], i < count, p < k.
template <typename T, typename E>
void copy_transposed(T* dst, std::int64_t width, const E* src, std::int64_t stride, std::int64_t count, std::int64_t k) {
    constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(E));  // a cache line of each row before the next rows
    for (std::int64_t p0 = 0; p0 < k; p0 += line) {
        const std::int64_t p1 = min_of(k, p0 + line), whole = count < quad<T> ? p0 : p0 + (p1 - p0) / quad<T> * quad<T>;
        for (std::int64_t i = 0; i < count && p0 < whole; i += quad<T>) {
            i = min_of(i, count - quad<T>);  // the last rows overlap those before
            for (std::int64_t p = p0; p < whole; p += quad<T>) {
                Quad<T> block[quad<T>];
                for (int r = 0; r < quad<T>; ++r) block[r] = load_quad<T>(src + (i + r) * stride + p);
                transpose(block);
                for (int r = 0; r < quad<T>; ++r) std::memcpy(dst + (p + r) * width + i, &block[r], sizeof block[r]);
            }
        }
        for (std::int64_t i = 0; i < count; ++i)
            for (std::int64_t p = whole; p < p1; ++p) dst[p * width + i] = widened(src[i * stride + p]);
    }
}

/// dst[p * width + i] = src[p * stride + i], i < count, p < k.
template <typename T, typename E>
void copy_rows(T* dst, std::int64_t width, const E* src, std::int64_t stride, std::int64_t count, std::int64_t k) {
    std::int64_t i = 0;
    for (; i + lanes<T> <= count; i += lanes<T>)
        for (std::int64_t p = 0; p < k; ++p) store(dst + p * width + i, load_float(src + p * stride + i));
    if (const std::int64_t rest = count - i; rest > 0)
        for (std::int64_t p = 0; p < k; ++p) store_partial(dst + p * width + i, load_float_partial<T>(src + p * stride + i, rest), rest);
}

/// dst[p * width + i] = src[i * across + p * along], i < count, p < k.
template <typename T, typename E>
void pack(T* dst, std::int64_t width, const E* src, std::int64_t across, std::int64_t along, std::int64_t count, std::int64_t k) {
    if (across == 1) {
        copy_rows(dst, width, src, along, count, k);
    } else if (along == 1) {
        copy_transposed(dst, width, src, across, count, k);
    } else {
        for (std::int64_t p = 0; p < k; ++p)
            for (std::int64_t i = 0; i < count; ++i) dst[p * width + i] = widened(src[i * across + p * along]);
    }
}

/// packed[p * rows + i] = a[i * a_row + p * a_col].
template <typename T, typename E>
void pack_a(T* packed, const E* a, std::int64_t a_row, std::int64_t a_col, std::int64_t rows, std::int64_t k) {
    pack(packed, rows, a, a_row, a_col, rows, k);
}

/// packed[p * padded_cols<T>(cols) + j] = b[p * b_row + j * b_col], zeros from column `cols` on.
template <typename T, typename E>
void pack_b(T* packed, const E* b, std::int64_t b_row, std::int64_t b_col, std::int64_t k, std::int64_t cols) {
    const std::int64_t padded = padded_cols<T>(cols);
    if (cols < padded)
        for (std::int64_t p = 0; p < k; ++p) store(packed + (p + 1) * padded - lanes<T>, Vec<T>{});
    pack(packed, padded, b, b_col, b_row, cols, k);
}

}  // namespace
}  // namespace pyengine::kernels
