#include "kernels/cuda/launch.h"

#include "csrc/check.h"
#include "csrc/cuda/runtime.h"

namespace pyengine::cuda {
namespace {

Dims dims(const dim3& size) { return {size.x, size.y, size.z}; }

}  // namespace

void check_launch(cudaError_t status, const void* kernel, const LaunchShape& shape) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // not the next call's
    const char* name = nullptr;
    if (cudaFuncGetName(&name, kernel) != cudaSuccess) name = "a kernel";
    fail<CudaError>("cuda: launch of ", name, " failed: ", cudaGetErrorName(status), ", ", cudaGetErrorString(status), ": grid ",
                    dims(shape.grid), ", block ", dims(shape.block), ", cluster ", dims(shape.cluster), ", ", shape.shared_bytes,
                    " bytes of dynamic shared memory");
}

}  // namespace pyengine::cuda
