// Copies from global to shared memory that go on while the thread computes. PTX ISA 8.5, section 9.7.8.24: cp.async, cp.async.commit_group,
// cp.async.wait_group; sm_80. They are made by the generic proxy: what wgmma or a TMA store is to read of them needs fence.proxy.async.
// Before sm_80 the thread copies at once, and there is nothing to wait for.
#pragma once

#include "kernels/cuda/primitives/shared.h"
#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/cp_async.h"
#endif

namespace pyengine::kernels {
namespace {

/// Copies the first `given` of `bytes` (4, 8 or 16) and fills the others with zeros. Both addresses are multiples of `bytes`.
template <int bytes>
__device__ __forceinline__ void cp_async(void* to, const void* from, int given = bytes) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#ifdef PYENGINE_SIMULATED
    simulator::cp_async(to, from, bytes, given);
#elif __CUDA_ARCH__ < 800
    struct alignas(bytes) Whole {
        std::uint32_t words[bytes / 4];
    };
    if (given == bytes)
        *static_cast<Whole*>(to) = *static_cast<const Whole*>(from);
    else
        for (int i = 0; i < bytes; ++i) static_cast<char*>(to)[i] = i < given ? static_cast<const char*>(from)[i] : char{0};
#else
    if constexpr (bytes == 16)  // past L1
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(__cvta_generic_to_global(from)),
                     "r"(given)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(__cvta_generic_to_global(from)),
                     "n"(bytes), "r"(given)
                     : "memory");
#endif
}

/// The thread's copies since the last call are a group.
__device__ __forceinline__ void cp_async_commit() {
#ifdef PYENGINE_SIMULATED
    simulator::cp_async_commit();
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Until all but the last `groups` groups of this thread are there. What other threads copied needs their wait, and a barrier.
template <int groups>
__device__ __forceinline__ void cp_async_wait() {
#ifdef PYENGINE_SIMULATED
    simulator::cp_async_wait(groups);
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#endif
}

}  // namespace
}  // namespace pyengine::kernels
