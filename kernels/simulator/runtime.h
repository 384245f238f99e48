// The functions of CUDA's runtime that programs call from the CPU, as far as small ones go. What goes wrong in a kernel ends the program with
// a report, so nearly all of these succeed. There is one device, an sm_90, and every stream does at once what it is given.
#pragma once

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "kernels/simulator/launch.h"
#include "kernels/simulator/memory.h"

enum cudaError_t {
    cudaSuccess,
    cudaErrorInvalidValue,
    cudaErrorMemoryAllocation,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorNotReady = 600
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = std::chrono::steady_clock::time_point*;

inline const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return "cudaSuccess";
        case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
        case cudaErrorNotReady: return "cudaErrorNotReady";
    }
    return "unrecognized error code";
}
inline const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return "no error";
        case cudaErrorInvalidValue: return "invalid argument";
        case cudaErrorMemoryAllocation: return "out of memory";
        case cudaErrorInvalidConfiguration: return "invalid configuration argument";
        case cudaErrorNotReady: return "device not ready";
    }
    return "unrecognized error code";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }

// Memory -------------------------------------------------------------------------------------------------------------------------------------

template <typename T>
cudaError_t cudaMalloc(T** data, std::size_t bytes) {
    *data = static_cast<T*>(::pyengine::simulator::allocate(bytes));
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
/// The CPU writes there unseen, so that every byte counts as written.
template <typename T>
cudaError_t cudaMallocManaged(T** data, std::size_t bytes, unsigned = 1) {
    if (cudaMalloc(data, bytes) != cudaSuccess) return cudaErrorMemoryAllocation;
    std::memset(static_cast<void*>(*data), 0, bytes);
    ::pyengine::simulator::mark_written(*data, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaFree(void* data) {
    if (!data) return cudaSuccess;
    ::pyengine::simulator::check_allocated("cudaFree", data);
    return ::pyengine::simulator::deallocate(data), cudaSuccess;
}
template <typename T>
cudaError_t cudaMallocHost(T** data, std::size_t bytes, unsigned = 0) {
    *data = static_cast<T*>(std::malloc(bytes));
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
template <typename T>
cudaError_t cudaHostAlloc(T** data, std::size_t bytes, unsigned) {
    return cudaMallocHost(data, bytes);
}
inline cudaError_t cudaFreeHost(void* data) { return std::free(data), cudaSuccess; }
template <typename T>
cudaError_t cudaMallocAsync(T** data, std::size_t bytes, cudaStream_t) {
    return cudaMalloc(data, bytes);
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t) { return cudaFree(data); }

inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    using namespace ::pyengine::simulator;
    const bool known = kind != cudaMemcpyDefault;
    const bool to_device = known ? kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice : find_allocation(to) != nullptr;
    const bool from_device = known ? kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice : find_allocation(from) != nullptr;
    to_device ? check_device_memory("cudaMemcpy", to, bytes) : check_host_memory("cudaMemcpy", to);
    from_device ? check_device_memory("cudaMemcpy", from, bytes) : check_host_memory("cudaMemcpy", from);
    if (to_device && from_device)
        copy_on_device(to, from, bytes);
    else if (to_device)
        copy_to_device(to, from, bytes);
    else {
        if (from_device) check_written("cudaMemcpy", from, bytes);
        copy_to_host(to, from, bytes);
    }
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t = nullptr) {
    return cudaMemcpy(to, from, bytes, kind);
}
inline cudaError_t cudaMemset(void* data, int value, std::size_t bytes) {
    ::pyengine::simulator::check_device_memory("cudaMemset", data, bytes);
    std::memset(data, value, bytes);
    ::pyengine::simulator::mark_written(data, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t = nullptr) {
    return cudaMemset(data, value, bytes);
}
inline cudaError_t cudaMemPrefetchAsync(const void*, std::size_t, int, cudaStream_t = nullptr) { return cudaSuccess; }

template <typename T>
cudaError_t cudaGetSymbolAddress(void** address, const T& symbol) {
    ::pyengine::simulator::check_device_memory("cudaGetSymbolAddress", &symbol, sizeof symbol);
    return *address = const_cast<void*>(static_cast<const void*>(&symbol)), cudaSuccess;
}
template <typename T>
cudaError_t cudaMemcpyToSymbol(const T& symbol, const void* from, std::size_t bytes, std::size_t offset = 0,
                               cudaMemcpyKind kind = cudaMemcpyHostToDevice) {
    ::pyengine::simulator::check_device_memory("cudaMemcpyToSymbol", &symbol, offset + bytes);
    return cudaMemcpy(const_cast<char*>(reinterpret_cast<const char*>(&symbol)) + offset, from, bytes, kind);
}
template <typename T>
cudaError_t cudaMemcpyFromSymbol(void* to, const T& symbol, std::size_t bytes, std::size_t offset = 0,
                                 cudaMemcpyKind kind = cudaMemcpyDeviceToHost) {
    ::pyengine::simulator::check_device_memory("cudaMemcpyFromSymbol", &symbol, offset + bytes);
    return cudaMemcpy(to, reinterpret_cast<const char*>(&symbol) + offset, bytes, kind);
}

// Kernels ------------------------------------------------------------------------------------------------------------------------------------

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout = 9 };
enum cudaFuncCache { cudaFuncCachePreferNone, cudaFuncCachePreferShared, cudaFuncCachePreferL1, cudaFuncCachePreferEqual };

template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute attribute, int value) {
    if (value < 0) return cudaErrorInvalidValue;
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize)
        ::pyengine::simulator::allow_shared_memory(reinterpret_cast<const void*>(kernel), static_cast<std::size_t>(value));
    return cudaSuccess;
}
template <typename Kernel>
cudaError_t cudaFuncSetCacheConfig(Kernel*, cudaFuncCache) {
    return cudaSuccess;
}

// The device ---------------------------------------------------------------------------------------------------------------------------------

struct cudaDeviceProp {
    char name[256] = "the simulator";
    std::size_t totalGlobalMem = std::size_t{80} << 30, totalConstMem = 65536;
    std::size_t sharedMemPerBlock = 49152, sharedMemPerBlockOptin = 232448, sharedMemPerMultiprocessor = 233472;
    int regsPerBlock = 65536, regsPerMultiprocessor = 65536, warpSize = 32;
    int maxThreadsPerBlock = 1024, maxThreadsPerMultiProcessor = 2048, maxBlocksPerMultiProcessor = 32;
    int maxThreadsDim[3] = {1024, 1024, 64}, maxGridSize[3] = {2147483647, 65535, 65535};
    int major = 9, minor = 0, multiProcessorCount = 132, l2CacheSize = 52428800;
    int clockRate = 1980000, memoryClockRate = 2619000, memoryBusWidth = 5120;
    int integrated = 0, canMapHostMemory = 1, concurrentKernels = 1, asyncEngineCount = 3, unifiedAddressing = 1, managedMemory = 1;
    int concurrentManagedAccess = 1, cooperativeLaunch = 0;
};
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) { return *properties = {}, cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }
inline cudaError_t cudaDeviceReset() { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }

// Streams and events -------------------------------------------------------------------------------------------------------------------------

enum { cudaStreamDefault = 0, cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2 };
enum { cudaMemAttachGlobal = 1, cudaHostAllocDefault = 0 };

inline cudaError_t cudaStreamCreate(cudaStream_t* stream) { return *stream = nullptr, cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned = 0) { return cudaSuccess; }
inline cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = new std::chrono::steady_clock::time_point, cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
inline cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t = nullptr) {
    return *event = std::chrono::steady_clock::now(), cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    *milliseconds = std::chrono::duration<float, std::milli>(*end - *start).count();  // the simulator's: it says nothing about a GPU
    return cudaSuccess;
}
