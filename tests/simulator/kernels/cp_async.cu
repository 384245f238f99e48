#include "kernels/cuda/primitives/cp_async.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

/// out = in, through shared memory; of each copy only `given` bytes, then zeros.
template <int bytes>
__global__ void copy(const std::byte* in, std::byte* out, int given) {
    __shared__ __align__(16) std::byte buffer[32 * bytes];
    const int at = bytes * static_cast<int>(threadIdx.x), other = bytes * (31 - static_cast<int>(threadIdx.x));
    cp_async<bytes>(buffer + at, in + at, given);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    for (int i = 0; i < bytes; ++i) out[other + i] = buffer[other + i];
}

/// Two stages, of which the first is used while the second is under way.
__global__ void pipeline(const int* in, int* out, int wait_for_all) {
    __shared__ int stages[2][32];
    for (int stage = 0; stage < 2; ++stage) {
        cp_async<4>(stages[stage] + threadIdx.x, in + 32 * stage + threadIdx.x);
        cp_async_commit();
    }
    cp_async_wait<1>();
    out[threadIdx.x] = stages[0][threadIdx.x];
    if (wait_for_all) cp_async_wait<0>();
    out[32 + threadIdx.x] = stages[1][threadIdx.x];
}

__global__ void no_commit(const int* in, int* out) {
    __shared__ int buffer[32];
    cp_async<4>(buffer + threadIdx.x, in + threadIdx.x);
    cp_async_wait<0>();
    out[threadIdx.x] = buffer[threadIdx.x];
}

__global__ void no_barrier(const int* in, int* out) {
    __shared__ int buffer[32];
    buffer[threadIdx.x] = 0;
    __syncthreads();
    cp_async<4>(buffer + threadIdx.x, in + threadIdx.x);
    cp_async_commit();
    cp_async_wait<0>();
    out[threadIdx.x] = buffer[(threadIdx.x + 31) % 32];
}

__global__ void source_overwritten(int* in, int* out) {
    __shared__ int buffer[32];
    cp_async<4>(buffer + threadIdx.x, in + threadIdx.x);
    cp_async_commit();
    in[threadIdx.x] = 0;
    cp_async_wait<0>();
    out[threadIdx.x] = buffer[threadIdx.x];
}

__global__ void no_wait(const int* in, int* out) {
    __shared__ int buffer[32];
    cp_async<4>(buffer + threadIdx.x, in + threadIdx.x);
    cp_async_commit();
    out[threadIdx.x] = 0;
}

__global__ void misaligned(const int* in, int* out) {
    __shared__ __align__(16) int buffer[32];
    cp_async<8>(buffer + 2, in + 1);
    out[threadIdx.x] = 0;
}

}  // namespace

extern "C" {
const char* copy_4(std::byte* in, std::byte* out, int given) { return report_of(copy<4>, {{1}, {32}}, in, out, given); }
const char* copy_8(std::byte* in, std::byte* out, int given) { return report_of(copy<8>, {{1}, {32}}, in, out, given); }
const char* copy_16(std::byte* in, std::byte* out, int given) { return report_of(copy<16>, {{1}, {32}}, in, out, given); }
const char* two_stages(int* in, int* out, int wait_for_all) { return report_of(pipeline, {{1}, {32}}, in, out, wait_for_all); }
const char* fault_no_commit(int* in, int* out) { return report_of(no_commit, {{1}, {32}}, in, out); }
const char* fault_no_barrier(int* in, int* out) { return report_of(no_barrier, {{1}, {32}}, in, out); }
const char* fault_source_overwritten(int* in, int* out) { return report_of(source_overwritten, {{1}, {32}}, in, out); }
const char* fault_no_wait(int* in, int* out) { return report_of(no_wait, {{1}, {32}}, in, out); }
const char* fault_misaligned(int* in, int* out) { return report_of(misaligned, {{1}, {32}}, in, out); }
}
}  // namespace pyengine::kernels
