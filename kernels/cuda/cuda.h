// What every kernel of this folder includes: CUDA C++, from nvcc or from the simulator, and what starts a kernel.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/cuda.h"
#include "kernels/simulator/launch.h"
#else
#include "kernels/cuda/launch.h"
#endif

#include "kernels/level.h"

namespace pyengine::kernels {
namespace {

#ifdef PYENGINE_SIMULATED
using simulator::launch;
using simulator::LaunchShape;
#else
using cuda::launch;
using cuda::LaunchShape;
#endif

/// Blocks of `threads` for `count` elements; at most as many as keep a large GPU busy, so that each thread loops: see each_index.
[[maybe_unused]] LaunchShape shape_for(std::int64_t count, unsigned threads = 256) {
    const std::int64_t blocks = (count + threads - 1) / threads, most = 132 * 16;
    return {{static_cast<unsigned>(blocks < most ? blocks : most)}, {threads}};
}

/// Calls visit(i) for this thread's share of [0, count): with the stride of the grid.
template <typename Visit>
__device__ void each_index(std::int64_t count, Visit visit) {
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) visit(i);
}

/// The block's dynamic shared memory, aligned to 1024 bytes.
template <typename T>
__device__ T* dynamic_shared_memory() {
#ifdef PYENGINE_SIMULATED
    return static_cast<T*>(simulator::shared_memory());
#else
    extern __shared__ __align__(1024) unsigned char bytes[];
    return reinterpret_cast<T*>(bytes);
#endif
}

}  // namespace
}  // namespace pyengine::kernels
