// Products of small matrices by one warp, and the loads and stores that bring matrices into the registers they expect.
// PTX ISA 8.5, section 9.7.14: mma, ldmatrix, stmatrix. All 32 lanes take part in each.
//
// With g = lane / 4 and t = lane % 4, of an m16n8kK product the lane holds
//   C, D  4 floats: rows g, g, g + 8, g + 8; columns 2t, 2t + 1, 2t, 2t + 1
//   A     16-bit types: words of two columns 2t, 2t + 1 of rows g, g + 8, and for K = 16 of the same columns + 8; tf32: (g, t), (g + 8, t),
//         (g, t + 4), (g + 8, t + 4)
//   B     the same with k for A's columns and n = g for its rows, without the rows + 8
#pragma once

#include "kernels/cuda/primitives/shared.h"
#include "kernels/half.h"
#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/mma.h"
#endif

namespace pyengine::kernels {
namespace {

/// D += A B for 16 x 16 and 16 x 8 matrices of bfloat16 or float16; sm_80.
template <typename T>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    constexpr bool is_bfloat16 = std::is_same_v<T, bfloat16>;
    static_assert(is_bfloat16 || std::is_same_v<T, float16>);
#ifdef PYENGINE_SIMULATED
    simulator::mma(is_bfloat16 ? simulator::Factor::bfloat16 : simulator::Factor::float16, 16, d, a, b);
#else
    if constexpr (is_bfloat16)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    else
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// D += A B for 16 x 8 and 8 x 8 matrices of float16; sm_75.
__device__ __forceinline__ void mma_m16n8k8_f16(float (&d)[4], const std::uint32_t (&a)[2], const std::uint32_t (&b)[1]) {
#ifdef PYENGINE_SIMULATED
    simulator::mma(simulator::Factor::float16, 8, d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#endif
}

/// D += A B for 16 x 8 and 8 x 8 matrices of floats, of which the first 19 bits count (tf32); sm_80.
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#ifdef PYENGINE_SIMULATED
    simulator::mma(simulator::Factor::tf32, 8, d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// Two numbers rounded to 16 bits, as a word; sm_80. PTX ISA 8.5, section 9.7.9.21: cvt.rn.f16x2.f32, cvt.rn.bf16x2.f32.
template <typename T>
__device__ __forceinline__ std::uint32_t pack(float low, float high) {
    constexpr bool is_bfloat16 = std::is_same_v<T, bfloat16>;
    static_assert(is_bfloat16 || std::is_same_v<T, float16>);
#ifdef PYENGINE_SIMULATED
    if constexpr (is_bfloat16)
        return to_bfloat16(low).bits | std::uint32_t{to_bfloat16(high).bits} << 16;
    else
        return to_float16(low).bits | std::uint32_t{to_float16(high).bits} << 16;
#else
    std::uint32_t word;
    if constexpr (is_bfloat16)
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    else
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
#endif
}

/// The nearest tf32, ties away from zero, as a float's bits; sm_80. PTX ISA 8.5, section 9.7.9.21: cvt.rna.tf32.f32.
__device__ __forceinline__ std::uint32_t to_tf32(float x) {
#ifdef PYENGINE_SIMULATED
    const std::uint32_t bits = __float_as_uint(x);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
#else
    std::uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#endif
}

/// 1, 2 or 4 matrices of 8 rows of 16 bytes: the address of row r of matrix i comes from lane 8 i + r. Of each the lane receives the word of
/// row lane / 4 at column lane % 4; with `transposed`, elements of 16 bits with rows and columns exchanged. sm_75.
template <bool transposed = false, int count>
__device__ __forceinline__ void load_matrices(std::uint32_t (&words)[count], const void* row) {
    static_assert(count == 1 || count == 2 || count == 4);
#ifdef PYENGINE_SIMULATED
    simulator::load_matrices(words, row, count, transposed);
#else
    const std::uint32_t address = shared_address(row);
    if constexpr (count == 1 && !transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(words[0]) : "r"(address) : "memory");
    else if constexpr (count == 1)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(words[0]) : "r"(address) : "memory");
    else if constexpr (count == 2 && !transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];" : "=r"(words[0]), "=r"(words[1]) : "r"(address) : "memory");
    else if constexpr (count == 2)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                     : "=r"(words[0]), "=r"(words[1])
                     : "r"(address)
                     : "memory");
    else if constexpr (!transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                     : "r"(address)
                     : "memory");
#endif
}

/// The other way round; sm_90.
template <bool transposed = false, int count>
__device__ __forceinline__ void store_matrices(void* row, const std::uint32_t (&words)[count]) {
    static_assert(count == 1 || count == 2 || count == 4);
#ifdef PYENGINE_SIMULATED
    simulator::store_matrices(row, words, count, transposed);
#else
    const std::uint32_t address = shared_address(row);
    if constexpr (count == 1 && !transposed)
        asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" ::"r"(address), "r"(words[0]) : "memory");
    else if constexpr (count == 1)
        asm volatile("stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};" ::"r"(address), "r"(words[0]) : "memory");
    else if constexpr (count == 2 && !transposed)
        asm volatile("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1, %2};" ::"r"(address), "r"(words[0]), "r"(words[1]) : "memory");
    else if constexpr (count == 2)
        asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};" ::"r"(address), "r"(words[0]), "r"(words[1])
                     : "memory");
    else if constexpr (!transposed)
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(words[0]), "r"(words[1]),
                     "r"(words[2]), "r"(words[3])
                     : "memory");
    else
        asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(words[0]), "r"(words[1]),
                     "r"(words[2]), "r"(words[3])
                     : "memory");
#endif
}

}  // namespace
}  // namespace pyengine::kernels
