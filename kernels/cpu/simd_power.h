// pow of vectors, float and double. Largest errors, measured against a wider type:
// float 0.80 ulp (pairs of a fixed number and every 21st float, a million pairs with any result), double 1.3 ulp (three million pairs).
//
// |x|^y = 2^(y log2 |x|). An exponent of up to 2^10 has 10 bits before the point (float: 2^7), which its fraction lacks: log2 is needed to
// some p + 13 bits. As in vlog2, |x| = 2^e m, h = (m - 1) / (m + 1), and
//     log(m) = 2 h + 2 h w,  w = h^2 / 3 + h^4 Q(h^2)
// now with h, h^2, h^2 / 3, w and all sums and products of them as double words; h^4 Q, a 2^-12th of the sum, in one word. Then
// y log2 |x| = n + r, and 2^r = exp(r log 2) = 1 + (v + v^2 E(v)) with a double word v (Muller, Elementary Functions, section 11.5).
// Special values are those of C's Annex F.
#pragma once

#include "kernels/cpu/simd_double_word.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct PowerOf;

template <>
struct PowerOf<float> {
    static constexpr float third[] = {0x1.555556p-2f, -0x1.555556p-27f}, two_log2_e[] = {0x1.715476p+1f, 0x1.4ae0cp-25f},
                           ln_2[] = {0x1.62e43p-1f, -0x1.05c61p-29f};
    static constexpr float least = -151.0f, greatest = 129.0f;  // beyond: 0 and Inf
    static constexpr float steepest = 0x1p34f;                  // an exponent that gives 0, 1 or Inf, whatever the base
    // (atanh(h) / h - 1 - h^2 / 3) / h^4 of h^2, to 2^-36 of atanh
    static constexpr float terms[] = {0x1.999a04p-3f, 0x1.24512p-3f, 0x1.dfdba4p-4f};
};

template <>
struct PowerOf<double> {
    static constexpr double third[] = {0x1.5555555555555p-2, 0x1.5555555555555p-56},
                            two_log2_e[] = {0x1.71547652b82fep+1, 0x1.777d0ffda0d24p-55},
                            ln_2[] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
    static constexpr double least = -1076.0, greatest = 1025.0;
    static constexpr double steepest = 0x1p66;
    // to 2^-73
    static constexpr double terms[] = {0x1.9999999999995p-3, 0x1.2492492493155p-3, 0x1.c71c71c56343ep-4, 0x1.745d183e8c9fbp-4,
                                       0x1.3b135fcd3ecd9p-4, 0x1.11211b1d9c151p-4, 0x1.de24abd85583p-5,  0x1.eb831a03f7be4p-5};
};

/// log2(x) for positive, finite x.
template <typename T>
inline DoubleWord<T> precise_log2(Vec<T> x) {
    using P = PowerOf<T>;
    const Scaled<T> parts = split<T>(x);
    const Vec<T> m = parts.mantissa, one = broadcast(T{1}), zero = {};
    const DoubleWord<T> h = quotient<T>({m - one, zero}, fast_sum<T>(one, m));  // m < 2, so that it has no bits above those of 1
    const DoubleWord<T> z = product<T>(h, h), first = product<T>(z, double_word(P::third));
    const Vec<T> low = first.low + z.high * z.high * polynomial<T>(z.high, P::terms);
    const DoubleWord<T> w =
        sizeof(T) == sizeof(double) ? fast_sum<T>(first.high, low) : DoubleWord<T>{first.high, low};  // float has digits to spare
    const DoubleWord<T> rest = product<T>(h, w), half = fast_sum<T>(h.high, rest.high);
    const DoubleWord<T> fraction = product<T>({half.high, half.low + (h.low + rest.low)}, double_word(P::two_log2_e));
    const DoubleWord<T> total = fast_sum<T>(parts.exponent, fraction.high);  // the exponent is 0 or the greater
    return fast_sum<T>(total.high, total.low + fraction.low);
}

/// 2^x.
template <typename T>
inline Vec<T> exp2(DoubleWord<T> x) {
    using R = Real<T>;
    using P = PowerOf<T>;
    const Vec<T> above = P::least > x.high ? broadcast(P::least) : x.high;
    const Vec<T> high = P::greatest < above ? broadcast(P::greatest) : above;
    const Vec<T> shifted = high + R::round_shift;
    const DoubleWord<T> r = fast_sum<T>(high - (shifted - R::round_shift), high == x.high ? x.low : Vec<T>{});
    const DoubleWord<T> v = product<T>(r, double_word(P::ln_2));
    const DoubleWord<T> rough = fast_sum<T>(broadcast(T{1}), v.high);
    const Vec<T> result = rough.high + (rough.low + (polynomial<T>(v.high, R::exp_terms) * (v.high * v.high) + v.low));
    const IntVec<T> n = (IntVec<T>)shifted - (IntVec<T>)broadcast(R::round_shift), half = n >> 1;
    return result * power_of_two<T>(half) * power_of_two<T>(n - half);
}

/// x^y for positive, finite x.
template <typename T>
inline Vec<T> positive_power(Vec<T> x, Vec<T> y) {
    using P = PowerOf<T>;
    const Vec<T> above = -P::steepest > y ? broadcast(-P::steepest) : y;
    const Vec<T> exponent = P::steepest < above ? broadcast(P::steepest) : above;
    return exp2<T>(product<T>(exponent, precise_log2<T>(x)));
}

/// Whether x is an integer; of numbers without a fraction all are.
template <typename T>
inline IntVec<T> is_integer(Vec<T> x) {
    const Vec<T> magnitude = vabs<T>(x), step = broadcast(static_cast<T>(typename Real<T>::Bits{1} << Real<T>::fraction_bits));
    return magnitude >= step || (magnitude + step) - step == magnitude;
}

/// x^y for any x and y, given |x|^y where |x| is positive and finite.
template <typename T>
[[gnu::noinline]] Vec<T> any_power(Vec<T> x, Vec<T> y, Vec<T> power) {
    const Vec<T> one = broadcast(T{1}), zero = {}, infinity = broadcast(static_cast<T>(__builtin_inf()));
    const Vec<T> base = vabs<T>(x);
    const IntVec<T> vanishing = (base == zero) ^ (y < zero);
    const Vec<T> size = base == zero || base == infinity ? (vanishing ? zero : infinity) : power;
    const IntVec<T> whole = is_integer<T>(y), odd = whole & ~is_integer<T>(y * T{0.5});
    const Vec<T> signed_size = odd ? vcopysign<T>(size, x) : size;
    const IntVec<T> undefined = (x < zero) & (base < infinity) & ~whole;
    const Vec<T> result = undefined ? broadcast(static_cast<T>(__builtin_nan(""))) : x != x || y != y ? x + y : signed_size;
    return x == one || y == zero ? one : result;
}

template <typename T>
inline Vec<T> vpow(Vec<T> x, Vec<T> y) {
    const Vec<T> power = positive_power<T>(vabs<T>(x), y);
    const IntVec<T> plain = (x > T{0}) & (x < static_cast<T>(__builtin_inf())) & (y == y);
    return any<T>(~plain) ? any_power<T>(x, y, power) : power;
}

}  // namespace
}  // namespace pyengine::kernels
