// Vectors of the level's width, on the GCC/Clang vector extension: +, -, *, /, comparisons and ?: work lane by lane, and a * b + c becomes
// one fused multiply-add where the level has it (the kernels are compiled with -ffp-contract=fast, and nothing else of -ffast-math).
// Comparisons give an integer vector, all ones where true.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels/half.h"
#include "kernels/level.h"

namespace pyengine::kernels {
namespace {

constexpr int vector_bytes = level == Isa::avx512 ? 64 : level == Isa::avx2 ? 32 : 16;

template <typename T>
struct VecOf {
    typedef T type __attribute__((vector_size(vector_bytes)));
};
template <typename T>
using Vec = typename VecOf<T>::type;

template <typename T>
constexpr std::int64_t lanes = vector_bytes / static_cast<std::int64_t>(sizeof(T));

template <typename T>
inline T min_of(T a, T b) {
    return b < a ? b : a;
}
template <typename T>
inline T max_of(T a, T b) {
    return a < b ? b : a;
}

template <typename T>
inline Vec<T> broadcast(T x) {
    return x - Vec<T>{};
}

template <typename T>
inline Vec<T> load(const T* p) {
    Vec<T> v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

template <typename T>
inline void store(T* p, Vec<T> v) {
    std::memcpy(p, &v, sizeof v);
}

/// All ones in the first n lanes.
template <typename T>
inline auto first_lanes(std::int64_t n) {
    using Index = decltype(Vec<T>{} < Vec<T>{});
    Index mask;
    for (int i = 0; i < lanes<T>; ++i) mask[i] = i < n ? -1 : 0;
    return mask;
}

/// n < lanes elements, in pieces of fixed size: a copy of variable length would be a call.
template <typename T>
inline void copy_partial(T* to, const T* from, std::int64_t n) {
    std::int64_t i = 0;
#pragma GCC unroll 8
    for (std::int64_t piece = lanes<T> / 2; piece > 0; piece /= 2) {
        if (!(n & piece)) continue;
        std::memcpy(to + i, from + i, static_cast<std::size_t>(piece) * sizeof(T));
        i += piece;
    }
}

/// The first n lanes from p, `fill` in the others; n < lanes.
template <typename T>
inline Vec<T> load_partial(const T* p, std::int64_t n, T fill = T{}) {
    Vec<T> v = broadcast(fill);
#if defined(__AVX512F__)
    const auto mask = (1u << n) - 1u;
    if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_mask_loadu_epi32((__m512i)v, static_cast<__mmask16>(mask), p);
    if constexpr (sizeof(T) == 8) return (Vec<T>)_mm512_mask_loadu_epi64((__m512i)v, static_cast<__mmask8>(mask), p);
#elif defined(__AVX2__)
    const auto mask = first_lanes<T>(n);
    if constexpr (sizeof(T) == 4) return mask ? (Vec<T>)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), (__m256i)mask) : v;
    if constexpr (sizeof(T) == 8) return mask ? (Vec<T>)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), (__m256i)mask) : v;
#endif
    T whole[lanes<T>];
    store(whole, v);
    copy_partial(whole, p, n);
    return load(whole);
}

/// The first n lanes to p; n < lanes. AVX2 could mask here as well, but AMD's processors take a dozen cycles or more for such a store.
template <typename T>
inline void store_partial(T* p, Vec<T> v, std::int64_t n) {
#if defined(__AVX512F__)
    const auto mask = (1u << n) - 1u;
    if constexpr (sizeof(T) == 4) return _mm512_mask_storeu_epi32(p, static_cast<__mmask16>(mask), (__m512i)v);
    if constexpr (sizeof(T) == 8) return _mm512_mask_storeu_epi64(p, static_cast<__mmask8>(mask), (__m512i)v);
#endif
    T whole[lanes<T>];
    store(whole, v);
    copy_partial(p, whole, n);
}

template <typename T>
inline Vec<T> vmax(Vec<T> a, Vec<T> b) {  // a NaN in either lane gives NaN
    return a > b || a != a ? a : b;
}

inline Vec<float> vsqrt(Vec<float> v) {
    for (std::int64_t i = 0; i < lanes<float>; ++i) v[i] = __builtin_sqrtf(v[i]);  // one instruction: -fno-math-errno
    return v;
}

inline Vec<double> vsqrt(Vec<double> v) {
    for (std::int64_t i = 0; i < lanes<double>; ++i) v[i] = __builtin_sqrt(v[i]);
    return v;
}

/// Lane sums by halving: a fixed tree.
template <typename T>
inline T sum_lanes(Vec<T> v) {
    T parts[lanes<T>];
    store(parts, v);
    for (std::int64_t half = lanes<T> / 2; half > 0; half /= 2)
        for (std::int64_t i = 0; i < half; ++i) parts[i] += parts[i + half];
    return parts[0];
}

template <typename T>
inline T max_lanes(Vec<T> v) {  // NaN if any lane is
    T result = v[0];
    for (std::int64_t i = 1; i < lanes<T>; ++i) result = result > v[i] || result != result ? result : static_cast<T>(v[i]);
    return result;
}

#if defined(__AVX512F__)
constexpr __mmask16 all_lanes = 0xffff;  // GCC 12 warns about the undefined operand of the conversions without a mask
#endif

/// lanes<float> 16-bit floats, widened.
inline Vec<float> load_float(const float* p) { return load(p); }

inline Vec<float> load_float(const bfloat16* p) {
    typedef std::uint16_t Bits __attribute__((vector_size(vector_bytes / 2)));
    Bits bits;
    std::memcpy(&bits, p, sizeof bits);
    return (Vec<float>)(__builtin_convertvector(bits, Vec<std::uint32_t>) << 16);
}

inline Vec<float> load_float(const float16* p) {
#if defined(__AVX512F__)
    return (Vec<float>)_mm512_maskz_cvtph_ps(all_lanes, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
    return (Vec<float>)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
    Vec<float> v{};
    for (std::int64_t i = 0; i < lanes<float>; ++i) v[i] = to_float(p[i]);
    return v;
#endif
}

/// Vec<float> rounded to lanes<float> 16-bit floats.
inline void store_float(float* p, Vec<float> v) { store(p, v); }

inline void store_float(bfloat16* p, Vec<float> v) {
    typedef std::uint16_t Bits __attribute__((vector_size(vector_bytes / 2)));
    const Vec<std::uint32_t> bits = (Vec<std::uint32_t>)v;
    const Vec<std::uint32_t> rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const Bits narrow = __builtin_convertvector(v != v ? bits >> 16 | 0x40u : rounded, Bits);
    std::memcpy(p, &narrow, sizeof narrow);
}

inline void store_float(float16* p, Vec<float> v) {
#if defined(__AVX512F__)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(all_lanes, (__m512)v, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
#else
    for (std::int64_t i = 0; i < lanes<float>; ++i) p[i] = to_float16(v[i]);
#endif
}

}  // namespace
}  // namespace pyengine::kernels
