#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

enum Fault {
    none,
    divergent_barrier,
    missing_arrival,
    shared_race,
    global_race,
    race_between_blocks,
    past_an_array,
    before_an_array,
    past_shared,
    misaligned,
    uninitialised_global,
    uninitialised_shared,
    wrong_mask,
    shuffle_from_outside,
    divergent_warp,
    recursion,
    trap
};

__device__ __attribute__((noinline)) int recurse(int depth) {
    volatile int room[256];
    room[depth % 256] = depth;
    return depth > 1000 ? room[0] : recurse(depth + 1) + room[depth % 256];
}

__global__ void faulty(int fault, int* data, const int* unwritten) {
    int* shared = dynamic_shared_memory<int>();
    const unsigned i = threadIdx.x;
    if (fault != uninitialised_shared) shared[i] = 0;
    __syncthreads();
    if (fault == divergent_barrier) {
        if (i < 32)
            __syncthreads();
        else
            __syncthreads();
    }
    if (fault == missing_arrival && i < 32) __syncwarp(i == 0 ? 3u : 0xfffffffeu);
    if (fault == missing_arrival) __syncthreads();
    if (fault == shared_race) shared[i / 2] = static_cast<int>(i);
    if (fault == global_race) data[i / 2] = static_cast<int>(i);
    if (fault == race_between_blocks) data[0] = static_cast<int>(blockIdx.x);
    if (fault == past_an_array) data[64 + i] = 1;
    if (fault == before_an_array) data[-1] = 1;
    if (fault == past_shared) shared[64] = 1;
    if (fault == misaligned) *reinterpret_cast<long long*>(data + 1) = 1;
    if (fault == uninitialised_global) data[i] = unwritten[i];
    if (fault == uninitialised_shared) data[i] = shared[i];
    if (fault == wrong_mask && i < 32) __ballot_sync(0xfffe, 1);
    if (fault == shuffle_from_outside && i < 16) data[i] = __shfl_sync(0xffff, static_cast<int>(i), 20);
    if (fault == divergent_warp && i < 32) i < 16 ? __any_sync(0xffffffffu, 1) : __all_sync(0xffffffffu, 1);
    if (fault == recursion) data[i] = recurse(0);
    if (fault == trap && i == 7) __trap();
}

/// Each lane's results, 16 for each of 32 lanes.
__global__ void warp(int* out) {
    const int lane = static_cast<int>(threadIdx.x);
    int* mine = out + 16 * lane;
    const unsigned all = 0xffffffffu, half = lane < 16 ? 0xffffu : 0xffff0000u;
    mine[0] = __shfl_sync(all, 10 * lane, 3);
    mine[1] = __shfl_sync(all, 10 * lane, lane + 1, 8);
    mine[2] = __shfl_up_sync(all, 10 * lane, 2);
    mine[3] = __shfl_down_sync(all, 10 * lane, 2);
    mine[4] = __shfl_xor_sync(all, 10 * lane, 5);
    mine[5] = static_cast<int>(__ballot_sync(half, lane % 3 == 0));
    mine[6] = __any_sync(half, lane == 4);
    mine[7] = __all_sync(half, lane < 16);
    mine[8] = __reduce_add_sync(half, lane);
    mine[9] = static_cast<int>(__reduce_min_sync(half, static_cast<unsigned>(lane)));
    mine[10] = static_cast<int>(__reduce_max_sync(half, static_cast<unsigned>(lane)));
    mine[11] = static_cast<int>(__match_any_sync(all, static_cast<unsigned>(lane % 4)));
    mine[12] = __syncthreads_count(lane % 3 == 0);
    mine[13] = __syncthreads_or(lane == 5);
    mine[14] = __syncthreads_and(lane == 5);
    mine[15] = static_cast<int>(__shfl_sync(all, static_cast<double>(lane) / 2, 7) * 2);
}

__global__ void atomics(int* sums, float* total) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(sums, 1);
    atomicSub(sums + 1, i);
    atomicMin(sums + 2, -i);
    atomicMax(sums + 3, i);
    atomicOr(sums + 4, 1 << i % 31);
    atomicAnd(sums + 5, ~(1 << i % 31));
    atomicCAS(sums + 6, 0, 1) == 0 ? atomicAdd(sums + 7, 1) : 0;
    atomicExch(sums + 8, 5);
    atomicAdd(total, 0.5f);
}

/// Block 0 sends a number to block 1 through a flag.
__global__ void message(volatile int* flag, int* number, int* out, int writer_fences, int reader_fences) {
    if (blockIdx.x == 0) {
        *number = 42;
        if (writer_fences) __threadfence();
        *flag = 1;
        return;
    }
    while (*flag == 0) {
    }
    if (reader_fences) __threadfence();
    *out = *number;
}

/// Blocks that wait for each other, each with static shared memory of its own.
__global__ void static_shared(int* arrived, int* out) {
    __shared__ int mine[2];
    mine[threadIdx.x] = static_cast<int>(10 * blockIdx.x + threadIdx.x);
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1);
        while (atomicAdd(arrived, 0) < static_cast<int>(gridDim.x)) {
        }
    }
    __syncthreads();
    out[2 * blockIdx.x + threadIdx.x] = mine[1 - threadIdx.x];
}

__global__ void nothing() {}

}  // namespace

extern "C" {
const char* fault(int* data, int* unwritten, int which) { return report_of(faulty, {{2}, {64}, 256}, which, data, unwritten); }
const char* warp_functions(int* out) { return report_of(warp, {{1}, {32}}, out); }
const char* count_atomically(int* sums, float* total) { return report_of(atomics, {{5}, {40}}, sums, total); }
const char* send(int* flag, int* number, int* out, int writer, int reader) {
    return report_of(message, {{2}, {1}}, flag, number, out, writer, reader);
}
const char* static_of_each_block(int* arrived, int* out) { return report_of(static_shared, {{4}, {2}}, arrived, out); }
const char* index_before_a_launch(int count) {
    static int sizes[3];
    for (int i = 0; i < count; ++i) sizes[i] = i;
    return report_of(nothing, {{1}, {1}});
}
const char* launch_shape(int grid, int block, int bytes, int cluster) {
    const auto size = [](int n) { return static_cast<unsigned>(n); };
    return report_of(nothing, {{size(grid)}, {size(block)}, static_cast<std::size_t>(bytes), {size(cluster)}});
}
}
}  // namespace pyengine::kernels
