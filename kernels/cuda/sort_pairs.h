// Sorts rows of unsigned keys, stably, and says in what order: what argsort and scatter stand on.
//
// Rows of at most 2048 keys: a block sorts one in shared memory, by a bitonic network on pairs of key and place (K. E. Batcher: "Sorting
// networks and their applications", 1968); one read and one write of each key. Longer rows: a radix sort from the last byte to the first.
// For every byte, blocks count the values in their tiles, the counts' running totals say where each tile's keys go, and blocks move
// their keys there; two reads and one write of each key, and one of each place, for every byte. Has run in the simulator only.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

#include "kernels/cuda/block_reduce.h"

namespace pyengine::kernels {
namespace {

constexpr int radix = 256, sort_threads = 256, keys_of_a_thread = 8, sort_tile = sort_threads * keys_of_a_thread;

/// Keys and places (rows, size), contiguous; `places` starts as anything and becomes the order.
template <typename Key>
struct SortProblem {
    std::int64_t rows, size;
    Key* keys;
    std::int64_t* places;
    Key* other_keys;             // (rows, size)
    std::int64_t* other_places;  // (rows, size)
    std::uint32_t* counts;       // (rows, radix, tiles): of each byte value in each tile, then how many keys of the row go before those
    std::uint32_t* totals;       // (rows, radix)

    constexpr bool short_rows() const { return size <= sort_tile; }
    constexpr std::int64_t tiles() const { return (size + sort_tile - 1) / sort_tile; }

    /// Scratch, in bytes: keys, places, counts and totals.
    std::size_t scratch_bytes() const {
        if (short_rows()) return 0;
        return static_cast<std::size_t>(rows) * (static_cast<std::size_t>(size) * (sizeof(Key) + sizeof(std::int64_t)) +
                                                 static_cast<std::size_t>(radix * (tiles() + 1)) * sizeof(std::uint32_t));
    }
    void set_scratch(void* scratch) {
        other_places = static_cast<std::int64_t*>(scratch);
        other_keys = reinterpret_cast<Key*>(other_places + rows * size);
        counts = reinterpret_cast<std::uint32_t*>(other_keys + rows * size);
        totals = counts + rows * radix * tiles();
    }
};

// Short rows ----------------------------------------------------------------------------------------------------------------------------------

/// A block for each row, of at least half as many threads as `padded`, the next power of two.
template <typename Key>
__global__ void sort_short_rows(SortProblem<Key> problem, unsigned padded) {
    Key* keys = dynamic_shared_memory<Key>();
    auto* places = reinterpret_cast<std::uint32_t*>(keys + padded);
    for (std::int64_t row = blockIdx.x; row < problem.rows; row += gridDim.x) {
        Key* row_keys = problem.keys + row * problem.size;
        for (unsigned i = threadIdx.x; i < padded; i += blockDim.x) {  // what this thread itself read last, of the row before
            keys[i] = i < problem.size ? row_keys[i] : ~Key{0};
            places[i] = i;
        }
        for (unsigned sorted = 2; sorted <= padded; sorted *= 2)
            for (unsigned distance = sorted / 2; distance > 0; distance /= 2) {
                __syncthreads();
                for (unsigned pair = threadIdx.x; pair < padded / 2; pair += blockDim.x) {
                    const unsigned low = 2 * pair - pair % distance, high = low + distance;
                    const bool ascending = (low & sorted) == 0;
                    const bool greater = keys[low] > keys[high] || (keys[low] == keys[high] && places[low] > places[high]);
                    if (greater != ascending) continue;
                    const Key key = keys[low];
                    const std::uint32_t place = places[low];
                    keys[low] = keys[high], places[low] = places[high];
                    keys[high] = key, places[high] = place;
                }
            }
        __syncthreads();
        for (unsigned i = threadIdx.x; i < problem.size; i += blockDim.x) {
            row_keys[i] = keys[i];
            problem.places[row * problem.size + i] = places[i];
        }
    }
}

// Long rows -----------------------------------------------------------------------------------------------------------------------------------

template <typename Key>
__device__ unsigned byte_of(Key key, int byte) {
    return static_cast<unsigned>(key >> (8 * byte)) & (radix - 1);
}

/// A block for each tile.
template <typename Key>
__global__ void count_bytes(SortProblem<Key> problem, int byte) {
    __shared__ unsigned counts[radix];
    const std::int64_t row = blockIdx.x / problem.tiles(), tile = blockIdx.x % problem.tiles();
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (std::int64_t i = tile * sort_tile + threadIdx.x; i < min(problem.size, (tile + 1) * sort_tile); i += sort_threads)
        atomicAdd(&counts[byte_of(problem.keys[row * problem.size + i], byte)], 1u);
    __syncthreads();
    problem.counts[(row * radix + threadIdx.x) * problem.tiles() + tile] = counts[threadIdx.x];
}

/// A block for each row and byte value: running totals over the tiles.
template <typename Key>
__global__ void total_counts(SortProblem<Key> problem) {
    std::uint32_t* counts = problem.counts + blockIdx.x * problem.tiles();
    unsigned before = 0;
    for (std::int64_t first = 0; first < problem.tiles(); first += blockDim.x) {
        const std::int64_t tile = first + threadIdx.x;
        const unsigned own = tile < problem.tiles() ? counts[tile] : 0;
        unsigned total;
        const unsigned up_to_here = block_scan(own, 0u, Add(), total);
        if (tile < problem.tiles()) counts[tile] = before + up_to_here - own;
        before += total;
    }
    if (threadIdx.x == 0) problem.totals[blockIdx.x] = before;
}

/// A block for each tile, each of its warps for a part of that. A key's rank within the warp's part, among those of the same byte, is
/// counted 32 keys at a time.
template <typename Key>
__global__ void move_keys(SortProblem<Key> problem, int byte, bool first) {
    constexpr int warps = sort_threads / 32;
    __shared__ unsigned next[warps][radix];  // for each byte value: how many the warp has seen, then where its first one goes
    const std::int64_t row = blockIdx.x / problem.tiles(), tile = blockIdx.x % problem.tiles(), start = row * problem.size;
    const unsigned warp = warp_index(), lane = lane_index();
    for (int w = 0; w < warps; ++w) next[w][threadIdx.x] = 0;
    __syncthreads();
    unsigned ranks[keys_of_a_thread];
    const std::int64_t own = tile * sort_tile + warp * (32 * keys_of_a_thread) + lane;
    for (int k = 0; k < keys_of_a_thread; ++k) {
        const std::int64_t i = own + 32 * k;
        const bool exists = i < problem.size;
        const unsigned value = exists ? byte_of(problem.keys[start + i], byte) : radix;
        const unsigned same = __match_any_sync(all_lanes, value);
        const unsigned before = static_cast<unsigned>(__popc(same & ((1u << lane) - 1)));
        ranks[k] = exists ? next[warp][value] + before : 0;
        __syncwarp();
        if (exists && before == 0) next[warp][value] += static_cast<unsigned>(__popc(same));
        __syncwarp();
    }
    const unsigned value = threadIdx.x, all = problem.totals[row * radix + value];
    unsigned keys_of_row;
    unsigned to = block_scan(all, 0u, Add(), keys_of_row) - all + problem.counts[(row * radix + value) * problem.tiles() + tile];
    for (int w = 0; w < warps; ++w) {
        const unsigned seen = next[w][value];
        next[w][value] = to;
        to += seen;
    }
    __syncthreads();
    for (int k = 0; k < keys_of_a_thread; ++k) {
        const std::int64_t i = own + 32 * k;
        if (i >= problem.size) continue;
        const Key key = problem.keys[start + i];
        const std::int64_t at = start + next[warp][byte_of(key, byte)] + ranks[k];
        problem.other_keys[at] = key;
        problem.other_places[at] = first ? i : problem.places[start + i];
    }
}

template <typename Key>
void sort_pairs(SortProblem<Key> problem) {
    if (problem.rows == 0 || problem.size == 0) return;
    if (problem.short_rows()) {
        const unsigned padded = std::max(2u, std::bit_ceil(static_cast<unsigned>(problem.size)));
        constexpr std::int64_t most = 132 * 32;  // blocks that an H100 holds at once
        const LaunchShape shape{{static_cast<unsigned>(std::min(problem.rows, most))},
                                {std::clamp(padded / 2, 32u, 512u)},
                                padded * (sizeof(Key) + sizeof(std::uint32_t))};
        return launch(sort_short_rows<Key>, shape, problem, padded);
    }
    const auto tiles = static_cast<unsigned>(problem.rows * problem.tiles()), digits = static_cast<unsigned>(problem.rows * radix);
    for (int byte = 0; byte < static_cast<int>(sizeof(Key)); ++byte) {  // an even number of times: the result ends where it began
        launch(count_bytes<Key>, {{tiles}, {sort_threads}}, problem, byte);
        launch(total_counts<Key>, {{digits}, {sort_threads}}, problem);
        launch(move_keys<Key>, {{tiles}, {sort_threads}}, problem, byte, byte == 0);
        std::swap(problem.keys, problem.other_keys);
        std::swap(problem.places, problem.other_places);
    }
}

}  // namespace
}  // namespace pyengine::kernels
