// From random words to random numbers, one element at a time. Nothing but IEEE additions, multiplications, divisions and square roots, in
// the order written: where the compiler may not fuse them (-ffp-contract=off; nvcc -fmad=false), every device gives the same bits.
// constexpr, so that nvcc compiles the same lines for the device.
#pragma once

#include <math.h>

#include <bit>
#include <cstdint>

#include "kernels/philox.h"

namespace pyengine::kernels {

/// The `digits` highest bits of a word as a fraction, in [0, 1): exact, and never 1 in a type that has as many digits.
[[maybe_unused]] static constexpr float uniform_float(std::uint32_t word, int digits) {
    return static_cast<float>(static_cast<std::int32_t>(word >> (32 - digits))) * (1.0f / static_cast<float>(std::int32_t{1} << digits));
}

[[maybe_unused]] static constexpr std::uint64_t join(std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32 | low; }

/// The 53 highest bits as an integer: exact. In two parts, as vectors convert 32-bit integers only.
[[maybe_unused]] static constexpr double high_bits(std::uint64_t word) {
    return static_cast<double>(static_cast<std::int32_t>(word >> 37)) * 0x1p26 +
           static_cast<double>(static_cast<std::int32_t>(word >> 11 & 0x3ffffffu));
}

[[maybe_unused]] static constexpr double uniform_double(std::uint64_t word) { return high_bits(word) * 0x1p-53; }

/// An integer in [0, range), 0 meaning 2^64: the high half of word * range. Each value's probability is off by at most 2^-64.
[[maybe_unused]] static constexpr std::uint64_t integer_below(std::uint64_t word, std::uint64_t range) {
    return range == 0 ? word : static_cast<std::uint64_t>(static_cast<unsigned __int128>(word) * range >> 64);
}

// Normal numbers: G. E. P. Box, M. E. Muller: "A note on the generation of random normal deviates", 1958. With u in (0, 1] and an angle t,
// both uniform, sqrt(-2 log u) cos t and sqrt(-2 log u) sin t are independent and normal.

template <typename T>
struct NormalPair {
    T cosine, sine;
};

/// What differs between float and double: how many terms the series need to be exact to half an ulp, and the bits of the format.
template <typename T>
struct NormalTerms;
template <>
struct NormalTerms<float> {
    using Bits = std::uint32_t;
    static constexpr Bits bias = 127;
    static constexpr int log = 5, trigonometric = 5, fraction_bits = 23;
};
template <>
struct NormalTerms<double> {
    using Bits = std::uint64_t;
    static constexpr Bits bias = 1023;
    static constexpr int log = 11, trigonometric = 9, fraction_bits = 52;
};

/// log u for a normal number u: u = 2^e m with m in [sqrt(1/2), sqrt(2)), log m = 2 (s + s^3 / 3 + s^5 / 5 + ...) with s = (m - 1) / (m +
/// 1).
template <typename T>
static constexpr T log_series(T u) {
    using Terms = NormalTerms<T>;
    using Bits = typename Terms::Bits;
    const Bits origin = std::bit_cast<Bits>(static_cast<T>(0x1.6a09e667f3bcdp-1));
    const Bits biased = (std::bit_cast<Bits>(u) - origin + (Terms::bias << Terms::fraction_bits)) >> Terms::fraction_bits;
    const T m = std::bit_cast<T>(std::bit_cast<Bits>(u) - ((biased - Terms::bias) << Terms::fraction_bits));
    const T exponent = static_cast<T>(static_cast<std::int32_t>(biased - Terms::bias));
    const T s = (m - T{1}) / (m + T{1});
    const T z = s * s;
    T sum = T{1} / T(2 * Terms::log + 1);
    for (int k = Terms::log - 1; k >= 0; --k) sum = sum * z + T{1} / T(2 * k + 1);
    return exponent * static_cast<T>(0x1.62e42fefa39efp-1) + T{2} * s * sum;
}

/// cos and sin of a quarter turn times (quarter + x), |x| <= 1/2, by their Taylor series.
template <typename T>
static constexpr NormalPair<T> unit_vector(std::uint32_t quarter, T x) {
    using Terms = NormalTerms<T>;
    const T angle = x * static_cast<T>(0x1.921fb54442d18p0);  // pi / 2
    const T z = angle * angle;
    T cosine = T{1}, sine = T{1};
    for (int k = Terms::trigonometric; k > 0; --k) {
        cosine = T{1} - cosine * z * (T{1} / T((2 * k - 1) * (2 * k)));
        sine = T{1} - sine * z * (T{1} / T((2 * k) * (2 * k + 1)));
    }
    sine = sine * angle;
    const T a = quarter & 1 ? sine : cosine, b = quarter & 1 ? cosine : sine;
    return {(quarter + 1) & 2 ? -a : a, quarter & 2 ? -b : b};
}

template <typename T>
static constexpr T square_root(T x) {
    if constexpr (sizeof(T) == sizeof(float))
        return sqrtf(x);
    else
        return sqrt(x);
}

template <typename T>
static constexpr NormalPair<T> normal_pair(T u, std::uint32_t quarter, T x) {
    const T radius = square_root(T{-2} * log_series(u));
    const NormalPair<T> direction = unit_vector(quarter, x);
    return {radius * direction.cosine, radius * direction.sine};
}

/// From two words; the largest magnitude is sqrt(66 log 2) = 6.8. Halves of the first word are converted apart, so that only their sum
/// rounds.
[[maybe_unused]] static constexpr NormalPair<float> normal_floats(std::uint32_t first, std::uint32_t second) {
    const float high = static_cast<float>(static_cast<std::int32_t>(first >> 16)) * 0x1p-16f;
    const float low = (static_cast<float>(static_cast<std::int32_t>(first & 0xffffu)) + 0.5f) * 0x1p-32f;
    const std::uint32_t quarter = (second + (1u << 29)) >> 30;
    const auto rest = static_cast<std::int32_t>(second - (quarter << 30));
    return normal_pair<float>(high + low, quarter, static_cast<float>(rest) * 0x1p-30f);
}

/// From two double words; the largest magnitude is sqrt(108 log 2) = 8.7.
[[maybe_unused]] static constexpr NormalPair<double> normal_doubles(std::uint64_t first, std::uint64_t second) {
    const double u = (high_bits(first) + 0.5) * 0x1p-53;
    const auto high = static_cast<std::uint32_t>(second >> 32), low = static_cast<std::uint32_t>(second);
    const std::uint32_t quarter = (high + (1u << 29)) >> 30;
    const double rest = static_cast<double>(static_cast<std::int32_t>(high - (quarter << 30)));
    return normal_pair<double>(u, quarter, rest * 0x1p-30 + static_cast<double>(static_cast<std::int32_t>(low >> 11)) * 0x1p-51);
}

}  // namespace pyengine::kernels
