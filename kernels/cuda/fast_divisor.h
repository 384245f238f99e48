// Division of many numbers by one: a multiplication and a shift. T. Granlund, P. L. Montgomery: "Division by invariant integers using
// multiplication", PLDI 1994: with l = ceil(log2 d), floor(n / d) = floor(n ceil(2^(31 + l) / d) / 2^(31 + l)) for 0 <= n < 2^31.
#pragma once

#include <cstdint>

namespace pyengine::kernels {
namespace {

struct FastDivisor {
    std::uint32_t divisor, multiplier, shift;

    FastDivisor() = default;
    /// 0 counts as 1: it divides nothing.
    constexpr explicit FastDivisor(std::int64_t d) : divisor(d > 0 ? static_cast<std::uint32_t>(d) : 1), multiplier(0), shift(31) {
        while ((std::uint64_t{1} << (shift - 31)) < divisor) ++shift;
        multiplier = static_cast<std::uint32_t>(((std::uint64_t{1} << shift) + divisor - 1) / divisor);
    }

    /// n / divisor; n becomes the remainder.
    constexpr std::uint32_t divide(std::uint32_t& n) const {
        const auto quotient = static_cast<std::uint32_t>(std::uint64_t{n} * multiplier >> shift);
        n -= quotient * divisor;
        return quotient;
    }
};

}  // namespace
}  // namespace pyengine::kernels
