// Offsets, gather and nonzero: a thread for each position or element, neighbours side by side. scatter: offsets are sorted, stably, so that
// values for one place lie next to each other in the order of the indices; the thread at the first of them goes through them all. No two
// threads write to one place, and no sum depends on chance; many values for one place take their time. Has run in the simulator only.
#include <limits>

#include "kernels/accumulator.h"
#include "kernels/cuda/axes.h"
#include "kernels/cuda/sort_pairs.h"
#include "kernels/cuda/upload.h"
#include "kernels/index.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

// Offsets -------------------------------------------------------------------------------------------------------------------------------------

/// p, if it is less than what stands there; -1 counts as the largest.
__device__ void keep_first(std::int64_t* position, std::int64_t p) {
    atomicMin(reinterpret_cast<unsigned long long*>(position), static_cast<unsigned long long>(p));
}

/// Adds what one index array says to offsets[0, count), which begin as own.offset(p) with the first one; offsets[count] gets the smallest
/// bad position. A bad index counts as 0: in a CUDA graph its offset is used before anyone can look.
__global__ void add_indices(const __grid_constant__ AxisList own, bool first, const __grid_constant__ AxisList axes,
                            const std::int64_t* indices, std::int64_t size, std::int64_t stride, std::int64_t count,
                            std::int64_t* offsets) {
    each_index(count, [&](std::int64_t p) {
        const std::int64_t index = indices[axes.offset(p)], wrapped = index < 0 ? index + size : index;
        const bool inside = wrapped >= 0 && wrapped < size;
        if (!inside) keep_first(offsets + count, p);
        offsets[p] = (first ? own.offset(p) : offsets[p]) + (inside ? wrapped * stride : 0);
    });
}

__global__ void find_first_outside(FindOutsideArgs args) {
    each_index(args.count, [&](std::int64_t i) {
        if ((args.x[i] < 0 || args.x[i] >= args.n) && args.x[i] != args.exempt) keep_first(args.position, i);
    });
}

// Reading -------------------------------------------------------------------------------------------------------------------------------------

/// An element of 16 bytes, where only its place matters.
struct Pair {
    std::uint64_t first, second;
};

/// Element e of (outer, count, inner).
struct Place {
    std::int64_t o, j, i;
    __device__ Place(std::int64_t e, std::int64_t count, std::int64_t inner) {
        const Split last = split(e, inner), middle = split(last.quotient, count);
        o = middle.quotient, j = middle.remainder, i = last.remainder;
    }
};

template <typename T>
__global__ void gather_elements(const __grid_constant__ AxisList outer, const __grid_constant__ AxisList inner, std::int64_t inner_count,
                                std::int64_t total, std::int64_t count, const std::int64_t* offsets, const T* x, T* out) {
    each_index(total, [&](std::int64_t e) {
        const Place place(e, count, inner_count);
        out[e] = x[outer.offset(place.o) + offsets[place.j] + inner.offset(place.i)];
    });
}

template <typename T>
void gather_as(const GatherArgs& args) {
    const std::int64_t inner = count_of(args.inner), total = count_of(args.outer) * args.count * inner;
    if (total > 0)
        launch(gather_elements<T>, shape_for(total), AxisList(args.outer), AxisList(args.inner), inner, total, args.count, args.offsets,
               static_cast<const T*>(args.x), static_cast<T*>(args.out));
}

// Writing -------------------------------------------------------------------------------------------------------------------------------------

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;  // offsets with it flipped compare as unsigned numbers

__global__ void make_keys(const std::int64_t* offsets, std::int64_t count, std::uint64_t* keys) {
    each_index(count, [&](std::int64_t j) { keys[j] = static_cast<std::uint64_t>(offsets[j]) ^ sign_bit; });
}

template <typename T>
struct Combine {
    ScatterOp op;
    __device__ T operator()(T held, T value) const {
        if constexpr (!is_half<T> && !std::is_same_v<T, bool>) {
            if (op == ScatterOp::add) return wrapping_add(held, value);
            if (op == ScatterOp::min) return held < value || held != held ? held : value;
            if (op == ScatterOp::max) return held > value || held != held ? held : value;
        }
        return value;
    }
};

/// keys and places (count): the sorted offsets, and where they were.
template <typename T>
__global__ void scatter_elements(const __grid_constant__ AxisList outer, const __grid_constant__ AxisList inner, std::int64_t inner_count,
                                 std::int64_t total, std::int64_t count, const std::uint64_t* keys, const std::int64_t* places,
                                 const T* values, T* x, Combine<T> combine) {
    each_index(total, [&](std::int64_t e) {
        const Place place(e, count, inner_count);
        const std::uint64_t key = keys[place.j];
        const std::int64_t at = outer.offset(place.o) + static_cast<std::int64_t>(key ^ sign_bit) + inner.offset(place.i);
        const auto value = [&](std::int64_t j) { return values[(place.o * count + places[j]) * inner_count + place.i]; };
        if (combine.op == ScatterOp::assign) {
            if (place.j + 1 == count || keys[place.j + 1] != key) x[at] = value(place.j);
        } else if (place.j == 0 || keys[place.j - 1] != key) {
            T held = x[at];
            for (std::int64_t j = place.j; j < count && keys[j] == key; ++j) held = combine(held, value(j));
            x[at] = held;
        }
    });
}

/// In the workspace: places, keys, and what sorting needs; short lists need nothing, so that the simulator sees an index past the keys.
SortProblem<std::uint64_t> sort_problem(const ScatterArgs& args) {
    SortProblem<std::uint64_t> problem{};
    problem.rows = 1;
    problem.size = args.count;
    problem.places = static_cast<std::int64_t*>(args.workspace);
    problem.keys = static_cast<std::uint64_t*>(args.workspace) + args.count;
    return problem;
}

template <typename T>
void scatter_as(const ScatterArgs& args, const SortProblem<std::uint64_t>& sorted) {
    const std::int64_t inner = count_of(args.inner), total = count_of(args.outer) * args.count * inner;
    launch(scatter_elements<T>, shape_for(total), AxisList(args.outer), AxisList(args.inner), inner, total, args.count, sorted.keys,
           sorted.places, static_cast<const T*>(args.values), static_cast<T*>(args.x), Combine<T>{args.op});
}

// Hits ----------------------------------------------------------------------------------------------------------------------------------------

constexpr int hit_threads = 256, hit_tile = 8 * hit_threads;

std::int64_t tiles_of(const NonzeroArgs& args) { return (count_of(args.axes) + hit_tile - 1) / hit_tile; }

/// A block for each tile.
__global__ void count_hits(const __grid_constant__ AxisList axes, std::int64_t count, const bool* x, std::int64_t* hits) {
    int total = 0;
    for (int i = threadIdx.x; i < hit_tile; i += hit_threads) {
        const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * hit_tile + i;
        total += __syncthreads_count(at < count && x[axes.offset(at)]);
    }
    if (threadIdx.x == 0) hits[blockIdx.x] = total;
}

/// One block: how many hits go before each tile.
__global__ void total_hits(std::int64_t* hits, std::int64_t tiles) {
    std::int64_t before = 0;
    for (std::int64_t first = 0; first < tiles; first += blockDim.x) {
        const std::int64_t tile = first + threadIdx.x, own = tile < tiles ? hits[tile] : 0;
        std::int64_t total;
        const std::int64_t up_to_here = block_scan(own, std::int64_t{0}, Add(), total);
        if (tile < tiles) hits[tile] = before + up_to_here - own;
        before += total;
    }
}

struct Coordinates {
    std::int64_t* of_axis[AxisList::max_rank];
};

/// A block for each tile.
__global__ void write_hits(const __grid_constant__ AxisList axes, std::int64_t count, const bool* x, const std::int64_t* hits,
                           const __grid_constant__ Coordinates coordinates) {
    std::int64_t before = hits[blockIdx.x];
    for (int i = threadIdx.x; i < hit_tile; i += hit_threads) {
        const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * hit_tile + i;
        const int hit = at < count && x[axes.offset(at)];
        int total;
        const int up_to_here = block_scan(hit, 0, Add(), total);
        std::int64_t rest = at;
        for (int axis = axes.rank - 1; hit && axis >= 0; --axis) {
            const Split along = split(rest, axes.sizes[axis]);
            coordinates.of_axis[axis][before + up_to_here - 1] = along.remainder;
            rest = along.quotient;
        }
        before += total;
    }
}

}  // namespace

template <>
void index_offsets<level>(const IndexOffsetsArgs& args) {
    const Axes own{args.rank, args.sizes, args.own_strides};
    const std::int64_t count = count_of(own), none = -1;
    upload(&none, 1, args.offsets + count);
    if (count == 0) return;
    for (std::int64_t k = 0; k < args.arrays; ++k)
        launch(add_indices, shape_for(count), AxisList(own), k == 0, AxisList(args.rank, args.sizes, args.index_strides[k]),
               args.indices[k], args.axis_sizes[k], args.axis_strides[k], count, args.offsets);
}

template <>
void find_outside<level>(const FindOutsideArgs& args) {
    const std::int64_t none = -1;
    upload(&none, 1, args.position);
    if (args.count > 0) launch(find_first_outside, shape_for(args.count), args);
}

template <>
void gather<level>(const GatherArgs& args) {
    switch (args.element_size) {
        case 1: return gather_as<std::uint8_t>(args);
        case 2: return gather_as<std::uint16_t>(args);
        case 4: return gather_as<std::uint32_t>(args);
        case 8: return gather_as<std::uint64_t>(args);
        default: return gather_as<Pair>(args);
    }
}

template <>
std::size_t scatter_workspace<level>(const ScatterArgs& args) {
    return 2 * static_cast<std::size_t>(args.count) * sizeof(std::int64_t) + sort_problem(args).scratch_bytes();
}

template <>
void scatter<level>(const ScatterArgs& args) {
    if (count_of(args.outer) * args.count * count_of(args.inner) == 0) return;
    SortProblem<std::uint64_t> problem = sort_problem(args);
    problem.set_scratch(problem.keys + args.count);
    launch(make_keys, shape_for(args.count), args.offsets, args.count, problem.keys);
    sort_pairs(problem);
    if (args.op == ScatterOp::assign)
        with_size(args.type, [&]<typename T> { scatter_as<T>(args, problem); });
    else
        with_type(args.type, [&]<typename T> { scatter_as<T>(args, problem); });
}

template <>
std::size_t nonzero_workspace<level>(const NonzeroArgs& args) {
    return static_cast<std::size_t>(tiles_of(args)) * sizeof(std::int64_t);
}

template <>
void nonzero<level>(const NonzeroArgs& args) {
    const std::int64_t tiles = tiles_of(args), count = count_of(args.axes);
    const AxisList axes(args.axes);
    auto* hits = static_cast<std::int64_t*>(args.workspace);
    Coordinates coordinates{};
    for (int axis = 0; axis < axes.rank; ++axis) coordinates.of_axis[axis] = args.coordinates[axis];
    if (tiles == 0) return;
    const LaunchShape shape{{static_cast<unsigned>(tiles)}, {hit_threads}};
    launch(count_hits, shape, axes, count, args.x, hits);
    launch(total_hits, {{1}, {1024}}, hits, tiles);
    launch(write_hits, shape, axes, count, args.x, hits, coordinates);
}

}  // namespace pyengine::kernels
