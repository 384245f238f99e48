// Products of matrices by a warp group: 4 warps, the first of which has a number divisible by 4. PTX ISA 8.5, section 9.7.15; sm_90a.
//
//     wgmma_fence(d); wgmma<bfloat16>(d, a, b, true); ... wgmma_commit(); wgmma_wait<0>(d);
//
// D (64 x N, N = 8, 16, ..., 256) is in registers: thread t of the group holds in d[i] row 16 (t / 32) + (t % 32) / 4 + 8 (i / 2 % 2), column
// 8 (i / 4) + 2 (t % 4) + i % 2. A (64 x K) and B (K x N), K = 32 bytes, are in shared memory; or A in 4 registers, where two 16-bit elements
// share a word in the order of D (tf32: as in mma.h). From the first wgmma to the wait nothing may touch the registers, nor write the shared
// memory, which is read by the async proxy: who wrote it with ordinary stores owes fence_proxy_async_shared() and then a barrier.
#pragma once

#include "kernels/accumulator.h"
#include "kernels/cuda/primitives/shared.h"
#include "kernels/cuda/primitives/tensor_layout.h"
#include "kernels/half.h"
#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/wgmma.h"
#else
#include "kernels/cuda/primitives/wgmma_shapes.h"
#endif

namespace pyengine::kernels {
namespace {

/// Along which dimension an operand is contiguous: K, or the rows of A and columns of B (16-bit types only).
enum class Major { k, mn };

/// An operand in shared memory, made of tiles of 8 rows (of M or N; for Major::mn of K) of as many bytes as the swizzle spans, 16 without one.
/// Strides in bytes, from a tile to the next:
///            Major::k                        Major::mn
/// swizzled   leading unused, stride rows     leading along M or N, stride along K
/// none       leading along K, stride rows    leading along K, stride along M or N
/// `start` is a multiple of 16; what is swizzled begins at a multiple of 8 spans.
__device__ __forceinline__ std::uint64_t wgmma_operand(const void* start, Swizzle swizzle, std::uint32_t leading, std::uint32_t stride) {
    const std::uint64_t layout = swizzle == Swizzle::none ? 0 : 4 - static_cast<int>(swizzle);
    const auto field = [](std::uint32_t bytes) { return std::uint64_t{(bytes & 0x3ffff) >> 4}; };
    return field(shared_address(start)) | field(leading) << 16 | field(stride) << 32 | layout << 62;
}

#ifndef PYENGINE_SIMULATED

/// What wgmma's name ends with.
template <typename T>
struct WgmmaKind;
template <>
struct WgmmaKind<bfloat16> {
    static constexpr char kind[] = "k16.f32.bf16.bf16";
};
template <>
struct WgmmaKind<float16> {
    static constexpr char kind[] = "k16.f32.f16.f16";
};
template <>
struct WgmmaKind<float> {
    static constexpr char kind[] = "k8.f32.tf32.tf32";
};

/// What its operands end with: that no factor is negated, and for 16-bit types in shared memory whether they are contiguous along M or N.
template <typename T, Major a, Major b, bool a_in_registers>
struct WgmmaOperation : WgmmaKind<T> {
    static constexpr bool says_b = is_half<T>, says_a = says_b && !a_in_registers;
    static constexpr char comma_if(bool said) { return said ? ',' : ' '; }
    static constexpr char digit_if(bool said, Major major) { return !said ? ' ' : major == Major::mn ? '1' : '0'; }
    static constexpr char signs[] = {',', '1', ',', '1', comma_if(says_a), digit_if(says_a, a), comma_if(says_b), digit_if(says_b, b), 0};
};

template <int count>
__device__ __forceinline__ void keep_in_registers(float (&d)[count]) {
#pragma unroll
    for (int i = 0; i < count; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

#endif

/// Before the first wgmma, and between other accesses to its registers and it. The accumulators are named so that the compiler knows.
template <int... counts>
__device__ __forceinline__ void wgmma_fence([[maybe_unused]] float (&... accumulators)[counts]) {
#ifdef PYENGINE_SIMULATED
    simulator::wgmma_fence();
#else
    (keep_in_registers(accumulators), ...);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

template <typename T, Major a_major, Major b_major>
constexpr bool wgmma_takes = std::is_same_v<T, float> ? a_major == Major::k && b_major == Major::k : is_half<T>;

/// D = A B, or D += A B where `adds`. T: bfloat16, float16, or float (tf32).
template <typename T, Major a_major = Major::k, Major b_major = Major::k, int count>
__device__ __forceinline__ void wgmma(float (&d)[count], std::uint64_t a, std::uint64_t b, bool adds) {
    static_assert(wgmma_takes<T, a_major, b_major> && count % 4 == 0 && count <= 128);
#ifdef PYENGINE_SIMULATED
    simulator::wgmma({d, 2 * count, simulator::factor_type<T>, nullptr, a, b, a_major == Major::mn, b_major == Major::mn, adds});
#else
    wgmma_issue<WgmmaOperation<T, a_major, b_major, false> >(d, a, b, adds);
#endif
}

/// The same with A in registers.
template <typename T, Major b_major = Major::k, int count>
__device__ __forceinline__ void wgmma(float (&d)[count], const std::uint32_t (&a)[4], std::uint64_t b, bool adds) {
    static_assert(wgmma_takes<T, Major::k, b_major> && count % 4 == 0 && count <= 128);
#ifdef PYENGINE_SIMULATED
    simulator::wgmma({d, 2 * count, simulator::factor_type<T>, a, 0, b, false, b_major == Major::mn, adds});
#else
    wgmma_issue<WgmmaOperation<T, Major::k, b_major, true> >(d, a, b, adds);
#endif
}

/// The products since the last call are a group.
__device__ __forceinline__ void wgmma_commit() {
#ifdef PYENGINE_SIMULATED
    simulator::wgmma_commit();
#else
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

/// Until all but the last `groups` (0 to 7) are done; the accumulators named may then be read.
template <int groups, int... counts>
__device__ __forceinline__ void wgmma_wait([[maybe_unused]] float (&... accumulators)[counts]) {
    static_assert(groups >= 0 && groups <= 7);
#ifdef PYENGINE_SIMULATED
    simulator::wgmma_wait(groups);
#else
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups) : "memory");
    (keep_in_registers(accumulators), ...);
#endif
}

}  // namespace
}  // namespace pyengine::kernels
