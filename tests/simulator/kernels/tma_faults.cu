#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

enum Fault {
    none,
    no_wait,
    no_mbarrier_fence,
    too_few_bytes,
    too_many_bytes,
    overwritten_in_flight,
    ends_in_flight,
    misaligned_box,
    wrong_rank,
    past_the_end,
    two_loads_at_once,
    unfenced_before_load
};

/// A load by thread 0 into shared memory that everybody reads.
__global__ void load(int fault, const __grid_constant__ TensorMap map, float* out) {
    auto* box = dynamic_shared_memory<float>();
    auto* barrier = reinterpret_cast<Mbarrier*>(box + 64);
    if (fault == unfenced_before_load) box[threadIdx.x] = 0;
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        if (fault != no_mbarrier_fence) fence_mbarrier_init();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expecting(barrier, fault == too_few_bytes ? 64 : fault == too_many_bytes || fault == two_loads_at_once ? 256 : 128);
        float* to = fault == misaligned_box ? box + 4 : fault == past_the_end ? box + 64 : box;
        if (fault == wrong_rank)
            tma_load(to, map, barrier, {0, 0});
        else
            tma_load(to, map, barrier, {0});
        if (fault == two_loads_at_once) tma_load(to, map, barrier, {0});
        if (fault == overwritten_in_flight) box[0] = 1;
    }
    if (fault == ends_in_flight) return;
    __syncthreads();
    if (fault != no_wait) mbarrier_wait(barrier, 0);
    out[threadIdx.x] = box[threadIdx.x];
}

enum StoreFault { no_fault, no_fence, fence_after_barrier, no_barrier, no_wait_at_end, overwritten, only_read_waited, no_commit };

/// A store by thread 0 of what everybody wrote.
__global__ void store(int fault, const __grid_constant__ TensorMap map, float* data) {
    auto* box = dynamic_shared_memory<float>();
    box[threadIdx.x] = 1;
    if (fault != no_fence && fault != fence_after_barrier) fence_proxy_async_shared();
    if (fault != no_barrier) __syncthreads();
    if (fault == fence_after_barrier) fence_proxy_async_shared();
    if (threadIdx.x == 0) {
        tma_store(map, box, {0});
        if (fault != no_commit) bulk_commit();
        if (fault == overwritten) box[0] = 2;
        if (fault == only_read_waited) bulk_wait_read<0>();
        if (fault != no_wait_at_end && fault != only_read_waited) bulk_wait<0>();
        if (fault == no_fault || fault == only_read_waited) data[1] = data[0] + 1;
    }
}

__global__ void bulk_misaligned(const float* in) {
    auto* box = dynamic_shared_memory<float>();
    auto* barrier = reinterpret_cast<Mbarrier*>(box + 64);
    mbarrier_init(barrier, 1);
    fence_mbarrier_init();
    bulk_load(box, in, 20, barrier);
}

TensorMap map_of(float* data) {
    TensorLayout layout;
    layout.data = data;
    layout.sizes[0] = 32;
    layout.box[0] = 32;
    return make_tensor_map(layout);
}

}  // namespace

extern "C" {
const char* fault_of_load(float* data, float* out, int fault) { return report_of(load, {{1}, {32}, 256 + 8}, fault, map_of(data), out); }
const char* fault_of_store(float* data, int fault) { return report_of(store, {{1}, {32}, 128}, fault, map_of(data), data); }
const char* fault_of_plain(float* data) { return report_of(bulk_misaligned, {{1}, {1}, 256 + 8}, data); }
}
}  // namespace pyengine::kernels
