// The tile of gemm_tile.h on tensor cores, for float16 and bfloat16: mma.sync m16n8k16, sums in float; sm_80.
//
// Both factors lie in shared memory as lines of 32 depths, 8 elements apart from the next, so that the 8 rows of 16 bytes which ldmatrix
// reads at once are in different banks. Of the 8 warps each makes 64 x 32 elements: 4 x 4 products for each 16 depths.
//
// Arithmetic: threads 256; shared memory 2 stages x 2 x 128 x 40 x 2 = 40 KiB; registers 64 sums + 24 words of factors + 32 elements on
// their way. Elements come to shared memory through registers, one at a time, whatever their strides: that, not the tensor cores, bounds
// the speed; aligned rows could come with cp.async, 16 bytes at a time.
// Sums are formed in the order of the depth, 16 at a time, in the order of the hardware.
#pragma once

#include "kernels/cuda/gemm_tile.h"
#include "kernels/cuda/primitives/mma.h"

namespace pyengine::kernels {
namespace {

/// Whether the current device has mma.sync m16n8k16.
inline bool has_mma() {
#ifdef PYENGINE_SIMULATED
    return true;
#else
    int device = 0, major = 0;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess && major >= 8;
#endif
}

template <typename E>
struct MmaTile {
    using Sum = float;
    static constexpr int rows = 128, columns = 128, depth = 32, threads = 256, blocks_on_sm = 1;

    struct alignas(16) Stage {
        E a[rows][depth + 8], b[columns][depth + 8];

        __device__ void put_a(int line, int p, E x) { a[line][p] = x; }
        __device__ void put_b(int line, int p, E x) { b[line][p] = x; }
    };
    static constexpr std::size_t shared_bytes = 2 * sizeof(Stage);

    struct Sums {
        float at[4][4][4];  // products down, products across, the lane's part of each

        __device__ void add(const Stage& stage) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
            const int lane = static_cast<int>(threadIdx.x) % 32;
            for (int p = 0; p < depth; p += 16) {
                std::uint32_t a[4][4], b[4][2];
#pragma unroll
                for (int i = 0; i < 4; ++i) load_matrices(a[i], &stage.a[first_row() + i * 16 + lane % 16][p + lane / 16 * 8]);
#pragma unroll
                for (int j = 0; j < 4; ++j) load_matrices(b[j], &stage.b[first_column() + j * 8 + lane % 8][p + lane / 8 % 2 * 8]);
#pragma unroll
                for (int i = 0; i < 4; ++i)
#pragma unroll
                    for (int j = 0; j < 4; ++j) mma_m16n8k16<E>(at[i][j], a[i], b[j]);
            }
#endif
        }

        /// Calls visit(row, column, sum) for each, counted from the tile's first.
        template <typename Visit>
        __device__ void each(Visit visit) const {
            const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j)
#pragma unroll
                    for (int k = 0; k < 4; ++k)
                        visit(first_row() + i * 16 + lane / 4 + k / 2 * 8, first_column() + j * 8 + lane % 4 * 2 + k % 2, at[i][j][k]);
        }
    };

private:
    /// Of this thread's warp.
    __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 128 * 64; }
    __device__ static int first_column() { return static_cast<int>(threadIdx.x) / 32 % 4 * 32; }
};

}  // namespace
}  // namespace pyengine::kernels
