// The GPUs of this machine: which there are, and the thread's current one. The driver is looked for when first asked; without it there are
// no GPUs, and why_none says why.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "csrc/check.h"

namespace pyengine::cuda {

/// What CUDA reports: the call or kernel that failed, and why.
struct CudaError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Raises CudaError unless `status` is success.
void check(cudaError_t status, const char* call);

int device_count();
std::string why_none();

/// Makes a GPU the thread's current one, and afterwards the one before.
class DeviceGuard {
public:
    explicit DeviceGuard(int device);
    ~DeviceGuard();
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;

private:
    int before_ = 0;
};

/// Waits until the GPU has done all it was given.
void synchronize(int device);

struct Properties {
    std::string name;
    int major, minor, multiprocessors;
    std::size_t memory;
};
Properties properties(int device);

}  // namespace pyengine::cuda
