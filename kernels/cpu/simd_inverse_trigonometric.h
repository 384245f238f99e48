// atan, atan2, asin and acos of vectors, float and double. Largest errors, measured against a wider type (every seventh float; a
// million doubles of every size):
//
//               float       double
//     vatan    0.89 ulp    0.86 ulp
//     vatan2   0.90 ulp    0.85 ulp     a million pairs
//     vasin    0.92 ulp    0.90 ulp
//     vacos    0.88 ulp    0.75 ulp
//
// All are the angle of a point (x, y) of the first quadrant: atan(t) of (1, t), asin(t) of (sqrt(1 - t^2), t), acos(t) of (t, sqrt(1 - t^2)).
// Turning the point by a multiple of pi / 4 leaves an angle of at most pi / 8:
//
//     y <= tan(pi / 8) x     atan(y / x)
//     x <  tan(pi / 8) y     pi / 2 - atan(x / y)
//     otherwise              pi / 4 + atan((y - x) / (y + x))
//
// with one division, of double words, and atan(s) = s + s^3 P(s^2) for |s| <= tan(pi / 8) (Muller, Elementary Functions, section 11.4). A
// negative x mirrors the angle: pi minus it.
#pragma once

#include "kernels/cpu/simd_double_word.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct Arc;

template <>
struct Arc<float> {
    static constexpr float tan_eighth = 0x1.a8279ap-2f, quarter_pi[] = {0x1.921fb6p-1f, -0x1.777a5cp-26f};
    static constexpr float large = 0x1p125f, up = 0x1p64f;
    // (atan(s) - s) / s^3 of s^2, to 2^-33 of atan
    static constexpr float terms[] = {-0x1.555554p-2f, 0x1.9998bp-3f, -0x1.247536p-3f, 0x1.c3959p-4f, -0x1.572ce2p-4f, 0x1.758a28p-5f};
};

template <>
struct Arc<double> {
    static constexpr double tan_eighth = 0x1.a827999fcef32p-2, quarter_pi[] = {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55};
    static constexpr double large = 0x1p1021, up = 0x1p512;
    // to 2^-59
    static constexpr double terms[] = {-0x1.555555555553bp-2, 0x1.99999999954b2p-3, -0x1.2492492298b8cp-3, 0x1.c71c70deae386p-4,
                                       -0x1.745cf816031e1p-4, 0x1.3b110c09a84fep-4, -0x1.10eb29f964959p-4, 0x1.df077daef7e05p-5,
                                       -0x1.9cb0a2b871414p-5, 0x1.37813b73a5f8cp-5, -0x1.24b5997ceaf75p-6};
};

/// The angle of (x, y), neither negative and not both 0; of (-x, y) where mirrored.
template <typename T>
inline Vec<T> angle(DoubleWord<T> y, DoubleWord<T> x, IntVec<T> mirrored) {
    const IntVec<T> flat = y.high <= x.high * Arc<T>::tan_eighth, steep = x.high < y.high * Arc<T>::tan_eighth;
    const DoubleWord<T> less = sum<T>(y.high, -x.high), more = sum<T>(y.high, x.high);
    const DoubleWord<T> difference = {less.high, less.low + (y.low - x.low)}, total = {more.high, more.low + (y.low + x.low)};
    const DoubleWord<T> above = select<T>(flat, y, select<T>(steep, {-x.high, -x.low}, difference));
    const DoubleWord<T> s = quotient<T>(above, select<T>(flat, x, select<T>(steep, y, total)));
    const Vec<T> z = s.high * s.high;
    const Vec<T> tail = polynomial<T>(z, Arc<T>::terms) * (z * s.high) + s.low;
    const Vec<T> eighths = flat ? broadcast(T{0}) : steep ? broadcast(T{2}) : broadcast(T{1});
    const DoubleWord<T> turned = product<T>(mirrored ? T{4} - eighths : eighths, double_word(Arc<T>::quarter_pi));
    const DoubleWord<T> result = fast_sum<T>(turned.high, mirrored ? -s.high : s.high);
    return result.high + (result.low + (turned.low + (mirrored ? -tail : tail)));
}

template <typename T>
inline Vec<T> vatan(Vec<T> x) {
    const Vec<T> magnitude = vabs<T>(x), bounded = magnitude > Arc<T>::large ? broadcast(Arc<T>::large) : magnitude;
    return vcopysign<T>(angle<T>({bounded, Vec<T>{}}, {broadcast(T{1}), Vec<T>{}}, IntVec<T>{}), x);
}

/// sqrt(1 - x^2).
template <typename T>
inline DoubleWord<T> other_leg(Vec<T> x) {
    const DoubleWord<T> square = product<T>(x, x), rough = fast_sum<T>(broadcast(T{1}), -square.high);
    return square_root<T>(fast_sum<T>(rough.high, rough.low - square.low));
}

template <typename T>
inline Vec<T> vasin(Vec<T> x) {
    return vcopysign<T>(angle<T>({vabs<T>(x), Vec<T>{}}, other_leg<T>(x), IntVec<T>{}), x);
}

template <typename T>
inline Vec<T> vacos(Vec<T> x) {
    return angle<T>(other_leg<T>(x), {vabs<T>(x), Vec<T>{}}, x < T{0});
}

/// The signs of zeros and the infinities as in C's Annex F: a zero x has its sign, and of two infinities neither is greater.
template <typename T>
inline Vec<T> vatan2(Vec<T> y, Vec<T> x) {
    Vec<T> height = vabs<T>(y), width = vabs<T>(x);
    const Vec<T> infinity = broadcast(static_cast<T>(__builtin_inf()));
    const Vec<T> larger = height > width ? height : width;
    const Vec<T> scale = larger < T{1} ? broadcast(Arc<T>::up) : larger > Arc<T>::large ? broadcast(T{0.25}) : broadcast(T{1});
    const IntVec<T> infinite = larger == infinity, origin = larger == T{0};
    const Vec<T> zero = {}, one = broadcast(T{1});
    height = infinite ? (height == infinity ? one : zero) : height * scale;
    width = infinite ? (width == infinity ? one : zero) : origin ? one : width * scale;
    const IntVec<T> mirrored = (IntVec<T>)x < 0;
    const Vec<T> result = vcopysign<T>(angle<T>({height, zero}, {width, zero}, mirrored), y);
    return x != x || y != y ? x + y : result;
}

}  // namespace
}  // namespace pyengine::kernels
