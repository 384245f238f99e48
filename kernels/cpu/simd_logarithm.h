// log2 and log10 of vectors, float and double, and what the inverse hyperbolic functions make of a logarithm. Largest errors, measured
// against a wider type (every seventh float; a million doubles, and as many next to 1):
//
//               float       double
//     vlog2     0.57 ulp    0.56 ulp
//     vlog10    0.55 ulp    0.55 ulp
//
// With x = 2^e m and t = 2 (m - 1) / (m + 1): log(m) = 2 atanh(t / 2) = t + t^3 P(t^2 / 4) / 8, the polynomial of vlog (Muller, Elementary
// Functions, section 11.3). Here t is a double word, for its rounding error would be that of the logarithm; the rest is at most 1 % of t.
#pragma once

#include "kernels/cpu/simd_double_word.h"

namespace pyengine::kernels {
namespace {

/// 2 atanh(t / 2) - t.
template <typename T>
inline Vec<T> atanh_tail(Vec<T> t) {
    const Vec<T> z = t * t * T{0.25};
    return polynomial<T>(z, Real<T>::log_terms) * (z * t * T{0.5});
}

/// exponent log(2) + 2 atanh(t / 2).
template <typename T>
inline Vec<T> logarithm(Vec<T> exponent, DoubleWord<T> t) {
    const DoubleWord<T> result = fast_sum<T>(exponent * Real<T>::ln2_high, t.high);  // 0 or the greater
    return result.high + (result.low + (atanh_tail<T>(t.high) + (t.low + exponent * Real<T>::ln2_low)));
}

/// A base b: log_b(2), of which the high word times any exponent is exact, and log_b(e).
template <typename T>
struct Base {
    T of_two[2], of_e[2];
};

template <typename T>
inline Vec<T> logarithm(Vec<T> x, const Base<T>& base) {
    const Scaled<T> parts = split<T>(x);
    const Vec<T> m = parts.mantissa, one = broadcast(T{1}), zero = {};
    const DoubleWord<T> t = quotient<T>({(m - one) * T{2}, zero}, fast_sum<T>(one, m));  // m < 2, so that it has no bits above those of 1
    const DoubleWord<T> natural = fast_sum<T>(t.high, t.low + atanh_tail<T>(t.high));
    const DoubleWord<T> scaled = product<T>(natural, double_word(base.of_e));
    const DoubleWord<T> result = fast_sum<T>(parts.exponent * base.of_two[0], scaled.high);
    return with_limits<T>(x, result.high + (result.low + (scaled.low + parts.exponent * base.of_two[1])));
}

template <typename T>
constexpr Base<T> binary_base = {};
template <>
constexpr Base<float> binary_base<float> = {{1, 0}, {0x1.715476p+0f, 0x1.4ae0cp-26f}};
template <>
constexpr Base<double> binary_base<double> = {{1, 0}, {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56}};

template <typename T>
constexpr Base<T> decimal_base = {};
template <>
constexpr Base<float> decimal_base<float> = {{0x1.344p-2f, 0x1.3509f8p-18f}, {0x1.bcb7b2p-2f, -0x1.5b235ep-27f}};
template <>
constexpr Base<double> decimal_base<double> = {{0x1.344135p-2, 0x1.3ef3fde623e25p-31}, {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57}};

template <typename T>
inline Vec<T> vlog2(Vec<T> x) {
    return logarithm<T>(x, binary_base<T>);
}

template <typename T>
inline Vec<T> vlog10(Vec<T> x) {
    return logarithm<T>(x, decimal_base<T>);
}

}  // namespace
}  // namespace pyengine::kernels
