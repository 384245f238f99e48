// Addresses of shared memory as PTX instructions take them: 32 bits, counted from the beginning of the block's shared memory.
#pragma once

#include "kernels/cuda/cuda.h"
#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/fence.h"
#endif

namespace pyengine::kernels {
namespace {

/// In the simulator only dynamic shared memory has such addresses.
__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
#ifdef PYENGINE_SIMULATED
    return simulator::shared_address(pointer);
#else
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
#endif
}

}  // namespace
}  // namespace pyengine::kernels
