// Numbers of twice the precision: the unevaluated sum of two vectors (Dekker 1971; Muller, Elementary Functions, section 2.2; Joldes, Muller and
// Popescu, Tight and rigorous error bounds for basic building blocks of double-word arithmetic, 2017). What is called exact here is so
// barring underflow. Only for levels with a fused multiply-add: without one, exact products would cost too much.
//
// The compiler may fuse a product into the sum that takes it (-ffp-contract=fast). Where that would spoil an exact sum, the product's
// operand is exact itself or the second one: fusing then changes nothing, or what is lost is still found.
#pragma once

#include "kernels/cpu/simd_math.h"

namespace pyengine::kernels {
namespace {

constexpr bool has_fma = level != Isa::baseline;

template <typename T>
struct DoubleWord {
    Vec<T> high, low;
};

/// a b + c, rounded once.
inline Vec<float> fused(Vec<float> a, Vec<float> b, Vec<float> c) {
    for (std::int64_t i = 0; i < lanes<float>; ++i) a[i] = __builtin_fmaf(a[i], b[i], c[i]);  // one instruction
    return a;
}

inline Vec<double> fused(Vec<double> a, Vec<double> b, Vec<double> c) {
    for (std::int64_t i = 0; i < lanes<double>; ++i) a[i] = __builtin_fma(a[i], b[i], c[i]);
    return a;
}

/// a + b, exact where |a| >= |b|.
template <typename T>
inline DoubleWord<T> fast_sum(Vec<T> a, Vec<T> b) {
    const Vec<T> high = a + b;
    return {high, b - (high - a)};
}

/// a + b, exact.
template <typename T>
inline DoubleWord<T> sum(Vec<T> a, Vec<T> b) {
    const Vec<T> high = a + b, part = high - a;
    return {high, (a - (high - part)) + (b - part)};
}

/// a b, exact.
template <typename T>
inline DoubleWord<T> product(Vec<T> a, Vec<T> b) {
    const Vec<T> high = a * b;
    return {high, fused(a, b, -high)};
}

/// a b to twice the precision.
template <typename T>
inline DoubleWord<T> product(Vec<T> a, DoubleWord<T> b) {
    const Vec<T> high = a * b.high;
    return {high, fused(a, b.high, -high) + a * b.low};
}

template <typename T>
inline DoubleWord<T> product(DoubleWord<T> a, DoubleWord<T> b) {
    const Vec<T> high = a.high * b.high;
    return {high, fused(a.high, b.high, -high) + (a.high * b.low + a.low * b.high)};
}

/// a / b to twice the precision: the quotient of the high words, and what it leaves, divided again.
template <typename T>
inline DoubleWord<T> quotient(DoubleWord<T> a, DoubleWord<T> b) {
    const Vec<T> inverse = T{1} / b.high, high = a.high * inverse;
    const Vec<T> rest = fused(-high, b.high, a.high) + (a.low - high * b.low);
    return {high, rest * inverse};
}

/// sqrt(a) to twice the precision: the root of the high word, and one step of Newton's iteration from there.
template <typename T>
inline DoubleWord<T> square_root(DoubleWord<T> a) {
    const Vec<T> root = vsqrt(a.high);
    const Vec<T> step = (fused(-root, root, a.high) + a.low) * T{0.5} / root;
    return {root, root == T{0} ? Vec<T>{} : step};
}

template <typename T>
inline DoubleWord<T> select(IntVec<T> first, DoubleWord<T> a, DoubleWord<T> b) {
    return {first ? a.high : b.high, first ? a.low : b.low};
}

/// Whether a comparison holds in any lane.
template <typename T>
inline bool any(IntVec<T> lanes_true) {
#if defined(__AVX512DQ__)
    if constexpr (sizeof(T) == 4) return _mm512_movepi32_mask((__m512i)lanes_true) != 0;
    if constexpr (sizeof(T) == 8) return _mm512_movepi64_mask((__m512i)lanes_true) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_epi8((__m256i)lanes_true) != 0;
#endif
    std::uint64_t words[vector_bytes / 8], all = 0;
    std::memcpy(words, &lanes_true, sizeof words);
    for (const std::uint64_t word : words) all |= word;
    return all != 0;
}

template <typename T>
inline DoubleWord<T> double_word(const T (&words)[2]) {
    return {broadcast(words[0]), broadcast(words[1])};
}

}  // namespace
}  // namespace pyengine::kernels
