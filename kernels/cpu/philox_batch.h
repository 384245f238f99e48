// kernels/philox.h for many counters at once.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "kernels/cpu/simd.h"
#include "kernels/philox.h"

namespace pyengine::kernels {
namespace {

constexpr int batch_blocks = 16;

/// Word j of block b in word[j][b].
struct PhiloxBatch {
    std::uint32_t word[4][batch_blocks];
};

/// The low halves of 64-bit lanes, multiplied in full. (Masked by all ones: GCC 12 warns of the plain form, see simd.h.)
inline Vec<std::uint64_t> multiply_low(Vec<std::uint64_t> a, std::uint32_t b) {
#if defined(__AVX512F__)
    return (Vec<std::uint64_t>)_mm512_maskz_mul_epu32(0xff, (__m512i)a, _mm512_set1_epi64(b));
#elif defined(__AVX2__)
    return (Vec<std::uint64_t>)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
    return (Vec<std::uint64_t>)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#elif defined(__ARM_NEON)
    return (Vec<std::uint64_t>)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
#else
    return (a & 0xffffffffu) * b;
#endif
}

/// philox of kernels/philox.h for many counters at once, each word in the low half of a lane; what gathers above it is never used.
inline PhiloxBatch philox_batch(std::uint64_t seed, RandomStream stream, std::uint64_t first_block) {
    using Words = Vec<std::uint64_t>;
    typedef std::uint32_t Low __attribute__((vector_size(lanes<std::uint64_t> * 4)));
    PhiloxBatch batch;
    for (int b = 0; b < batch_blocks; b += lanes<std::uint64_t>) {
        Words w0 = broadcast(first_block + static_cast<std::uint64_t>(b));
        for (int i = 0; i < lanes<std::uint64_t>; ++i) w0[i] += static_cast<std::uint64_t>(i);
        Words w1 = w0 >> 32, w2 = broadcast(std::uint64_t{static_cast<std::uint32_t>(stream)}), w3{};
        auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
        for (int round = 0; round < philox_rounds; ++round) {
            const Words product0 = multiply_low(w0, philox_multiplier[0]), product1 = multiply_low(w2, philox_multiplier[1]);
            w0 = product1 >> 32 ^ w1 ^ std::uint64_t{key0};
            w1 = product1;
            w2 = product0 >> 32 ^ w3 ^ std::uint64_t{key1};
            w3 = product0;
            key0 += philox_key_step[0];
            key1 += philox_key_step[1];
        }
        const Words all[4] = {w0, w1, w2, w3};
        for (int j = 0; j < 4; ++j) {
            const Low low = __builtin_convertvector(all[j], Low);
            std::memcpy(&batch.word[j][b], &low, sizeof low);
        }
    }
    return batch;
}

}  // namespace
}  // namespace pyengine::kernels
