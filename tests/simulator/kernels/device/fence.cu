#include "kernels/cuda/primitives/fence.h"

using namespace pyengine::kernels;

__global__ void __launch_bounds__(384) fences(unsigned* out) {
    __shared__ unsigned word;
    fence_proxy_async();
    fence_proxy_async_shared();
    fence_mbarrier_init();
    barrier_sync(1, 64);
    barrier_arrive(2, 64);
    cluster_arrive();
    cluster_wait();
    cluster_arrive_relaxed();
    cluster_wait();
    *map_to_rank(&word, cluster_rank() % cluster_size()) = 1;
    if (threadIdx.x < 128)
        give_registers<40>();
    else
        take_registers<232>();
    out[0] = word;
}
