#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

/// A layout as tests/simulator/test_tma.py writes it down.
TensorLayout layout_of(const std::int64_t* p, void* data) {
    TensorLayout t;
    t.data = data;
    t.type = static_cast<ElementType>(*p++);
    t.rank = static_cast<int>(*p++);
    t.swizzle = static_cast<Swizzle>(*p++);
    for (auto& size : t.sizes) size = static_cast<std::uint64_t>(*p++);
    for (auto& stride : t.strides) stride = static_cast<std::uint64_t>(*p++);
    for (auto& size : t.box) size = static_cast<std::uint32_t>(*p++);
    t.im2col = *p++ != 0;
    for (auto& corner : t.lower) corner = static_cast<std::int32_t>(*p++);
    for (auto& corner : t.upper) corner = static_cast<std::int32_t>(*p++);
    for (auto& step : t.steps) step = static_cast<std::uint32_t>(*p++);
    t.channels = static_cast<std::uint32_t>(*p++);
    t.pixels = static_cast<std::uint32_t>(*p++);
    return t;
}

struct Where {
    int at[5];
    std::uint16_t by[3];
};

Where where_of(const int* p) {
    return {{p[0], p[1], p[2], p[3], p[4]},
            {static_cast<std::uint16_t>(p[5]), static_cast<std::uint16_t>(p[6]), static_cast<std::uint16_t>(p[7])}};
}

template <int rank>
__device__ void load_box(const TensorMap& map, const Where& where, void* to, Mbarrier* barrier) {
    int at[rank];
    for (int i = 0; i < rank; ++i) at[i] = where.at[i];
    if constexpr (rank >= 3)
        if (map.im2col) {
            std::uint16_t by[rank - 2];
            for (int i = 0; i < rank - 2; ++i) by[i] = where.by[i];
            return tma_load_im2col(to, map, barrier, at, by);
        }
    tma_load(to, map, barrier, at);
}

/// The bytes of a box as they come to lie in shared memory.
template <int rank>
__global__ void load(const __grid_constant__ TensorMap map, Where where, unsigned bytes, uint4* out) {
    auto* box = dynamic_shared_memory<uint4>();
    __shared__ int unrelated;
    auto* barrier = reinterpret_cast<Mbarrier*>(reinterpret_cast<std::byte*>(box) + bytes);
    if (threadIdx.x == 0) {
        unrelated = 1;
        mbarrier_init(barrier, 1);
        fence_mbarrier_init();
        mbarrier_arrive_expecting(barrier, bytes);
        load_box<rank>(map, where, box, barrier);
    }
    __syncthreads();
    mbarrier_wait(barrier, 0);
    for (unsigned i = threadIdx.x; i < bytes / 16; i += blockDim.x) out[i] = box[i];
}

/// tensor[where] = in, or += in.
template <int rank>
__global__ void store(const __grid_constant__ TensorMap map, Where where, unsigned bytes, const uint4* in, int adds) {
    auto* box = dynamic_shared_memory<uint4>();
    for (unsigned i = threadIdx.x; i < bytes / 16; i += blockDim.x) box[i] = in[i];
    fence_proxy_async_shared();
    __syncthreads();
    if (threadIdx.x != 0) return;
    int at[rank];
    for (int i = 0; i < rank; ++i) at[i] = where.at[i];
    adds ? tma_add(map, box, at) : tma_store(map, box, at);
    bulk_commit();
    bulk_wait_read<0>();
}

/// Each of two blocks loads one half of a row of 32 floats for both.
__global__ void multicast(const __grid_constant__ TensorMap map, float* out) {
    auto* box = dynamic_shared_memory<float>();
    auto* barrier = reinterpret_cast<Mbarrier*>(box + 64);
    if (threadIdx.x == 0) {
        mbarrier_init(barrier, 1);
        fence_mbarrier_init();
        mbarrier_arrive_expecting(barrier, 256);
    }
    cluster_arrive();
    cluster_wait();
    const int half = static_cast<int>(cluster_rank());
    if (threadIdx.x == 0) tma_load_multicast(box + 32 * half, map, barrier, {32 * half}, 3);
    mbarrier_wait(barrier, 0);
    for (int i = 0; i < 2; ++i) out[64 * blockIdx.x + 32 * i + threadIdx.x] = box[32 * i + threadIdx.x];
    cluster_arrive();
    cluster_wait();
}

/// Plain bytes: in from global memory, on to the other block, out by a store or an add.
__global__ void plain(const float* in, float* out, int adds) {
    auto* box = dynamic_shared_memory<float>();
    auto* barriers = reinterpret_cast<Mbarrier*>(box + 64);
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2; ++i) {
            mbarrier_init(barriers + i, 1);
            mbarrier_arrive_expecting(barriers + i, 128);
        }
        fence_mbarrier_init();
    }
    cluster_arrive();
    cluster_wait();
    if (threadIdx.x == 0) {
        bulk_load(box, in + 32 * blockIdx.x, 128, barriers);
        mbarrier_wait(barriers, 0);
        bulk_send(box + 32, box, 128, barriers + 1, cluster_rank() ^ 1);
        mbarrier_wait(barriers + 1, 0);
        if (adds)
            bulk_add(out + 32 * blockIdx.x, box + 32, 128);
        else
            bulk_store(out + 32 * blockIdx.x, box + 32, 128);
        bulk_commit();
        bulk_wait<0>();
    }
    cluster_arrive();
    cluster_wait();
}

template <typename F>
const char* with_rank(const std::int64_t* layout, void* data, F f) {
    static thread_local char message[400];
    try {
        const TensorMap map = make_tensor_map(layout_of(layout, data));
        switch (map.rank) {
            case 1: return f.template operator()<1>(map);
            case 2: return f.template operator()<2>(map);
            case 3: return f.template operator()<3>(map);
            case 4: return f.template operator()<4>(map);
            default: return f.template operator()<5>(map);
        }
    } catch (const std::invalid_argument& error) {
        __builtin_strncpy(message, error.what(), sizeof message - 1);
        return message;
    }
}

}  // namespace

extern "C" {
const char* load_box(void* data, const std::int64_t* layout, const int* where, uint4* out) {
    return with_rank(layout, data, [&]<int rank>(const TensorMap& map) {
        const unsigned bytes = copied_bytes(map);
        return report_of(load<rank>, {{1}, {64}, bytes + 8}, map, where_of(where), bytes, out);
    });
}

const char* store_box(void* data, const std::int64_t* layout, const int* where, const uint4* in, int adds) {
    return with_rank(layout, data, [&]<int rank>(const TensorMap& map) {
        const unsigned bytes = copied_bytes(map);
        return report_of(store<rank>, {{1}, {64}, bytes}, map, where_of(where), bytes, in, adds);
    });
}

const char* load_multicast(float* data, float* out) {
    TensorLayout layout;
    layout.data = data;
    layout.sizes[0] = 64;
    layout.box[0] = 32;
    return report_of(multicast, {{2}, {32}, 256 + 8, {2}}, make_tensor_map(layout), out);
}

const char* copy_plain(const float* in, float* out, int adds) { return report_of(plain, {{2}, {32}, 256 + 16, {2}}, in, out, adds); }
}
}  // namespace pyengine::kernels
