// Fences between ordinary and asynchronous accesses, barriers of parts of a block and of a cluster, and registers handed over between warps.
// PTX ISA 8.5: 9.7.12.4 fence.proxy, 9.7.12.1 barrier, 9.7.12.3 barrier.cluster, 9.7.8.23 mapa, 9.7.19.5 setmaxnreg; sm_90 but for the
// barriers of a block.
#pragma once

#include "kernels/cuda/primitives/shared.h"

namespace pyengine::kernels {
namespace {

/// What this thread wrote, wgmma and bulk copies may read, and write over, once they know of it through a barrier.
__device__ __forceinline__ void fence_proxy_async() {
#ifdef PYENGINE_SIMULATED
    simulator::fence_proxy_async(false);
#else
    asm volatile("fence.proxy.async;" ::: "memory");
#endif
}

/// The same, for shared memory alone.
__device__ __forceinline__ void fence_proxy_async_shared() {
#ifdef PYENGINE_SIMULATED
    simulator::fence_proxy_async(true);
#else
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

/// The mbarriers that this thread initialised, other blocks and asynchronous copies may use once they know of it.
__device__ __forceinline__ void fence_mbarrier_init() {
#ifdef PYENGINE_SIMULATED
    simulator::fence_mbarrier_init();
#else
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

/// Barrier 1 to 15 of the block, for `threads` threads in whole warps: waits for the others.
__device__ __forceinline__ void barrier_sync(unsigned barrier, unsigned threads) {
#ifdef PYENGINE_SIMULATED
    simulator::barrier_sync(barrier, threads);
#else
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#endif
}

/// Counts, and goes on at once.
__device__ __forceinline__ void barrier_arrive(unsigned barrier, unsigned threads) {
#ifdef PYENGINE_SIMULATED
    simulator::barrier_arrive(barrier, threads);
#else
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#endif
}

/// All threads of the cluster arrive, and then wait, each in turn.
__device__ __forceinline__ void cluster_arrive() {
#ifdef PYENGINE_SIMULATED
    simulator::cluster_barrier_arrive(true);
#else
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#endif
}

/// An arrival that tells nothing of what the thread did before.
__device__ __forceinline__ void cluster_arrive_relaxed() {
#ifdef PYENGINE_SIMULATED
    simulator::cluster_barrier_arrive(false);
#else
    asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
#endif
}

__device__ __forceinline__ void cluster_wait() {
#ifdef PYENGINE_SIMULATED
    simulator::cluster_barrier_wait();
#else
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}

__device__ __forceinline__ unsigned cluster_rank() {
#ifdef PYENGINE_SIMULATED
    return simulator::cluster_rank();
#else
    unsigned rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
#endif
}

__device__ __forceinline__ unsigned cluster_size() {
#ifdef PYENGINE_SIMULATED
    return simulator::cluster_size();
#else
    unsigned size;
    asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
    return size;
#endif
}

/// The same place in the shared memory of another block of the cluster, which must still run when it is used.
template <typename T>
__device__ __forceinline__ T* map_to_rank(T* pointer, unsigned rank) {
#ifdef PYENGINE_SIMULATED
    return static_cast<T*>(simulator::map_to_rank(pointer, rank));
#else
    std::uint64_t address;
    asm("mapa.u64 %0, %1, %2;" : "=l"(address) : "l"(reinterpret_cast<std::uint64_t>(pointer)), "r"(rank));
    return reinterpret_cast<T*>(address);
#endif
}

/// The warp group gives registers up: `count` a thread remain, 24 to 256, a multiple of 8.
template <int count>
__device__ __forceinline__ void give_registers() {
    static_assert(count >= 24 && count <= 256 && count % 8 == 0);
#ifdef PYENGINE_SIMULATED
    simulator::set_registers(count, false);
#else
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

/// Takes registers that others gave up; waits until they have.
template <int count>
__device__ __forceinline__ void take_registers() {
    static_assert(count >= 24 && count <= 256 && count % 8 == 0);
#ifdef PYENGINE_SIMULATED
    simulator::set_registers(count, true);
#else
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

}  // namespace
}  // namespace pyengine::kernels
