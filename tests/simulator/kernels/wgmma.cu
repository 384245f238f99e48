#include "kernels/cuda/primitives/fence.h"
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
}
}  // namespace pyengine::kernels
