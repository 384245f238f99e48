// sinh, cosh, asinh, acosh and atanh of vectors, float and double. Largest errors, measured against a wider type (every seventh float; a
// million doubles of every size):
//
//               float       double
//     vsinh     1.35 ulp    1.34 ulp
//     vcosh     1.15 ulp    1.11 ulp
//     vasinh    0.62 ulp    0.59 ulp
//     vacosh    0.57 ulp    0.56 ulp
//     vatanh    0.60 ulp    0.60 ulp
//
// sinh and cosh: with |x| = n log(2) + r, exp(|x|) = 2^n (cosh r + sinh r), and 2^(n-1) and 2^(-n-1) added up to p and subtracted to m,
//     sinh |x| = m cosh r + p sinh r,  cosh x = p cosh r + m sinh r
// where two polynomials of r, |r| <= log(2) / 2, give sinh r and cosh r - 1: no division, and no cancellation for small x, where m is 0.
//
// asinh and acosh are log(u) with u = |x| + sqrt(x^2 + 1) or x + sqrt(x^2 - 1). Next to u = 1 that would lose digits, but there
// (u - 1) / (u + 1), of which the logarithm is twice the inverse hyperbolic tangent, is known without u: |x| / (1 + sqrt(x^2 + 1)) and
// sqrt(x^2 - 1) / (x + 1). So both have one division, and the polynomial of vlog. atanh(x) = log((1 + x) / (1 - x)) / 2 likewise, where
// that quotient is x itself (Muller, Elementary Functions, section 1.2, for the identities).
#pragma once

#include "kernels/cpu/simd_logarithm.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct Hyperbolic;

template <>
struct Hyperbolic<float> {
    static constexpr float overflow = 89.5f;  // beyond: Inf
    static constexpr std::int32_t least_exponent = -126;
    static constexpr float large = 0x1p14f;  // the 1 in x^2 + 1 no longer counts
    // (sinh(r) - r) / r^3 and (cosh(r) - 1) / r^2 of r^2, to 2^-33
    static constexpr float sinh_terms[] = {0x1.555556p-3f, 0x1.110fe2p-7f, 0x1.a28e8ap-13f};
    static constexpr float cosh_terms[] = {0x1p-1f, 0x1.5554e2p-5f, 0x1.6d542p-10f};
};

template <>
struct Hyperbolic<double> {
    static constexpr double overflow = 710.6;
    static constexpr std::int64_t least_exponent = -1022;
    static constexpr double large = 0x1p28;
    // to 2^-64
    static constexpr double sinh_terms[] = {0x1.5555555555555p-3,  0x1.1111111111308p-7,  0x1.a01a019f1664bp-13,
                                            0x1.71de3e25a381dp-19, 0x1.ae56f0ac55b16p-26, 0x1.7335da5260b06p-33};
    static constexpr double cosh_terms[] = {
        0x1p-1, 0x1.5555555555558p-5, 0x1.6c16c16c14fd2p-10, 0x1.a01a01ad98d86p-16, 0x1.27e4cbc0daba5p-22, 0x1.1f8c7b7720288p-29};
};

/// What sinh and cosh of |x| are made of; half of each where the result is large, so that the powers of two do not overflow before it.
template <typename T>
struct HyperbolicParts {
    DoubleWord<T> plus, minus;  // 2^(n-1) + 2^(-n-1) and 2^(n-1) - 2^(-n-1)
    Vec<T> sinh, cosh;          // sinh(r) and cosh(r) - 1
    Vec<T> scale;
};

template <typename T>
inline HyperbolicParts<T> hyperbolic_parts(Vec<T> x) {
    using R = Real<T>;
    using H = Hyperbolic<T>;
    const Vec<T> magnitude = vabs<T>(x), bounded = magnitude > H::overflow ? broadcast(H::overflow) : magnitude;
    const Vec<T> shifted = bounded * R::log2_e + R::round_shift;
    const Vec<T> rounded = shifted - R::round_shift;
    const Vec<T> exact = bounded - rounded * R::ln2_high, ln2_low = broadcast(R::ln2_low);
    const Vec<T> r = fused(-rounded, ln2_low, exact), low = fused(-rounded, ln2_low, exact - r);
    const IntVec<T> n = (IntVec<T>)shifted - (IntVec<T>)broadcast(R::round_shift);
    const IntVec<T> halved = (n > 64) & 1, down = -n - 1 - halved;
    const Vec<T> rising = power_of_two<T>(n - 1 - halved);
    const Vec<T> falling = power_of_two<T>(down < H::least_exponent ? IntVec<T>{} + H::least_exponent : down);
    const Vec<T> z = r * r;
    const Vec<T> sinh_r = polynomial<T>(z, H::sinh_terms) * (z * r) + low + r, cosh_r = polynomial<T>(z, H::cosh_terms) * z;
    return {fast_sum<T>(rising, falling), fast_sum<T>(rising, -falling), sinh_r, cosh_r, halved ? broadcast(T{2}) : broadcast(T{1})};
}

template <typename T>
inline Vec<T> vsinh(Vec<T> x) {
    const HyperbolicParts<T> h = hyperbolic_parts<T>(x);
    return vcopysign<T>((h.minus.high + (h.plus.high * h.sinh + (h.minus.high * h.cosh + h.minus.low))) * h.scale, x);
}

template <typename T>
inline Vec<T> vcosh(Vec<T> x) {
    const HyperbolicParts<T> h = hyperbolic_parts<T>(x);
    return (h.plus.high + (h.minus.high * h.sinh + (h.plus.high * h.cosh + h.plus.low))) * h.scale;
}

/// log(u), or log((d + n) / (d - n)) with d = 1 + denominator where small, or log(2 u) where large.
template <typename T>
inline Vec<T> inverse_hyperbolic(DoubleWord<T> u, IntVec<T> small, DoubleWord<T> numerator, DoubleWord<T> denominator, IntVec<T> large) {
    const Vec<T> one = broadcast(T{1}), zero = {};
    const Scaled<T> parts = split<T>(u.high);
    const Vec<T> inverse_power = power_of_two<T>(-to_integer<T>(parts.exponent));
    const Vec<T> low = large ? zero : u.low * inverse_power;
    const DoubleWord<T> above = select<T>(small, numerator, {parts.mantissa - one, low});
    const DoubleWord<T> below = select<T>(small, denominator, {parts.mantissa, low}), total = sum<T>(below.high, one);
    const Vec<T> exponent = small ? zero : large ? parts.exponent + one : parts.exponent;
    return logarithm<T>(exponent, quotient<T>({above.high * T{2}, above.low * T{2}}, {total.high, total.low + below.low}));
}

template <typename T>
inline Vec<T> vasinh(Vec<T> x) {
    const Vec<T> a = vabs<T>(x), one = broadcast(T{1});
    const DoubleWord<T> square = product<T>(a, a), rough = sum<T>(square.high, one);
    const DoubleWord<T> root = square_root<T>({rough.high, rough.low + square.low}), u = fast_sum<T>(root.high, a);
    const IntVec<T> large = a > Hyperbolic<T>::large;
    const DoubleWord<T> either = select<T>(large, {a, Vec<T>{}}, {u.high, u.low + root.low});
    const Vec<T> result = inverse_hyperbolic<T>(either, a < T(0.35), {a, Vec<T>{}}, root, large);
    return a < static_cast<T>(__builtin_inf()) ? vcopysign<T>(result, x) : x;
}

template <typename T>
inline Vec<T> vacosh(Vec<T> x) {
    const DoubleWord<T> square = product<T>(x, x), rough = fast_sum<T>(square.high, broadcast(T{-1}));
    const DoubleWord<T> root = square_root<T>(fast_sum<T>(rough.high, rough.low + square.low)), u = fast_sum<T>(x, root.high);
    const IntVec<T> large = x > Hyperbolic<T>::large;
    const DoubleWord<T> either = select<T>(large, {x, Vec<T>{}}, {u.high, u.low + root.low});
    const Vec<T> result = inverse_hyperbolic<T>(either, x < T(1.06), root, {x, Vec<T>{}}, large);
    const Vec<T> infinity = broadcast(static_cast<T>(__builtin_inf()));
    return x >= T{1} && x < infinity ? result : x == infinity ? infinity : broadcast(static_cast<T>(__builtin_nan("")));
}

/// (1 + a) / (1 - a) = 2^e m: the bits of positive numbers, read as integers, are nearly their logarithms, so e is theirs, or next to it.
template <typename T>
inline Vec<T> vatanh(Vec<T> x) {
    using R = Real<T>;
    const Vec<T> a = vabs<T>(x), one = broadcast(T{1}), zero = {};
    const IntVec<T> small = a < T(0.17);
    const DoubleWord<T> above = sum<T>(one, a), below = sum<T>(one, -a);
    const auto bits = (Vec<typename R::Bits>)above.high - (Vec<typename R::Bits>)below.high;  // wraps where |x| > 1, which gives NaN below
    const IntVec<T> nearly = (IntVec<T>)bits >> R::fraction_bits;
    const Vec<T> power = power_of_two<T>(nearly);
    const IntVec<T> more = above.high * T(0.70710678118654752) > below.high * power;
    const Vec<T> scale = more ? power * T{2} : power;
    const Vec<T> exponent = to_real<T>(nearly + (more & 1));
    const DoubleWord<T> other = {below.high * scale, below.low * scale};
    const DoubleWord<T> difference = sum<T>(above.high, -other.high), total = sum<T>(above.high, other.high);
    const DoubleWord<T> twice = {(small ? a : difference.high) * T{2}, small ? zero : (difference.low + (above.low - other.low)) * T{2}};
    const DoubleWord<T> t = quotient<T>(twice, {small ? one : total.high, small ? zero : total.low + (above.low + other.low)});
    const Vec<T> result = logarithm<T>(small ? zero : exponent, t) * T{0.5};
    const Vec<T> limit = a == one ? broadcast(static_cast<T>(__builtin_inf())) : broadcast(static_cast<T>(__builtin_nan("")));
    return vcopysign<T>(a < one ? result : limit, x);
}

}  // namespace
}  // namespace pyengine::kernels
