#include "kernels/cuda/primitives/tma.h"

using namespace pyengine::kernels;

template <int rank>
__device__ void copies(const TensorMap& map, float* buffer, Mbarrier* barrier, const int (&at)[rank]) {
    tma_load(buffer, map, barrier, at);
    tma_load_multicast(buffer, map, barrier, at, 3);
    tma_store(map, buffer, at);
    tma_add(map, buffer, at);
    if constexpr (rank >= 3) {
        const std::uint16_t by[rank - 2] = {};
        tma_load_im2col(buffer, map, barrier, at, by);
    }
}

__global__ void all(const __grid_constant__ TensorMap map, float* global) {
    __shared__ Mbarrier barrier;
    float* buffer = dynamic_shared_memory<float>();
    prefetch_tensor_map(map);
    copies(map, buffer, &barrier, {0});
    copies(map, buffer, &barrier, {0, 1});
    copies(map, buffer, &barrier, {0, 1, 2});
    copies(map, buffer, &barrier, {0, 1, 2, 3});
    copies(map, buffer, &barrier, {0, 1, 2, 3, 4});
    bulk_load(buffer, global, 64, &barrier);
    bulk_send(buffer, buffer, 64, &barrier, 1);
    bulk_store(global, buffer, 64);
    bulk_add(global, buffer, 64);
    bulk_commit();
    bulk_wait_read<1>();
    bulk_wait<0>();
}
