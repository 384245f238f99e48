// Barriers that live in shared memory and count arrivals, and bytes of asynchronous copies. PTX ISA 8.5, section 9.7.12.15; sm_90.
//
// A phase is complete when all arrivals have happened and all expected bytes have landed; then the next one begins, with the same number of
// arrivals. wait(parity) goes on once the phase of that parity is over: phases count from 0, so on a new barrier wait(1) passes and wait(0)
// blocks. What threads did before they arrived, and what was copied, those that waited know.
#pragma once

#include "kernels/cuda/primitives/shared.h"
#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/mbarrier.h"
#endif

namespace pyengine::kernels {
namespace {

using Mbarrier = std::uint64_t;

/// By one thread. Others may use the barrier after a barrier of the block; other blocks and asynchronous copies after
/// fence_mbarrier_init() by this thread, and then a barrier of the cluster or block.
__device__ __forceinline__ void mbarrier_init(Mbarrier* barrier, unsigned arrivals) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_init(barrier, arrivals);
#else
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
#endif
}

/// Makes the memory ordinary again.
__device__ __forceinline__ void mbarrier_invalidate(Mbarrier* barrier) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_invalidate(barrier);
#else
    asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}

__device__ __forceinline__ void mbarrier_arrive(Mbarrier* barrier) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_arrive(barrier, 0);
#else
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}

/// At the barrier in the same place of another block of the cluster.
__device__ __forceinline__ void mbarrier_arrive_at_rank(Mbarrier* barrier, unsigned rank) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_arrive(simulator::map_to_rank(barrier, rank), 0);
#else
    asm volatile(
        "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %0, %1;\nmbarrier.arrive.release.cluster.shared::cluster.b64 _, "
        "[remote];\n}" ::"r"(shared_address(barrier)),
        "r"(rank)
        : "memory");
#endif
}

/// The phase also waits for so many bytes of asynchronous copies.
__device__ __forceinline__ void mbarrier_expect_bytes(Mbarrier* barrier, unsigned bytes) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_expect_bytes(barrier, bytes);
#else
    asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
#endif
}

/// The same, and then arrives.
__device__ __forceinline__ void mbarrier_arrive_expecting(Mbarrier* barrier, unsigned bytes) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_arrive(barrier, bytes);
#else
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
#endif
}

/// Whether the phase is over; may wait a while to see.
__device__ __forceinline__ bool mbarrier_try_wait(Mbarrier* barrier, unsigned parity) {
#ifdef PYENGINE_SIMULATED
    return simulator::mbarrier_try_wait(barrier, parity);
#else
    unsigned over;
    asm volatile(
        "{\n.reg .pred over;\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 over, [%1], %2;\nselp.u32 %0, 1, 0, over;\n}"
        : "=r"(over)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
    return over;
#endif
}

__device__ __forceinline__ void mbarrier_wait(Mbarrier* barrier, unsigned parity) {
#ifdef PYENGINE_SIMULATED
    simulator::mbarrier_wait(barrier, parity);
#else
    while (!mbarrier_try_wait(barrier, parity)) {
    }
#endif
}

}  // namespace
}  // namespace pyengine::kernels
