// Starts kernels on the GPU: on the current stream, every return code checked.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <type_traits>

namespace pyengine::cuda {

struct LaunchShape {
    dim3 grid, block;
    std::size_t shared_bytes = 0;  // dynamic shared memory
    dim3 cluster{1, 1, 1};
};

// The engine defines these: csrc/cuda.

/// Raises CudaError, which names the call, unless `status` is success.
void check(cudaError_t status, const char* call);
/// Raises CudaError, which names the kernel and its launch, unless `status` is success.
void check_launch(cudaError_t status, const void* kernel, const LaunchShape& shape);
cudaStream_t current_stream();

template <typename... Parameters>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, std::type_identity_t<Parameters>... arguments) {
    constexpr std::size_t granted = 48 << 10;  // more shared memory than this must be asked for
    const auto* function = reinterpret_cast<const void*>(kernel);
    if (shape.shared_bytes > granted)
        check_launch(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes)),
                     function, shape);
    cudaLaunchAttribute cluster{};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {shape.cluster.x, shape.cluster.y, shape.cluster.z};
    cudaLaunchConfig_t config{};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = current_stream();
    config.attrs = &cluster;
    config.numAttrs = shape.cluster.x * shape.cluster.y * shape.cluster.z > 1 ? 1 : 0;
    check_launch(cudaLaunchKernelEx(&config, kernel, arguments...), function, shape);
}

}  // namespace pyengine::cuda
