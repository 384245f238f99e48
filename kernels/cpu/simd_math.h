// Functions of vectors, float and double. Largest errors, measured against a wider type (every float; a million doubles):
//
//                 float       double
//     vexp        1.1 ulp     1.1 ulp     correctly rounded to 0 and Inf; subnormal results to 1 ulp
//     vlog        0.9 ulp     0.9 ulp     subnormal arguments too
//     vexpm1      1.6 ulp     2.1 ulp     this and the rest: every seventh float
//     vlog1p      1.5 ulp     1.5 ulp
//     vtanh       2.6 ulp     2.6 ulp
//     vsigmoid    2.4 ulp     2.4 ulp
//     vsoftplus   2.0 ulp     2.0 ulp
//     verf        2.7 ulp
//
// NaN gives NaN. The polynomials are minimax fits by Remez exchange on the reduced interval (Muller, Elementary Functions, ch. 3 and 11).
#pragma once

#include "kernels/cpu/simd.h"

namespace pyengine::kernels {
namespace {

/// IEEE 754 fields, and the constants of the argument reductions. ln2_high has so few bits that n * ln2_high is exact.
template <typename T>
struct Real;

template <>
struct Real<float> {
    using Int = std::int32_t;
    using Bits = std::uint32_t;
    static constexpr int fraction_bits = 23;
    static constexpr Int bias = 127;
    static constexpr float round_shift = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
    static constexpr float smallest_normal = 0x1p-126f, to_normal = 0x1p24f;
    static constexpr Int to_normal_exponent = 24;
    static constexpr float log2_e = 0x1.715476p+0f, ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    static constexpr float exp_low = -104.0f, exp_high = 89.0f;  // beyond: 0 and Inf
    // (exp(r) - 1 - r) / r^2 on |r| <= ln 2 / 2, to 2^-28 of exp(r)
    static constexpr float exp_terms[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.1239e2p-7f, 0x1.6a2434p-10f};
    // (log((1 + s) / (1 - s)) - 2 s) / s^3 as a function of s^2, (1 + s) / (1 - s) in [sqrt(1/2), sqrt(2)], to 2^-36
    static constexpr float log_terms[] = {0x1.555554p-1f, 0x1.999a7cp-2f, 0x1.2438a8p-2f, 0x1.e2fdd2p-3f};
};

template <>
struct Real<double> {
    using Int = std::int64_t;
    using Bits = std::uint64_t;
    static constexpr int fraction_bits = 52;
    static constexpr Int bias = 1023;
    static constexpr double round_shift = 0x1.8p52;
    static constexpr double smallest_normal = 0x1p-1022, to_normal = 0x1p54;
    static constexpr Int to_normal_exponent = 54;
    static constexpr double log2_e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr double exp_low = -746.0, exp_high = 710.0;
    // to 2^-57 of exp(r)
    static constexpr double exp_terms[] = {0x1.000000000000ap-1,  0x1.55555555554fap-3,  0x1.555555555087cp-5,  0x1.1111111127be8p-7,
                                           0x1.6c16c1842a114p-10, 0x1.a01a012a56bc5p-13, 0x1.a0199a0c689d3p-16, 0x1.71df25549ece4p-19,
                                           0x1.28ad72cb536c4p-22, 0x1.ad7f6aec3e623p-26};
    // to 2^-58
    static constexpr double log_terms[] = {0x1.555555555557fp-1, 0x1.999999998495bp-2, 0x1.2492493e8ce27p-2, 0x1.c71c546203375p-3,
                                           0x1.7465d2bec1be2p-3, 0x1.39ab7fca93c46p-3, 0x1.2eabd7d6c64bcp-3};
};

template <typename T>
using IntVec = Vec<typename Real<T>::Int>;

/// terms[0] + terms[1] x + terms[2] x^2 + ...
template <typename T, int count>
inline Vec<T> polynomial(Vec<T> x, const T (&terms)[count]) {
    Vec<T> sum = broadcast(terms[count - 1]);
    for (int i = count - 2; i >= 0; --i) sum = sum * x + terms[i];
    return sum;
}

/// Small integers, by the bits of their sum with round_shift: AVX2 converts none of 64 bits.
template <typename T>
inline Vec<T> to_real(IntVec<T> n) {
    return (Vec<T>)(n + (IntVec<T>)broadcast(Real<T>::round_shift)) - Real<T>::round_shift;
}

template <typename T>
inline IntVec<T> to_integer(Vec<T> x) {
    return (IntVec<T>)(x + Real<T>::round_shift) - (IntVec<T>)broadcast(Real<T>::round_shift);
}

/// 2^n for n in the normal range.
template <typename T>
inline Vec<T> power_of_two(IntVec<T> n) {
    return (Vec<T>)((n + Real<T>::bias) << Real<T>::fraction_bits);
}

/// exp(x): with n = round(x / ln 2) and r = x - n ln 2, exp(x) = 2^n exp(r).
template <typename T>
inline Vec<T> vexp(Vec<T> x) {
    using R = Real<T>;
    x = x < R::exp_low ? broadcast(R::exp_low) : x;
    x = x > R::exp_high ? broadcast(R::exp_high) : x;
    const Vec<T> shifted = x * R::log2_e + R::round_shift;
    const Vec<T> rounded = shifted - R::round_shift;
    const Vec<T> r = (x - rounded * R::ln2_high) - rounded * R::ln2_low;
    const Vec<T> exp_r = polynomial<T>(r, R::exp_terms) * (r * r) + r + T{1};
    // 2^n may lie outside the normal numbers where exp(x) does not: two factors, so that only the last product rounds.
    const IntVec<T> n = (IntVec<T>)shifted - (IntVec<T>)broadcast(R::round_shift);
    const IntVec<T> half = n >> 1;
    return exp_r * power_of_two<T>(half) * power_of_two<T>(n - half);
}

/// x = 2^exponent mantissa, where x is positive and finite.
template <typename T>
struct Scaled {
    Vec<T> mantissa;  // in [sqrt(1/2), sqrt(2))
    Vec<T> exponent;
};

template <typename T>
inline Scaled<T> split(Vec<T> x) {
    using R = Real<T>;
    using Ints = IntVec<T>;
    const Ints tiny = x < R::smallest_normal;
    const Vec<T> normal = tiny ? x * R::to_normal : x;
    // Counting exponents from sqrt(1/2) puts the mantissa in the interval wanted.
    const Ints origin = (Ints)broadcast(static_cast<T>(0x1.6a09e667f3bcdp-1));
    const Ints steps = (Ints)((Vec<typename R::Bits>)normal - (Vec<typename R::Bits>)origin);  // of negative numbers, NaN below, it wraps
    const Ints exponent = steps >> R::fraction_bits;
    const Vec<T> mantissa = (Vec<T>)((steps - (exponent << R::fraction_bits)) + origin);
    return {mantissa, to_real<T>(exponent - (tiny & R::to_normal_exponent))};
}

/// A logarithm of x that is right where x is positive and finite, and its limits.
template <typename T>
inline Vec<T> with_limits(Vec<T> x, Vec<T> logarithm) {
    const Vec<T> infinity = broadcast(static_cast<T>(__builtin_inf()));
    const Vec<T> limit = x == T{0} ? -infinity : x == infinity ? infinity : broadcast(static_cast<T>(__builtin_nan("")));
    return x > T{0} && x < infinity ? logarithm : limit;
}

/// log(x): x = 2^e m, f = m - 1, s = f / (2 + f), log(m) = 2 s + s^3 P(s^2).
template <typename T>
inline Vec<T> vlog(Vec<T> x) {
    using R = Real<T>;
    const Scaled<T> parts = split<T>(x);
    const Vec<T> f = parts.mantissa - T{1}, e = parts.exponent;
    const Vec<T> s = f / (f + T{2});
    const Vec<T> z = s * s;
    const Vec<T> half_square = f * f * T{0.5};
    const Vec<T> tail = s * (half_square + z * polynomial<T>(z, R::log_terms)) + e * R::ln2_low;
    return with_limits<T>(x, e * R::ln2_high - ((half_square - tail) - f));
}

template <typename T>
inline Vec<T> vabs(Vec<T> x) {
    return (Vec<T>)((IntVec<T>)x & ~(IntVec<T>)broadcast(T{-0.0}));
}

template <typename T>
inline Vec<T> vcopysign(Vec<T> magnitude, Vec<T> sign) {
    return (Vec<T>)((IntVec<T>)vabs<T>(magnitude) | ((IntVec<T>)sign & (IntVec<T>)broadcast(T{-0.0})));
}

/// exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), n and r as in vexp.
template <typename T>
inline Vec<T> vexpm1(Vec<T> x) {
    using R = Real<T>;
    const Vec<T> low = x < R::exp_low ? broadcast(R::exp_low) : x;
    const Vec<T> inside = low > R::exp_high ? broadcast(R::exp_high) : low;
    const Vec<T> shifted = inside * R::log2_e + R::round_shift;
    const Vec<T> rounded = shifted - R::round_shift;
    const Vec<T> r = (inside - rounded * R::ln2_high) - rounded * R::ln2_low;
    const Vec<T> expm1_r = polynomial<T>(r, R::exp_terms) * (r * r) + r;
    const IntVec<T> n = (IntVec<T>)shifted - (IntVec<T>)broadcast(R::round_shift);
    const IntVec<T> half = n >> 1;
    const Vec<T> p = power_of_two<T>(half), q = power_of_two<T>(n - half);
    const Vec<T> result = x > T{10} ? (expm1_r * p + p) * q - T{1} : expm1_r * p * q + (p * q - T{1});  // 2^n may overflow before exp(x)
    return x == T{0} ? x : result;                                                                      // keeps -0
}

/// log(1 + x): u = 1 + x is rounded; what it lost, x - (u - 1), is added to first order (Higham, section 1.14.1).
template <typename T>
inline Vec<T> vlog1p(Vec<T> x) {
    const Vec<T> u = x + T{1};
    const Vec<T> result = vlog<T>(u) + (x - (u - T{1})) / u;
    return x == T{0} || x == static_cast<T>(__builtin_inf()) ? x : x == T{-1} ? vlog<T>(u) : result;
}

/// With t = exp(-2 |x|) - 1: tanh |x| = -t / (t + 2).
template <typename T>
inline Vec<T> vtanh(Vec<T> x) {
    const Vec<T> t = vexpm1<T>(vabs<T>(x) * T{-2});
    return vcopysign<T>(t / (t + T{2}), x);
}

/// 1 / (1 + exp(-x)), from exp(-|x|) so that small results keep their digits.
template <typename T>
inline Vec<T> vsigmoid(Vec<T> x) {
    const Vec<T> e = vexp<T>(-vabs<T>(x));
    return (x < T{0} ? e : broadcast(T{1})) / (e + T{1});
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).
template <typename T>
inline Vec<T> vsoftplus(Vec<T> x) {
    return (x < T{0} ? broadcast(T{0}) : x) + vlog1p<T>(vexp<T>(-vabs<T>(x)));
}

/// exp(z^2) erfc(z) for z >= 0: times 1 + 2 z it is nearly constant, a polynomial in (z - 3) / (z + 3), to 2^-28 of it up to z = 10, beyond
/// which exp(-z^2) is 0 anyway (Shepherd and Laframboise, Chebyshev approximation of (1 + 2 x) exp(x^2) erfc x, 1981).
inline Vec<float> scaled_erfc(Vec<float> z) {
    constexpr float terms[] = {0x1.40c522p+0f,  -0x1.15c08ap-3f, -0x1.85a19ap-5f, 0x1.098412p-3f,   -0x1.e8887ep-4f, 0x1.17bd48p-4f,
                               -0x1.85ea4ep-6f, 0x1.506772p-9f,  0x1.06955cp-9f,  -0x1.96624ep-11f, -0x1.182830p-12f};
    z = z > 16.0f ? broadcast(16.0f) : z;  // keeps the quotient of infinities out
    return polynomial<float>((z - 3.0f) / (z + 3.0f), terms) / (z * 2.0f + 1.0f);
}

/// erf(x): x P(x^2) within [-1, 1], where P is to 2^-29; 1 - erfc |x| beyond.
inline Vec<float> verf(Vec<float> x) {
    constexpr float terms[] = {0x1.20dd74p+0f, -0x1.81273ep-2f,  0x1.ce2cf8p-4f, -0x1.b7f90ep-6f,
                               0x1.5405b2p-8f, -0x1.a3f700p-11f, 0x1.496a32p-14f};
    const Vec<float> magnitude = vabs<float>(x), square = x * x;
    const Vec<float> outside = 1.0f - vexp<float>(-square) * scaled_erfc(magnitude);
    return magnitude < 1.0f ? x * polynomial<float>(square, terms) : vcopysign<float>(outside, x);
}

}  // namespace
}  // namespace pyengine::kernels
