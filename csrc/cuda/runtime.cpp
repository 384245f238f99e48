#include "csrc/cuda/runtime.h"

#include "csrc/cuda/stream.h"

namespace pyengine::cuda {
namespace {

struct Found {
    int count = 0;
    std::string why_none;
};

const Found& found() {
    static const Found result = [] {
        Found f;
        const cudaError_t status = cudaGetDeviceCount(&f.count);
        if (status != cudaSuccess) {
            f.count = 0;
            f.why_none = cudaGetErrorString(status);
            cudaGetLastError();  // not the next call's
        } else if (f.count == 0) {
            f.why_none = "the driver finds no GPU";
        }
        return f;
    }();
    return result;
}

}  // namespace

void check(cudaError_t status, const char* call) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // not the next call's
    fail<CudaError>("cuda: ", call, " failed: ", cudaGetErrorName(status), ", ", cudaGetErrorString(status));
}

int device_count() { return found().count; }
std::string why_none() { return found().why_none; }

DeviceGuard::DeviceGuard(int device) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (before_ != device) check(cudaSetDevice(device), "cudaSetDevice");
}

DeviceGuard::~DeviceGuard() { cudaSetDevice(before_); }

void synchronize(int device) {
    const DeviceGuard guard(device);
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    raise_faults_of_replays();
}

Properties properties(int device) {
    cudaDeviceProp p{};
    check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    return {p.name, p.major, p.minor, p.multiProcessorCount, p.totalGlobalMem};
}

}  // namespace pyengine::cuda
