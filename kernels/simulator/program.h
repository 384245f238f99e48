// What a program with CUDA kernels of its own needs beside them, where the simulator is the GPU: launches, memory, events. Included by
// pyengine.simulator in front of the program, whose name<<<grid, block>>>(...) has become configured(name, grid, block)(...).
#pragma once

#include <cassert>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/simulator/cuda.h"
#include "kernels/simulator/launch.h"
#include "kernels/simulator/memory.h"

namespace pyengine::simulator {

struct Size : Dim3 {
    Size(int x) : Dim3{static_cast<unsigned>(x)} {}
    Size(unsigned x) : Dim3{x} {}
    Size(std::size_t x) : Dim3{static_cast<unsigned>(x)} {}
    Size(Dim3 size) : Dim3(size) {}
};

template <typename... Parameters>
auto configured(void (*kernel)(Parameters...), Size grid, Size block, std::size_t shared_bytes = 0, int = 0) {
    return [=](std::type_identity_t<Parameters>... arguments) { launch(kernel, LaunchShape{grid, block, shared_bytes, {}}, arguments...); };
}

/// extern __shared__ T name[]; outside of kernels: in each, the block's dynamic shared memory.
template <typename T>
struct DynamicShared {
    operator T*() const { return static_cast<T*>(shared_memory()); }
};

}  // namespace pyengine::simulator

/// What assert calls: in a kernel, a report.
extern "C" [[noreturn]] inline __attribute__((visibility("hidden"))) void __assert_fail(const char* condition, const char* file,
                                                                                        unsigned line, const char*) noexcept {
    ::pyengine::simulator::fail_assertion(condition, file, line);
}

// The runtime's functions, as far as small programs go. What goes wrong in a kernel ends the program with a report, so all of these succeed.
enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation };
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
using cudaStream_t = int;
using cudaEvent_t = std::chrono::steady_clock::time_point*;

template <typename T>
cudaError_t cudaMalloc(T** data, std::size_t bytes) {
    *data = static_cast<T*>(::pyengine::simulator::allocate(bytes));
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* data) {
    if (!data) return cudaSuccess;
    ::pyengine::simulator::check_device_memory("cudaFree", data, 0);
    return ::pyengine::simulator::deallocate(data), cudaSuccess;
}
template <typename T>
cudaError_t cudaMallocHost(T** data, std::size_t bytes) {
    *data = static_cast<T*>(std::malloc(bytes));
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFreeHost(void* data) { return std::free(data), cudaSuccess; }
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    using namespace ::pyengine::simulator;
    const bool known = kind != cudaMemcpyDefault;
    const bool to_device = known ? kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice : find_allocation(to) != nullptr;
    const bool from_device = known ? kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice : find_allocation(from) != nullptr;
    to_device ? check_device_memory("cudaMemcpy", to, bytes) : check_host_memory("cudaMemcpy", to);
    from_device ? check_device_memory("cudaMemcpy", from, bytes) : check_host_memory("cudaMemcpy", from);
    to_device ? copy_to_device(to, from, bytes) : copy_to_host(to, from, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t = 0) {
    return cudaMemcpy(to, from, bytes, kind);
}
inline cudaError_t cudaMemset(void* data, int value, std::size_t bytes) {
    ::pyengine::simulator::check_device_memory("cudaMemset", data, bytes);
    void* filled = std::malloc(bytes);
    std::memset(filled, value, bytes);
    ::pyengine::simulator::copy_to_device(data, filled, bytes);
    return std::free(filled), cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t error) { return error == cudaSuccess ? "no error" : "out of memory"; }
inline cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = new std::chrono::steady_clock::time_point, cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t = 0) { return *event = std::chrono::steady_clock::now(), cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    *milliseconds = std::chrono::duration<float, std::milli>(*end - *start).count();  // the simulator's: it says nothing about a GPU
    return cudaSuccess;
}
