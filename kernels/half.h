// The 16-bit floats as storage: their bits, and conversion to and from float with round-to-nearest-even (IEEE 754 section 4.3.1).
// Arithmetic happens in float. Functions are static so that no instruction-set level shares a copy with another. A GPU has instructions
// for the conversions, which give the same bits but those of a NaN (PTX ISA 8.5, section 9.7.9.21: cvt).
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace pyengine {

struct bfloat16 {
    std::uint16_t bits;
};

struct float16 {
    std::uint16_t bits;
};

[[maybe_unused]] static constexpr float to_float(bfloat16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }

[[maybe_unused]] static constexpr float to_float(float16 x) {
#ifdef __CUDA_ARCH__
    if (!std::is_constant_evaluated()) {
        float result;
        asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
        return result;
    }
#endif
    const std::uint32_t sign = (x.bits & 0x8000u) << 16;
    const std::uint32_t magnitude = x.bits & 0x7fffu;
    if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);  // Inf, NaN
    if (magnitude >= 0x0400u) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
    const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(subnormal));
}

[[maybe_unused]] static constexpr bfloat16 to_bfloat16(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    if (!std::is_constant_evaluated()) {
        bfloat16 result;
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
        return result;
    }
#endif
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};  // keep NaN a NaN
    return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

[[maybe_unused]] static constexpr float16 to_float16(float x) {
#ifdef __CUDA_ARCH__
    if (!std::is_constant_evaluated()) {
        float16 result;
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
        return result;
    }
#endif
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t sign = bits >> 16 & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu))};
    if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // rounds to 2^16 or beyond: Inf
    if (magnitude >= 0x38800000u) {
        const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
        return {static_cast<std::uint16_t>(sign | (rounded - 0x38000000u) >> 13)};
    }
    // Adding 0.5 leaves the multiple of 2^-24 in the low bits, rounded by the addition itself.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u))};
}

}  // namespace pyengine
