#include "kernels/cuda/primitives/mma.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
namespace {

/// D = A B + D; A in 16 rows of `k`, B in 8 rows of `k` (its columns), as words, loaded by hand.
template <typename T, int k>
__global__ void product(const std::uint32_t* a, const std::uint32_t* b, float* d) {
    constexpr int words = std::is_same_v<T, float> ? k : k / 2;
    const int g = threadIdx.x / 4, t = threadIdx.x % 4;
    std::uint32_t a_words[words / 2], b_words[words / 4];
    for (int i = 0; i < words / 4; ++i) {
        a_words[2 * i] = a[g * words + 4 * i + t];
        a_words[2 * i + 1] = a[(g + 8) * words + 4 * i + t];
        b_words[i] = b[g * words + 4 * i + t];
    }
    float sums[4];
    for (int i = 0; i < 4; ++i) sums[i] = d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2];
    if constexpr (std::is_same_v<T, float>)
        mma_m16n8k8_tf32(sums, a_words, b_words);
    else if constexpr (k == 8)
        mma_m16n8k8_f16(sums, a_words, b_words);
    else
        mma_m16n8k16<T>(sums, a_words, b_words);
    for (int i = 0; i < 4; ++i) d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sums[i];
}

/// Through shared memory: in by ldmatrix, out by stmatrix.
template <int count, bool transposed_load, bool transposed_store>
__global__ void move(const std::uint32_t* in, std::uint32_t* out) {
    __shared__ __align__(16) std::uint32_t from[32 * 4], to[32 * 4];
    for (int i = 0; i < 4; ++i) from[4 * threadIdx.x + i] = in[4 * threadIdx.x + i];
    for (int i = 0; i < 4; ++i) to[4 * threadIdx.x + i] = 0;
    __syncwarp();
    std::uint32_t words[count];
    load_matrices<transposed_load>(words, from + 4 * threadIdx.x);
    store_matrices<transposed_store>(to + 4 * threadIdx.x, words);
    __syncwarp();
    for (int i = 0; i < 4; ++i) out[4 * threadIdx.x + i] = to[4 * threadIdx.x + i];
}

__global__ void half_a_warp(float* d) {
    float sums[4] = {};
    const std::uint32_t a[4] = {}, b[2] = {};
    if (threadIdx.x >= 16) return;
    mma_m16n8k16<bfloat16>(sums, a, b);
    d[threadIdx.x] = sums[0];
}

__global__ void misaligned_row(std::uint32_t* out) {
    __shared__ __align__(16) std::uint32_t from[32 * 4 + 1];
    for (int i = threadIdx.x; i < 32 * 4 + 1; i += 32) from[i] = 0;
    __syncwarp();
    std::uint32_t words[4];
    load_matrices(words, from + 4 * threadIdx.x + 1);
    out[threadIdx.x] = words[0];
}

__global__ void no_barrier(std::uint32_t* out) {
    __shared__ __align__(16) std::uint32_t from[32 * 4];
    for (int i = threadIdx.x; i < 32 * 4; i += 32) from[i] = 0;
    __syncwarp();
    for (int i = threadIdx.x; i < 32 * 4; i += 32) from[i] = i;
    std::uint32_t words[4];
    load_matrices(words, from + 4 * threadIdx.x);
    out[threadIdx.x] = words[0];
}

}  // namespace

extern "C" {
const char* product_bf16(std::uint32_t* a, std::uint32_t* b, float* d) { return report_of(product<bfloat16, 16>, {{1}, {32}}, a, b, d); }
const char* product_f16(std::uint32_t* a, std::uint32_t* b, float* d) { return report_of(product<float16, 16>, {{1}, {32}}, a, b, d); }
const char* product_f16_k8(std::uint32_t* a, std::uint32_t* b, float* d) { return report_of(product<float16, 8>, {{1}, {32}}, a, b, d); }
const char* product_tf32(std::uint32_t* a, std::uint32_t* b, float* d) { return report_of(product<float, 8>, {{1}, {32}}, a, b, d); }

const char* move_matrices(std::uint32_t* in, std::uint32_t* out, int count, int transposed_load, int transposed_store) {
    const auto run = [&]<int n> {
        if (transposed_load && transposed_store) return report_of(move<n, true, true>, {{1}, {32}}, in, out);
        if (transposed_load) return report_of(move<n, true, false>, {{1}, {32}}, in, out);
        if (transposed_store) return report_of(move<n, false, true>, {{1}, {32}}, in, out);
        return report_of(move<n, false, false>, {{1}, {32}}, in, out);
    };
    return count == 1 ? run.operator()<1>() : count == 2 ? run.operator()<2>() : run.operator()<4>();
}

const char* fault_half_a_warp(float* d) { return report_of(half_a_warp, {{1}, {32}}, d); }
const char* fault_misaligned_row(std::uint32_t* out) { return report_of(misaligned_row, {{1}, {32}}, out); }
const char* fault_no_barrier(std::uint32_t* out) { return report_of(no_barrier, {{1}, {32}}, out); }
}
}  // namespace pyengine::kernels
