// Conversion to float by rounding to odd: truncated, with the last bit set where anything was cut off. A second rounding, to at most 22
// bits, then gives what one rounding of the original would have (Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums, 2008).
// Functions are static so that no instruction-set level shares a copy with another.
#pragma once

#include <bit>
#include <cstdint>

namespace pyengine {

[[maybe_unused]] static constexpr float round_odd(double x) {
    const float nearest = static_cast<float>(x);
    const double back = nearest;
    if (back == x || x != x) return nearest;
    // The two neighbours of x are consecutive bit patterns; the odd one is `nearest`, or next to it on the side of x.
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(nearest);
    if (bits & 1u) return nearest;
    const bool away = (x > 0) == (x > back);
    return std::bit_cast<float>(away ? bits + 1u : bits - 1u);
}

[[maybe_unused]] static constexpr float round_odd(std::uint64_t x) {
    // Beyond 53 bits the low ones only matter as "not zero"; they are folded so that the double is exact.
    const std::uint64_t folded = x >> 53 ? (x & ~std::uint64_t{0xffff}) | (x & 0xffffu ? 0x10000u : 0u) : x;
    return round_odd(static_cast<double>(folded));
}

[[maybe_unused]] static constexpr float round_odd(std::int64_t x) {
    return x < 0 ? -round_odd(0u - static_cast<std::uint64_t>(x)) : round_odd(static_cast<std::uint64_t>(x));
}

}  // namespace pyengine
