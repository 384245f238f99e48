// sin, cos and tan of vectors, float and double. Largest errors within the limit below, measured against a wider type (every seventh float;
// six million doubles, a third of them next to multiples of pi / 2):
//
//            float       double
//     vsin   0.82 ulp    0.79 ulp
//     vcos   0.82 ulp    0.80 ulp
//     vtan   1.21 ulp    1.05 ulp
//
// Reduction (Cody and Waite, Software Manual for the Elementary Functions, 1980; Muller, Elementary Functions, section 11.2): with
// n = round(x 2 / pi), r = x - n pi / 2 is computed with pi / 2 = c0 + c1 + c2, three words of the type.
//   c0 has p bits, and x and n c0 are multiples of ulp(c0) / 2, so that x - n c0, smaller than 1, has no more bits than the type holds: one
//   fused multiply-add gives it exactly, whatever bits n c0 has.
//   n c1 is split into an exact double word and subtracted without loss, and n c2 from what is left: r is a double word.
//   What is left out is n 2^-3p / 2 at most, of an r of at least some 2^-p that next to a multiple of pi / 2 the floats below 2^18 and the
//   doubles below 2^30 leave (Muller, section 11.3.2): far below an ulp.
// Beyond that limit each such number goes to the C library, which reduces with as many bits of 2 / pi as the exponent asks for (Payne and
// Hanek, Radian reduction for trigonometric functions, 1983). Those numbers are rare, and their vectors wait for them alone.
#pragma once

#include <math.h>

#include "kernels/cpu/simd_double_word.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct Circle;

template <>
struct Circle<float> {
    static constexpr float limit = 0x1p18f, two_over_pi = 0x1.45f306p-1f;
    static constexpr float half_pi[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f};
    // (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 of r^2, to 2^-32 of sin and cos on |r| <= 0.8: n may be off by a little
    static constexpr float sin_terms[] = {-0x1.555556p-3f, 0x1.111162p-7f, -0x1.a04596p-13f, 0x1.7700ap-19f};
    static constexpr float cos_terms[] = {0x1.555548p-5f, -0x1.6c0b08p-10f, 0x1.999a6cp-16f};
};

template <>
struct Circle<double> {
    static constexpr double limit = 0x1p30, two_over_pi = 0x1.45f306dc9c883p-1;
    static constexpr double half_pi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
    // to 2^-62
    static constexpr double sin_terms[] = {-0x1.5555555555555p-3,  0x1.111111111108fp-7,  -0x1.a01a01a007f2ap-13, 0x1.71de3a41d8ef9p-19,
                                           -0x1.ae643fd39ddbfp-26, 0x1.6116693fb95d7p-33, -0x1.a648e87352e17p-41};
    static constexpr double cos_terms[] = {0x1.5555555555547p-5,   -0x1.6c16c16c147ebp-10, 0x1.a01a019bcb601p-16,
                                           -0x1.27e4f76860c9fp-22, 0x1.1ee980b81864fp-29,  -0x1.8f783bbc2edb2p-37};
};

/// x = n pi / 2 + r, and sin(r) and cos(r).
template <typename T>
struct Quadrant {
    IntVec<T> n;  // its last two bits
    DoubleWord<T> sine, cosine;
};

template <typename T>
inline Quadrant<T> quadrant(Vec<T> x) {
    using C = Circle<T>;
    const Vec<T> shifted = x * C::two_over_pi + Real<T>::round_shift;
    const Vec<T> n = shifted - Real<T>::round_shift;
    const Vec<T> exact = fused(-n, broadcast(C::half_pi[0]), x);
    const DoubleWord<T> second = product<T>(n, broadcast(C::half_pi[1]));
    const DoubleWord<T> difference = sum<T>(exact, -second.high);
    const DoubleWord<T> r = fast_sum<T>(difference.high, difference.low - second.low - n * C::half_pi[2]);
    const DoubleWord<T> square = product<T>(r.high, r.high);
    const Vec<T> z = square.high;
    const DoubleWord<T> rough = fast_sum<T>(broadcast(T{1}), z * T{-0.5});
    const Vec<T> sine = polynomial<T>(z, C::sin_terms) * (z * r.high) + r.low;
    const Vec<T> cosine = polynomial<T>(z, C::cos_terms) * (z * z) - (square.low * T{0.5} + r.high * r.low) + rough.low;
    return {(IntVec<T>)shifted, {r.high, sine}, {rough.high, cosine}};
}

/// result, but from the C library where |x| is beyond the limit of the reduction.
template <typename T>
[[gnu::noinline]] Vec<T> patched(Vec<T> x, Vec<T> result, T (*library)(T)) {
    for (std::int64_t i = 0; i < lanes<T>; ++i)
        if (x[i] > Circle<T>::limit || x[i] < -Circle<T>::limit) result[i] = library(x[i]);
    return result;
}

inline float library_sin(float x) { return sinf(x); }
inline double library_sin(double x) { return sin(x); }
inline float library_cos(float x) { return cosf(x); }
inline double library_cos(double x) { return cos(x); }
inline float library_tan(float x) { return tanf(x); }
inline double library_tan(double x) { return tan(x); }

/// sin(r + n pi / 2).
template <typename T>
inline Vec<T> sine_of(const Quadrant<T>& q, IntVec<T> n) {
    const IntVec<T> odd = (n & 1) != 0;
    const DoubleWord<T> value = select<T>(odd, q.cosine, q.sine);
    return (Vec<T>)((IntVec<T>)(value.high + value.low) ^ (n >> 1 << (8 * sizeof(T) - 1)));
}

template <typename T>
inline Vec<T> vsin(Vec<T> x) {
    const Quadrant<T> q = quadrant<T>(x);
    const Vec<T> result = x == T{0} ? x : sine_of<T>(q, q.n);  // keeps -0
    return any<T>(vabs<T>(x) > Circle<T>::limit) ? patched<T>(x, result, library_sin) : result;
}

template <typename T>
inline Vec<T> vcos(Vec<T> x) {
    const Quadrant<T> q = quadrant<T>(x);
    const Vec<T> result = sine_of<T>(q, q.n + 1);
    return any<T>(vabs<T>(x) > Circle<T>::limit) ? patched<T>(x, result, library_cos) : result;
}

/// sin(r) / cos(r), or -cos(r) / sin(r) for odd n, with both as double words.
template <typename T>
inline Vec<T> vtan(Vec<T> x) {
    const Quadrant<T> q = quadrant<T>(x);
    const IntVec<T> odd = (q.n & 1) != 0;
    const DoubleWord<T> sine = fast_sum<T>(q.sine.high, q.sine.low), cosine = fast_sum<T>(q.cosine.high, q.cosine.low);
    const DoubleWord<T> ratio = quotient<T>(select<T>(odd, cosine, sine), select<T>(odd, sine, cosine));
    const Vec<T> value = ratio.high + ratio.low;
    const Vec<T> result = x == T{0} ? x : odd ? -value : value;
    return any<T>(vabs<T>(x) > Circle<T>::limit) ? patched<T>(x, result, library_tan) : result;
}

}  // namespace
}  // namespace pyengine::kernels
