// C = A B^T on Hopper, a tile's whole way: TMA, mbarriers, wgmma, TMA. A (rows x k) and B (columns x k) are bfloat16, C is float. sm_90a.
//
// A block makes a tile of 128 x 128 in steps of 64 along k. Its first warp group, of which one thread works, brings the steps to a ring of
// stages in shared memory; the other two multiply, 64 rows each. The two blocks of a cluster lie below each other, so both need the same
// lines of B: each loads half of them, for both.
//
//     full[stage]    1 arrival, the producer's, and the bytes of a stage: the block's lines of A, and those of B from both blocks
//     empty[stage]   4 arrivals: of the warp groups that multiply in both blocks, since the next copies write over what both read
//
// Each waits for parities 0, 1, 0, ... of its barriers, round by round; the producer begins with 1, which on a new barrier passes: a new ring
// is empty. Multiplying step s + 1 begins before the products of step s are done; then stage s is given back.
//
// Arithmetic: threads 384, so 168 registers each when launched; the producer keeps 40, each other thread has 232, of which 64 are sums:
// 40 + 2 x 232 = 504 = 3 x 168. Shared memory: 3 stages x 32 KiB + 64 KiB for the way out. Traffic: A is read columns / 128 times, B
// rows / 256 times. On the way out rows are 512 bytes apart, so 8 lanes meet in each bank: padding or a swizzle would spread them. Has run in
// the simulator only.
#pragma once

#include "kernels/cuda/primitives/fence.h"
#include "kernels/cuda/primitives/tma.h"
#include "kernels/cuda/primitives/wgmma.h"

namespace pyengine::kernels {
namespace {

constexpr int tile = 128, depth = 64, stages = 3, blocks_in_cluster = 2;
constexpr int group_rows = 64, group_threads = 128, matmul_threads = 3 * group_threads;

struct Stage {
    bfloat16 a[tile][depth], b[tile][depth];
};

struct alignas(1024) Shared {
    Stage stage[stages];
    float out[tile][tile];
    Mbarrier full[stages], empty[stages];
};

/// Which stage is next, and the parity to wait for.
struct Ring {
    int stage = 0;
    unsigned phase;

    __device__ void next() {
        if (++stage < stages) return;
        stage = 0;
        phase ^= 1;
    }
};

/// By one thread: steps of A and B to shared memory, as soon as there is room.
__device__ void produce(Shared& shared, const TensorMap& a, const TensorMap& b, int row, int column, int steps) {
    const int half = static_cast<int>(cluster_rank()) * (tile / blocks_in_cluster);
    Ring ring{.phase = 1};
    for (int step = 0; step < steps; ++step, ring.next()) {
        Stage& stage = shared.stage[ring.stage];
        Mbarrier* full = &shared.full[ring.stage];
        mbarrier_wait(&shared.empty[ring.stage], ring.phase);
        mbarrier_arrive_expecting(full, sizeof(Stage));
        tma_load(stage.a, a, full, {depth * step, row});
        tma_load_multicast(stage.b[half], b, full, {depth * step, column + half}, 0b11);
    }
}

/// 16 neighbours along k of lines that are swizzled over 128 bytes, 8 of them a pattern.
__device__ std::uint64_t operand(const bfloat16* start) {
    constexpr std::uint32_t pattern_bytes = 8 * 128;
    return wgmma_operand(start, Swizzle::bytes128, 0, pattern_bytes);
}

/// By a warp group: 64 rows of the tile.
__device__ void multiply(Shared& shared, int first_row, int steps, float (&sum)[tile / 2]) {
    const unsigned thread = threadIdx.x % group_threads;
    Ring ring{.phase = 0};
    for (int step = 0, last = 0; step < steps; ++step, last = ring.stage, ring.next()) {
        const Stage& stage = shared.stage[ring.stage];
        mbarrier_wait(&shared.full[ring.stage], ring.phase);
        wgmma_fence(sum);
        for (int k = 0; k < depth; k += 16) wgmma<bfloat16>(sum, operand(&stage.a[first_row][k]), operand(&stage.b[0][k]), true);
        wgmma_commit();
        wgmma_wait<1>(sum);
        if (step > 0 && thread < blocks_in_cluster) mbarrier_arrive_at_rank(&shared.empty[last], thread);
    }
    wgmma_wait<0>(sum);
}

/// By a warp group: its sums to C.
__device__ void store(Shared& shared, int first_row, const TensorMap& c, int row, int column, const float (&sum)[tile / 2]) {
    const int thread = static_cast<int>(threadIdx.x) % group_threads;
    for (int i = 0; i < tile / 2; ++i)
        shared.out[first_row + 16 * (thread / 32) + thread % 32 / 4 + 8 * (i / 2 % 2)][8 * (i / 4) + 2 * (thread % 4) + i % 2] = sum[i];
    fence_proxy_async_shared();
    barrier_sync(1 + static_cast<unsigned>(first_row) / group_rows, group_threads);
    if (thread > 0) return;
    tma_store(c, shared.out[first_row], {column, row + first_row});
    bulk_commit();
    bulk_wait_read<0>();
}

__global__ void __launch_bounds__(matmul_threads, 1) hopper_matmul(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b,
                                                                   const __grid_constant__ TensorMap c, int steps) {
    Shared& shared = *dynamic_shared_memory<Shared>();
    if (threadIdx.x == 0) {
        for (int i = 0; i < stages; ++i) {
            mbarrier_init(&shared.full[i], 1);
            mbarrier_init(&shared.empty[i], 2 * blocks_in_cluster);
        }
        fence_mbarrier_init();
    }
    cluster_arrive();
    cluster_wait();
    const int row = tile * static_cast<int>(blockIdx.x), column = tile * static_cast<int>(blockIdx.y);
    if (threadIdx.x < group_threads) {
        give_registers<40>();
        if (threadIdx.x == 0) produce(shared, a, b, row, column, steps);
    } else {
        take_registers<232>();
        const int first_row = (static_cast<int>(threadIdx.x) / group_threads - 1) * group_rows;
        float sum[tile / 2] = {};
        multiply(shared, first_row, steps, sum);
        store(shared, first_row, c, row, column, sum);
    }
    cluster_arrive();  // until here the other block's copies and arrivals may come
    cluster_wait();
}

inline TensorMap matrix_map(void* data, ElementType type, int rows, int columns, std::uint32_t box_rows, std::uint32_t box_columns,
                            Swizzle swizzle) {
    TensorLayout t;
    t.data = data;
    t.type = type;
    t.rank = 2;
    t.sizes[0] = static_cast<std::uint64_t>(columns);
    t.sizes[1] = static_cast<std::uint64_t>(rows);
    t.strides[1] = t.sizes[0] * element_bytes(type);
    t.box[0] = box_columns;
    t.box[1] = box_rows;
    t.swizzle = swizzle;
    return make_tensor_map(t);
}

/// k is a multiple of 8, columns of 4.
inline void start_hopper_matmul(bfloat16* a, bfloat16* b, float* c, int rows, int columns, int k) {
    const TensorMap a_map = matrix_map(a, ElementType::bfloat16, rows, k, tile, depth, Swizzle::bytes128);
    const TensorMap b_map = matrix_map(b, ElementType::bfloat16, columns, k, tile / blocks_in_cluster, depth, Swizzle::bytes128);
    const TensorMap c_map = matrix_map(c, ElementType::float32, rows, columns, group_rows, tile, Swizzle::none);
    const auto tiles = [](int n, int size) { return static_cast<unsigned>((n + size - 1) / size); };
    const LaunchShape shape{{blocks_in_cluster * tiles(rows, blocks_in_cluster * tile), tiles(columns, tile)},
                            {matmul_threads},
                            sizeof(Shared),
                            {blocks_in_cluster}};
    launch(hopper_matmul, shape, a_map, b_map, c_map, (k + depth - 1) / depth);
}

}  // namespace
}  // namespace pyengine::kernels
