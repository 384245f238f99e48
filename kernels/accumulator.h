// In what type values of T are summed and compared, and how they get there and back.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/half.h"

namespace pyengine::kernels {

template <typename T>
constexpr bool is_half = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

template <typename T>
constexpr bool is_real = is_half<T> || std::is_floating_point_v<T>;

/// Bits of the significand, the leading one included.
template <typename T>
constexpr int significand_digits = std::is_same_v<T, float16>    ? 11
                                   : std::is_same_v<T, bfloat16> ? 8
                                   : std::is_same_v<T, float>    ? 24
                                                                 : 53;

template <typename T>
using IntegerSum = std::conditional_t<std::is_signed_v<T> || std::is_same_v<T, bool>, std::int64_t, std::uint64_t>;

template <typename T>
using Accumulator = std::conditional_t<is_half<T>, float, std::conditional_t<is_real<T>, T, IntegerSum<T>>>;

/// What sums and products of T are given in.
template <typename T>
using SumType = std::conditional_t<is_half<T>, T, Accumulator<T>>;

/// What values of T are compared in.
template <typename T>
using Comparable = std::conditional_t<is_half<T>, float, std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>>;

template <typename To, typename From>
static constexpr To convert(From x) {
    if constexpr (is_half<From> && !std::is_same_v<To, From>)
        return static_cast<To>(to_float(x));
    else if constexpr (std::is_same_v<To, float16> && !is_half<From>)
        return to_float16(static_cast<float>(x));
    else if constexpr (std::is_same_v<To, bfloat16> && !is_half<From>)
        return to_bfloat16(static_cast<float>(x));
    else
        return static_cast<To>(x);
}

/// a + b, modulo 2^bits for integers: in unsigned arithmetic, where overflow is defined.
template <typename T>
static constexpr T wrapping_add(T a, T b) {
    if constexpr (is_real<T>)
        return a + b;
    else
        return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

template <typename T>
static constexpr T wrapping_multiply(T a, T b) {
    if constexpr (is_real<T>)
        return a * b;
    else
        return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

}  // namespace pyengine::kernels
