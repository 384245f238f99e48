// Copies of boxes of tensors, and of plain bytes, by the TMA unit; one thread starts each. PTX ISA 8.5, sections 9.7.8.24.9 and following:
// cp.async.bulk, cp.reduce.async.bulk, cp.async.bulk.tensor, cp.reduce.async.bulk.tensor; sm_90.
//
// Loads complete at an mbarrier, of which each load's bytes must be expected: those of the whole box, of which what lies outside the tensor
// is zero. Stores complete in groups of the thread that started them, and leave out what lies outside. Boxes in shared memory are aligned to
// 128 bytes, or to 1024, 512, 256 where wgmma is to read what was swizzled over 128, 64, 32 bytes; plain copies to 16 bytes.
// Coordinates count elements, the contiguous dimension first, and may be negative.
#pragma once

#include "kernels/cuda/primitives/mbarrier.h"
#include "kernels/cuda/primitives/tensor_map.h"
#ifdef PYENGINE_SIMULATED
#include "kernels/simulator/tma.h"
#endif

namespace pyengine::kernels {
namespace {

/// Begins to fetch the map itself.
__device__ __forceinline__ void prefetch_tensor_map([[maybe_unused]] const TensorMap& map) {
#ifndef PYENGINE_SIMULATED
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
#endif
}

/// shared = tensor[at ...].
template <int rank>
__device__ __forceinline__ void tma_load(void* to, const TensorMap& map, Mbarrier* barrier, const int (&at)[rank]) {
#ifdef PYENGINE_SIMULATED
    simulator::tma_load(to, map, barrier, {rank, at, nullptr}, 0);
#else
    const std::uint32_t shared = shared_address(to), complete = shared_address(barrier);
    if constexpr (rank == 1)
        asm volatile(
            "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3}], [%2];" ::"r"(shared),
            "l"(&map), "r"(complete), "r"(at[0])
            : "memory");
    else if constexpr (rank == 2)
        asm volatile(
            "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1])
            : "memory");
    else if constexpr (rank == 3)
        asm volatile(
            "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(
                shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1]), "r"(at[2])
            : "memory");
    else if constexpr (rank == 4)
        asm volatile(
            "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(
                shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3])
            : "memory");
    else if constexpr (rank == 5)
        asm volatile(
            "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::
                "r"(shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
            : "memory");
#endif
}

/// The same, to the same place of every block of the cluster whose bit is set; each block's mbarrier in the same place counts its bytes.
template <int rank>
__device__ __forceinline__ void tma_load_multicast(void* to, const TensorMap& map, Mbarrier* barrier, const int (&at)[rank],
                                                   std::uint16_t blocks) {
#ifdef PYENGINE_SIMULATED
    simulator::tma_load(to, map, barrier, {rank, at, nullptr}, blocks);
#else
    const std::uint32_t shared = shared_address(to), complete = shared_address(barrier);
    if constexpr (rank == 1)
        asm volatile(
            "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4}], [%2], "
            "%3;" ::"r"(shared),
            "l"(&map), "r"(complete), "h"(blocks), "r"(at[0])
            : "memory");
    else if constexpr (rank == 2)
        asm volatile(
            "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5}], "
            "[%2], %3;" ::"r"(shared),
            "l"(&map), "r"(complete), "h"(blocks), "r"(at[0]), "r"(at[1])
            : "memory");
    else if constexpr (rank == 3)
        asm volatile(
            "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6}], "
            "[%2], %3;" ::"r"(shared),
            "l"(&map), "r"(complete), "h"(blocks), "r"(at[0]), "r"(at[1]), "r"(at[2])
            : "memory");
    else if constexpr (rank == 4)
        asm volatile(
            "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6, "
            "%7}], [%2], %3;" ::"r"(shared),
            "l"(&map), "r"(complete), "h"(blocks), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3])
            : "memory");
    else if constexpr (rank == 5)
        asm volatile(
            "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6, "
            "%7, %8}], [%2], %3;" ::"r"(shared),
            "l"(&map), "r"(complete), "h"(blocks), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
            : "memory");
#endif
}

/// shared = pixels of an im2col map from position `at` = (channel, width, ..., image) on, each displaced by `by`: the place in the filter.
template <int rank>
__device__ __forceinline__ void tma_load_im2col(void* to, const TensorMap& map, Mbarrier* barrier, const int (&at)[rank],
                                                const std::uint16_t (&by)[rank - 2]) {
#ifdef PYENGINE_SIMULATED
    simulator::tma_load(to, map, barrier, {rank, at, by}, 0);
#else
    const std::uint32_t shared = shared_address(to), complete = shared_address(barrier);
    if constexpr (rank == 3)
        asm volatile(
            "cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};" ::
                "r"(shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1]), "r"(at[2]), "h"(by[0])
            : "memory");
    else if constexpr (rank == 4)
        asm volatile(
            "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, "
            "%8};" ::"r"(shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "h"(by[0]), "h"(by[1])
            : "memory");
    else if constexpr (rank == 5)
        asm volatile(
            "cp.async.bulk.tensor.5d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], "
            "{%8, %9, %10};" ::"r"(shared),
            "l"(&map), "r"(complete), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]), "h"(by[0]), "h"(by[1]), "h"(by[2])
            : "memory");
#endif
}

/// tensor[at ...] = shared.
template <int rank>
__device__ __forceinline__ void tma_store(const TensorMap& map, const void* from, const int (&at)[rank]) {
#ifdef PYENGINE_SIMULATED
    simulator::tma_store(map, from, {rank, at, nullptr}, false);
#else
    const std::uint32_t shared = shared_address(from);
    if constexpr (rank == 1)
        asm volatile("cp.async.bulk.tensor.1d.global.shared::cta.tile.bulk_group [%0, {%2}], [%1];" ::"l"(&map), "r"(shared), "r"(at[0])
                     : "memory");
    else if constexpr (rank == 2)
        asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map), "r"(shared),
                     "r"(at[0]), "r"(at[1])
                     : "memory");
    else if constexpr (rank == 3)
        asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map), "r"(shared),
                     "r"(at[0]), "r"(at[1]), "r"(at[2])
                     : "memory");
    else if constexpr (rank == 4)
        asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map), "r"(shared),
                     "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3])
                     : "memory");
    else if constexpr (rank == 5)
        asm volatile("cp.async.bulk.tensor.5d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(&map),
                     "r"(shared), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
                     : "memory");
#endif
}

/// tensor[at ...] += shared, each element atomically: float32, float16, bfloat16.
template <int rank>
__device__ __forceinline__ void tma_add(const TensorMap& map, const void* from, const int (&at)[rank]) {
#ifdef PYENGINE_SIMULATED
    simulator::tma_store(map, from, {rank, at, nullptr}, true);
#else
    const std::uint32_t shared = shared_address(from);
    if constexpr (rank == 1)
        asm volatile("cp.reduce.async.bulk.tensor.1d.global.shared::cta.add.tile.bulk_group [%0, {%2}], [%1];" ::"l"(&map), "r"(shared),
                     "r"(at[0])
                     : "memory");
    else if constexpr (rank == 2)
        asm volatile("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map), "r"(shared),
                     "r"(at[0]), "r"(at[1])
                     : "memory");
    else if constexpr (rank == 3)
        asm volatile("cp.reduce.async.bulk.tensor.3d.global.shared::cta.add.tile.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
                     "r"(shared), "r"(at[0]), "r"(at[1]), "r"(at[2])
                     : "memory");
    else if constexpr (rank == 4)
        asm volatile("cp.reduce.async.bulk.tensor.4d.global.shared::cta.add.tile.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
                     "r"(shared), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3])
                     : "memory");
    else if constexpr (rank == 5)
        asm volatile("cp.reduce.async.bulk.tensor.5d.global.shared::cta.add.tile.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(&map),
                     "r"(shared), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4])
                     : "memory");
#endif
}

/// shared = global, a multiple of 16 bytes.
__device__ __forceinline__ void bulk_load(void* to, const void* from, std::uint32_t bytes, Mbarrier* barrier) {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_load(to, from, bytes, barrier);
#else
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(barrier))
                 : "memory");
#endif
}

/// To the same place of another block of the cluster, whose mbarrier in the same place counts the bytes.
__device__ __forceinline__ void bulk_send(void* to, const void* from, std::uint32_t bytes, Mbarrier* barrier, unsigned rank) {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_send(simulator::map_to_rank(to, rank), from, bytes, simulator::map_to_rank(barrier, rank));
#else
    asm volatile(
        "{\n.reg .b32 to, barrier;\nmapa.shared::cluster.u32 to, %0, %4;\nmapa.shared::cluster.u32 barrier, %3, %4;\n"
        "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [to], [%1], %2, [barrier];\n}" ::"r"(shared_address(to)),
        "r"(shared_address(from)), "r"(bytes), "r"(shared_address(barrier)), "r"(rank)
        : "memory");
#endif
}

/// global = shared, a multiple of 16 bytes.
__device__ __forceinline__ void bulk_store(void* to, const void* from, std::uint32_t bytes) {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_store(to, from, bytes, false);
#else
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
                 "r"(shared_address(from)), "r"(bytes)
                 : "memory");
#endif
}

/// global += shared, each float atomically.
__device__ __forceinline__ void bulk_add(float* to, const float* from, std::uint32_t bytes) {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_store(to, from, bytes, true);
#else
    asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
                 "r"(shared_address(from)), "r"(bytes)
                 : "memory");
#endif
}

/// The thread's stores since the last call are a group.
__device__ __forceinline__ void bulk_commit() {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_commit();
#else
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#endif
}

/// Until all but the last `groups` groups have been written.
template <int groups>
__device__ __forceinline__ void bulk_wait() {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_wait(groups, false);
#else
    asm volatile("cp.async.bulk.wait_group %0;" ::"n"(groups) : "memory");
#endif
}

/// Until they have been read, so that their shared memory is free.
template <int groups>
__device__ __forceinline__ void bulk_wait_read() {
#ifdef PYENGINE_SIMULATED
    simulator::bulk_wait(groups, true);
#else
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(groups) : "memory");
#endif
}

}  // namespace
}  // namespace pyengine::kernels
