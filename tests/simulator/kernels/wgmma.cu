#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
#include "kernels/cuda/primitives/wgmma.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

struct Operand {
    unsigned start, swizzle, leading, stride;
};

__device__ int row_of(int i) { return 16 * (threadIdx.x / 32) + threadIdx.x % 32 / 4 + 8 * (i / 2 % 2); }
__device__ int column_of(int i) { return 8 * (i / 4) + 2 * (threadIdx.x % 4) + i % 2; }

__device__ std::uint64_t descriptor(std::byte* shared, const Operand& operand) {
    return wgmma_operand(shared + operand.start, static_cast<Swizzle>(operand.swizzle), operand.leading, operand.stride);
}

/// D = A B + D from an image of shared memory; A also as words, row by row, for registers.
template <typename T, int n, bool in_registers, Major a_major, Major b_major>
__global__ void product(const uint4* image, int bytes, Operand a, Operand b, const std::uint32_t* a_words, float* out) {
    auto* shared = dynamic_shared_memory<std::byte>();
    for (int i = threadIdx.x; i < bytes / 16; i += blockDim.x) reinterpret_cast<uint4*>(shared)[i] = image[i];
    fence_proxy_async_shared();
    __syncthreads();
    float d[n / 2];
    for (int i = 0; i < n / 2; ++i) d[i] = out[row_of(i) * n + column_of(i)];
    std::uint32_t words[4];
    for (int i = 0; i < 4; ++i) words[i] = a_words[8 * row_of(2 * i) + threadIdx.x % 4 + 4 * (i / 2)];
    wgmma_fence(d);
    if constexpr (in_registers)
        wgmma<T, b_major>(d, words, descriptor(shared, b), true);
    else
        wgmma<T, a_major, b_major>(d, descriptor(shared, a), descriptor(shared, b), true);
    wgmma_commit();
    wgmma_wait<0>(d);
    for (int i = 0; i < n / 2; ++i) out[row_of(i) * n + column_of(i)] = d[i];
}

template <typename T, int n>
const char* with_majors(int in_registers, int majors, const uint4* image, int bytes, const Operand* operands, std::uint32_t* a,
                        float* out) {
    const LaunchShape shape{{1}, {128}, static_cast<std::size_t>(bytes)};
    const auto run = [&]<bool registers, Major a_major, Major b_major> {
        return report_of(product<T, n, registers, a_major, b_major>, shape, image, bytes, operands[0], operands[1], a, out);
    };
    constexpr Major k = Major::k, mn = Major::mn;
    if constexpr (!std::is_same_v<T, float>) {
        if (in_registers && majors == 1) return run.template operator()<true, k, mn>();
        if (!in_registers && majors == 1) return run.template operator()<false, k, mn>();
        if (!in_registers && majors == 2) return run.template operator()<false, mn, k>();
        if (!in_registers && majors == 3) return run.template operator()<false, mn, mn>();
    }
    return in_registers ? run.template operator()<true, k, k>() : run.template operator()<false, k, k>();
}

/// C = A B^T, tiles of 64 x 64 by steps of 64 along K: one warp loads, a warp group multiplies.
__global__ void matmul(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, const __grid_constant__ TensorMap c,
                       int steps) {
    constexpr int stages = 2, tile = 64 * 64 * 2;
    auto* shared = dynamic_shared_memory<std::byte>();
    auto* out = reinterpret_cast<float*>(shared + stages * 2 * tile);
    auto* full = reinterpret_cast<Mbarrier*>(out + 64 * 64);
    auto* empty = full + stages;
    if (threadIdx.x == 0) {
        for (int i = 0; i < stages; ++i) mbarrier_init(full + i, 1), mbarrier_init(empty + i, 128);
        fence_mbarrier_init();
    }
    __syncthreads();
    const int row = 64 * static_cast<int>(blockIdx.x), column = 64 * static_cast<int>(blockIdx.y);
    if (threadIdx.x >= 128) {
        give_registers<40>();
        for (int step = 0; threadIdx.x == 128 && step < steps; ++step) {
            const int stage = step % stages;
            mbarrier_wait(empty + stage, (step / stages & 1) ^ 1);
            mbarrier_arrive_expecting(full + stage, 2 * tile);
            tma_load(shared + 2 * stage * tile, a, full + stage, {64 * step, row});
            tma_load(shared + (2 * stage + 1) * tile, b, full + stage, {64 * step, column});
        }
        return;
    }
    float d[32];
    for (int i = 0; i < 32; ++i) d[i] = 0;
    for (int step = 0; step < steps; ++step) {
        const int stage = step % stages;
        mbarrier_wait(full + stage, step / stages & 1);
        wgmma_fence(d);
        for (int k = 0; k < 4; ++k) {
            const std::byte* from = shared + 2 * stage * tile + 32 * k;
            wgmma<bfloat16>(d, wgmma_operand(from, Swizzle::bytes128, 0, 1024), wgmma_operand(from + tile, Swizzle::bytes128, 0, 1024),
                            true);
        }
        wgmma_commit();
        wgmma_wait<1>(d);
        if (step > 0) mbarrier_arrive(empty + (step - 1) % stages);
    }
    wgmma_wait<0>(d);
    for (int i = 0; i < 32; ++i) out[row_of(i) * 64 + column_of(i)] = d[i];
    fence_proxy_async_shared();
    barrier_sync(1, 128);
    if (threadIdx.x == 0) {
        tma_store(c, out, {column, row});
        bulk_commit();
        bulk_wait_read<0>();
    }
}

TensorMap matrix(void* data, ElementType type, int rows, int columns, std::uint32_t box_columns, Swizzle swizzle) {
    TensorLayout t;
    t.data = data;
    t.type = type;
    t.rank = 2;
    t.sizes[0] = static_cast<std::uint64_t>(columns);
    t.sizes[1] = static_cast<std::uint64_t>(rows);
    t.strides[1] = t.sizes[0] * element_bytes(type);
    t.box[0] = box_columns;
    t.box[1] = 64;
    t.swizzle = swizzle;
    return make_tensor_map(t);
}

}  // namespace

extern "C" {
const char* product_bf16_64(int r, int m, uint4* x, int s, Operand* o, std::uint32_t* a, float* d) {
    return with_majors<bfloat16, 64>(r, m, x, s, o, a, d);
}
const char* product_bf16_256(int r, int m, uint4* x, int s, Operand* o, std::uint32_t* a, float* d) {
    return with_majors<bfloat16, 256>(r, m, x, s, o, a, d);
}
const char* product_f16_64(int r, int m, uint4* x, int s, Operand* o, std::uint32_t* a, float* d) {
    return with_majors<float16, 64>(r, m, x, s, o, a, d);
}
const char* product_f16_8(int r, int m, uint4* x, int s, Operand* o, std::uint32_t* a, float* d) {
    return with_majors<float16, 8>(r, m, x, s, o, a, d);
}
const char* product_tf32_24(int r, int m, uint4* x, int s, Operand* o, std::uint32_t* a, float* d) {
    return with_majors<float, 24>(r, m, x, s, o, a, d);
}

const char* matmul_bf16(std::uint16_t* a, std::uint16_t* b, float* c, int rows, int columns, int k) {
    const auto half = [&](void* data, int n) { return matrix(data, ElementType::bfloat16, n, k, 64, Swizzle::bytes128); };
    const LaunchShape shape{{static_cast<unsigned>(rows + 63) / 64, static_cast<unsigned>(columns + 63) / 64}, {256}, 49152 + 32};
    return report_of(matmul, shape, half(a, rows), half(b, columns), matrix(c, ElementType::float32, rows, columns, 64, Swizzle::none),
                     (k + 63) / 64);
}
}
}  // namespace pyengine::kernels
