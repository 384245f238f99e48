#include "kernels/cuda/primitives/fence.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

/// Warps 0 and 1 meet at barrier 1, which warp 2 only arrives at; the sums of what they wrote.
__global__ void named(int* out, int with_barrier) {
    __shared__ int parts[96];
    parts[threadIdx.x] = static_cast<int>(threadIdx.x);
    if (with_barrier && threadIdx.x >= 64) return barrier_arrive(1, 96);
    if (with_barrier) barrier_sync(1, 96);
    if (threadIdx.x >= 64) return;
    int sum = 0;
    for (int i = 0; i < 96; ++i) sum += parts[i];
    out[threadIdx.x] = sum;
}

/// Each block reads what the next one of its cluster wrote.
__global__ void neighbours(int* out, int relaxed) {
    int* mine = dynamic_shared_memory<int>();
    *mine = static_cast<int>(10 * blockIdx.x);
    relaxed ? cluster_arrive_relaxed() : cluster_arrive();
    cluster_wait();
    out[blockIdx.x] = *map_to_rank(mine, (cluster_rank() + 1) % cluster_size());
    cluster_arrive();
    cluster_wait();
}

__global__ void leaves_early(int* out) {
    int* mine = dynamic_shared_memory<int>();
    *mine = 1;
    cluster_arrive();
    cluster_wait();
    if (cluster_rank() == 1) return;
    for (int i = 0; i < 1000; ++i) __nanosleep(1);
    out[0] = *map_to_rank(mine, 1);
}

/// One warp group gives registers to the other two.
template <int given, int taken>
__global__ void registers(int* out) {
    if (threadIdx.x < 128)
        give_registers<given>();
    else
        take_registers<taken>();
    out[threadIdx.x] = 1;
}

enum Fault { counts_differ, number_16, missing_thread, arrives_twice, waits_first, takes_fewer, rank_too_large };

__global__ void faulty(int fault, int* out) {
    int* mine = dynamic_shared_memory<int>();
    if (threadIdx.x == 0) *mine = 0;
    if (fault == counts_differ) barrier_sync(1, threadIdx.x < 32 ? 64 : 96);
    if (fault == number_16) barrier_sync(16, 64);
    if (fault == missing_thread) barrier_sync(2, 96);
    if (fault == arrives_twice) cluster_arrive(), cluster_arrive();
    if (fault == waits_first) cluster_wait();
    if (fault == takes_fewer) take_registers<24>();
    if (fault == rank_too_large) *map_to_rank(mine, 2) = 1;
    out[threadIdx.x] = 0;
}

}  // namespace

extern "C" {
const char* named_barrier(int* out, int with_barrier) { return report_of(named, {{1}, {96}}, out, with_barrier); }
const char* read_neighbours(int* out, int relaxed) { return report_of(neighbours, {{6}, {1}, 4, {3}}, out, relaxed); }
const char* fault_leaves_early(int* out) { return report_of(leaves_early, {{2}, {1}, 4, {2}}, out); }
const char* registers_fit(int* out) { return report_of(registers<24, 240>, {{1}, {384}}, out); }
const char* fault_registers(int* out) { return report_of(registers<40, 240>, {{1}, {384}}, out); }
const char* fault(int* out, int which) { return report_of(faulty, {{1}, {64}, 4}, which, out); }
}
}  // namespace pyengine::kernels
