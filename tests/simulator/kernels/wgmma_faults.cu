#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
#include "kernels/cuda/primitives/wgmma.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

enum Fault {
    none,
    no_fence,
    touched_after_fence,
    read_before_wait,
    factor_overwritten,
    no_proxy_fence,
    no_barrier,
    no_wait,
    no_commit,
    shared_overwritten,
    half_of_the_group,
    other_operands,
    past_the_end,
    inside_the_pattern,
    base_offset,
    stride_inside_the_pattern,
    no_fence_after_wait
};

__global__ void faulty(int fault, float* out) {
    auto* shared = dynamic_shared_memory<std::uint32_t>();
    for (unsigned i = threadIdx.x; i < 2048; i += blockDim.x) shared[i] = 0;
    __syncthreads();
    for (unsigned i = threadIdx.x; i < 2048; i += blockDim.x) shared[i] = i;
    if (fault != no_proxy_fence) fence_proxy_async_shared();
    if (fault != no_barrier) __syncthreads();
    const std::uint32_t* from = fault == past_the_end ? shared + 1792 : fault == inside_the_pattern ? shared + 64 : shared;
    if (fault == other_operands && threadIdx.x == 64) from = shared + 256;
    std::uint64_t b = wgmma_operand(from, Swizzle::bytes128, 0, fault == stride_inside_the_pattern ? 1040 : 1024);
    if (fault == base_offset) b |= std::uint64_t{1} << 49;
    float d[32] = {};
    std::uint32_t a[4] = {};
    if (fault != no_fence) wgmma_fence(d);
    if (fault == half_of_the_group && threadIdx.x >= 64) return;
    wgmma<bfloat16>(d, a, b, false);
    if (fault == touched_after_fence) {
        wgmma_commit();
        wgmma_wait<0>(d);
        wgmma_fence(d);
        d[3] = 1;
        wgmma<bfloat16>(d, a, b, true);
    }
    if (fault == no_fence_after_wait) {
        wgmma_commit();
        wgmma_wait<0>(d);
        wgmma<bfloat16>(d, a, b, true);
    }
    if (fault == read_before_wait) out[0] = d[0];
    if (fault == factor_overwritten) a[1] = 1;
    if (fault == shared_overwritten && threadIdx.x == 5) shared[0] = 1;
    if (fault != no_commit) wgmma_commit();
    if (fault == no_wait) return;
    wgmma_wait<0>(d);
    out[threadIdx.x] = d[0] + d[31];
}

/// 64 rows that TMA brings, or that threads write over what it brought.
__global__ void other_swizzle(const __grid_constant__ TensorMap map, int overwritten, float* out) {
    auto* shared = dynamic_shared_memory<std::uint32_t>();
    auto* barrier = reinterpret_cast<Mbarrier*>(shared + 2048);
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        fence_mbarrier_init();
        mbarrier_arrive_expecting(barrier, 8192);
        tma_load(shared, map, barrier, {0, 0});
    }
    __syncthreads();
    mbarrier_wait(barrier, 0);
    for (unsigned i = threadIdx.x; overwritten && i < 2048; i += blockDim.x) shared[i] = 0;
    fence_proxy_async_shared();
    __syncthreads();
    float d[32] = {};
    wgmma_fence(d);
    const std::uint64_t b = wgmma_operand(shared, Swizzle::bytes128, 0, 1024);
    wgmma<bfloat16>(d, b, b, false);
    wgmma_commit();
    wgmma_wait<0>(d);
    out[threadIdx.x] = d[0];
}

TensorMap map_of(void* data, Swizzle swizzle) {
    TensorLayout layout;
    layout.data = data;
    layout.type = ElementType::bfloat16;
    layout.rank = 2;
    layout.sizes[0] = layout.sizes[1] = layout.box[0] = layout.box[1] = 64;
    layout.strides[1] = 128;
    layout.swizzle = swizzle;
    return make_tensor_map(layout);
}

}  // namespace

extern "C" {
const char* fault_of_swizzle(std::uint16_t* data, float* out, int swizzle, int overwritten) {
    return report_of(other_swizzle, {{1}, {128}, 8192 + 8}, map_of(data, static_cast<Swizzle>(swizzle)), overwritten, out);
}
const char* fault(float* out, int which, int threads) {
    return report_of(faulty, {{1}, {static_cast<unsigned>(threads)}, 8192}, which, out);
}
}
}  // namespace pyengine::kernels
