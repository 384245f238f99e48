// The tile of gemm_tile.h on tensor cores, sums in float: mma.sync m16n8k16 for float16 and bfloat16 (sm_80; float16 also m16n8k8, sm_75), and
// m16n8k8 for floats, which are rounded to tf32 on their way to the registers (sm_80).
//
// A pipeline of 3 stages, each 64 bytes deep (gemm_factor.h): while one is multiplied, the next is there or on its way, and a third sets out.
// One barrier for each. Of the 8 warps each makes 64 x 32 elements: 4 x 4 products of mma for each 32 bytes of depth.
//
// Arithmetic: threads 256; shared memory 48 to 51 KiB; registers (nvcc 13.0, sm_80 and sm_90a) 128 where both factors come in chunks, two
// blocks on an SM, else 164 to 234, one block. Nothing spills in matmul; 4 to 56 bytes do in convolutions of one tap, and up to 40 on sm_75.
// In the inner loop a warp makes 32 products with 12 of ldmatrix and 4 of cp.async, for chunks; tf32 adds 48 roundings, and
// reads factors that lie across the lines with 4 loads in place of each ldmatrix. Traffic: A is read n / 128 times, B m / 128 times.
// Sums are formed in the order of the depth, 16 (tf32: 8) at a time, in the order of the hardware, wherever the factors come from.
#pragma once

#include "kernels/cuda/gemm_factor.h"

namespace pyengine::kernels {
namespace {

/// That of the current device, 10 * major + minor; 0 without one.
[[maybe_unused]] int compute_capability() {
#ifdef PYENGINE_SIMULATED
    return 90;
#else
    int device = 0, major = 0, minor = 0;
    const bool found = cudaGetDevice(&device) == cudaSuccess &&
                       cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
                       cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess;
    return found ? 10 * major + minor : 0;
#endif
}

/// Whether the current device multiplies E here.
template <typename E>
bool has_mma() {
    return compute_capability() >= (std::is_same_v<E, float16> ? 75 : 80);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <typename E>
constexpr bool mma_compiles = std::is_same_v<E, float16>;

template <typename E>
__device__ void add_product(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    mma_m16n8k8_f16(d, {a[0], a[1]}, {b[0]});
    mma_m16n8k8_f16(d, {a[2], a[3]}, {b[1]});
}
#else
template <typename E>
constexpr bool mma_compiles = true;

template <typename E>
__device__ void add_product(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    if constexpr (std::is_same_v<E, float>)
        mma_m16n8k8_tf32(d, a, b);
    else
        mma_m16n8k16<E>(d, a, b);
}
#endif

template <typename E, Way a_source, Way b_source>
struct MmaTile {
    struct Stage {
        FactorStage<E, a_source == Way::across_lines> a;
        FactorStage<E, b_source == Way::across_lines> b;
    };
    /// Elements on their way need more registers than two blocks leave each other.
    static constexpr int blocks_on_sm = a_source == Way::elements || b_source == Way::elements ? 1 : 2;
    static constexpr int rows = 128, columns = 128, depth = 64 / sizeof(E), threads = 256, stages = 3;
    static constexpr std::size_t shared_bytes = stages * sizeof(Stage);
    /// Floats across the lines have too many addresses for more.
    static constexpr int unrolled = sizeof(E) == 4 && (a_source == Way::across_lines || b_source == Way::across_lines) ? 1 : 2;

    struct Sums {
        float at[4][4][4];  // products down, products across, the lane's part of each

        __device__ void add(Stage& stage) {
#pragma unroll(unrolled)
            for (int p = 0; p < depth; p += depth / 2) {
                std::uint32_t b[2][4];
#pragma unroll
                for (int j = 0; j < 2; ++j) stage.b.template load<true>(b[j], first_column() + j * 16, p);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    std::uint32_t a[4];
                    stage.a.template load<false>(a, first_row() + i * 16, p);
#pragma unroll
                    for (int j = 0; j < 4; ++j) add_product<E>(at[i][j], a, {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]});
                }
            }
        }

        /// Calls visit(row, column, at(column), sum) for each, counted from the tile's first.
        template <typename At, typename Visit>
        __device__ void each(At at_column, Visit visit) const {
            const int lane = static_cast<int>(threadIdx.x % 32), row = first_row() + lane / 4, first = first_column() + lane % 4 * 2;
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                const int column = first + j / 2 * 8 + j % 2;
                const auto place = at_column(column);
#pragma unroll
                for (int i = 0; i < 8; ++i) visit(row + i * 8, column, place, at[i / 2][j / 2][i % 2 * 2 + j % 2]);
            }
        }
    };

    /// Adds the products of depths [begin, end) of rows row, row + 1, ... and columns column, column + 1, ... All threads of the block.
    template <typename Item>
    __device__ static void multiply(const Item& item, std::int64_t row, std::int64_t column, std::int64_t begin, std::int64_t end,
                                    Sums& sums) {
        if constexpr (mma_compiles<E>) {
            auto* stage = dynamic_shared_memory<Stage>();
            Bring<a_source, typename Item::A, decltype(Stage::a)> a(item.a, row, item.m);
            Bring<b_source, typename Item::B, decltype(Stage::b)> b(item.b, column, item.n);
            std::int64_t ahead = begin;
            const auto count = [&] { return static_cast<int>(min(end - ahead, std::int64_t{depth})); };
            const auto set_out = [&](Stage& to) {
                if (ahead < end) {
                    a.begin(to.a, ahead, count());
                    b.begin(to.b, ahead, count());
                }
                cp_async_commit();  // also of nothing: the waits count groups
            };
            const auto arrive = [&](Stage& to) {
                if (ahead < end) {
                    a.finish(to.a);
                    b.finish(to.b);
                }
                ahead += depth;
            };
            for (int i = 0; i < stages - 1; ++i) {
                set_out(stage[i]);
                arrive(stage[i]);
            }
            int now = 0, last = stages - 1;  // multiplied before the barrier
            for (std::int64_t p = begin; p < end; p += depth) {
                cp_async_wait<1>();  // all but the last of the stages - 1 on their way
                __syncthreads();
                set_out(stage[last]);
                sums.add(stage[now]);
                arrive(stage[last]);
                last = now;
                now = now == stages - 1 ? 0 : now + 1;
            }
        }
    }

private:
    /// Of this thread's warp.
    __device__ static unsigned first_row() { return threadIdx.x / 128 * 64; }
    __device__ static unsigned first_column() { return threadIdx.x / 32 % 4 * 32; }
};

}  // namespace
}  // namespace pyengine::kernels
