// The CUDA runtime without a GPU, as far as csrc/cuda calls it: one device of 1 MB, streams that run nothing, and the rules of capture.
#include "tests/cuda/fake_runtime.h"

#include <cstdlib>
#include <map>

struct CUstream_st {
    bool captured = false, broken = false;
};
struct CUevent_st {
    bool captured = false;
};

namespace {

constexpr std::size_t capacity = 1 << 20;
std::map<void*, std::size_t> blocks;
std::size_t held = 0;

bool captured(cudaStream_t stream) { return stream && stream->captured; }

/// Nobody can wait for recorded work, and who tries spoils the recording.
cudaError_t wait(cudaStream_t stream) {
    if (!captured(stream)) return cudaSuccess;
    stream->broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

}  // namespace

namespace fake {
bool busy = false;
std::set<void*> freed;
std::vector<Launch> launches;
}  // namespace fake

namespace pyengine {

namespace cuda {
cudaStream_t current_stream();
}

template <>
void kernels::keep_first<Isa::cuda>(const std::int64_t*, std::int64_t*) {
    fake::launches.push_back({cuda::current_stream(), captured(cuda::current_stream())});
}

std::ostream& operator<<(std::ostream& out, Device) { return out << "cuda"; }

}  // namespace pyengine

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return fake::busy = false, cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "error"; }
const char* cudaGetErrorString(cudaError_t) { return "fault"; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int) { return cudaSuccess; }
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode*) { return cudaSuccess; }
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* where, const void*) { return *where = {}, cudaSuccess; }
cudaError_t cudaMemcpyAsync(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaMemsetAsync(void*, int, std::size_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = capacity - held;
    *total = capacity;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, std::size_t size) {
    if (held + size > capacity) return cudaErrorMemoryAllocation;
    *data = std::malloc(size);
    blocks[*data] = size;
    held += size;
    return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
    held -= blocks.at(data);
    blocks.erase(data);
    fake::freed.insert(data);  // the address stays taken, so that no other block gets it
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** data, std::size_t size, unsigned) { return *data = std::malloc(size), cudaSuccess; }
cudaError_t cudaFreeHost(void* data) { return std::free(data), cudaSuccess; }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return *stream = new CUstream_st, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return wait(stream); }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return wait(stream); }

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    if (event->captured && stream) stream->captured = true;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (!stream) return cudaErrorStreamCaptureUnsupported;
    stream->captured = true;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    stream->captured = false;
    *graph = stream->broken ? nullptr : reinterpret_cast<cudaGraph_t>(1);
    return stream->broken ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    *status = captured(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new CUevent_st, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) { return event->captured = captured(stream), cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float*, cudaEvent_t, cudaEvent_t) { return cudaSuccess; }

cudaError_t cudaEventQuery(cudaEvent_t event) {
    if (event->captured) return cudaErrorCapturedEvent;
    return fake::busy ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t, unsigned long long) {
    *executable = reinterpret_cast<cudaGraphExec_t>(1);
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

}  // extern "C"
