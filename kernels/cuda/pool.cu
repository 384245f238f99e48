// max_pool, avg_pool, avg_pool_transpose: a thread for each element that is written, neighbours side by side; windows overlap, so that most
// reads are of what the caches hold. A gradient's sum is that of the windows that see its place, in their order: which those can be is
// worked out first, for every position of every axis.
// max_pool_scatter: a block for each plane goes through its outputs in order; of those of one turn that name the same place, the first one
// adds, then the next: as many rounds as windows share a maximum. Few planes leave most of a large GPU idle.
// Has run in the simulator only.
#include <algorithm>
#include <limits>

#include "kernels/accumulator.h"
#include "kernels/cuda/axes.h"
#include "kernels/cuda/upload.h"
#include "kernels/pool.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

struct Position {
    std::int64_t plane, z, y, x;
};

/// Planes of (depth, height, width).
struct Planes {
    std::int64_t count, size[3];

    Planes(std::int64_t count, const std::int64_t (&of)[3]) : count(count), size{of[0], of[1], of[2]} {}
    constexpr std::int64_t plane() const { return size[0] * size[1] * size[2]; }
    constexpr std::int64_t elements() const { return count * plane(); }
    /// Whether a plane has an element i. In a CUDA graph indices are used before anyone can look at what find_outside says of them.
    constexpr bool has(std::int64_t i) const { return i >= 0 && i < plane(); }
    __device__ std::int64_t index(std::int64_t z, std::int64_t y, std::int64_t x) const { return (z * size[1] + y) * size[2] + x; }
    __device__ Position position(std::int64_t e) const {
        const Split column = split(e, size[2]), row = split(column.quotient, size[1]), layer = split(row.quotient, size[0]);
        return {layer.quotient, layer.remainder, row.remainder, column.remainder};
    }
};

/// PoolArgs' windows, in the device's memory.
struct Windows {
    const std::int64_t *first[3], *count[3], *divisor[3];
    std::int64_t step[3];

    __device__ std::int64_t at(int axis, std::int64_t output, std::int64_t t) const { return first[axis][output] + t * step[axis]; }
    __device__ std::int64_t last(int axis, std::int64_t output) const { return at(axis, output, count[axis][output] - 1); }
    __device__ std::int64_t divisor_of(const Position& p) const { return divisor[0][p.z] * divisor[1][p.y] * divisor[2][p.x]; }
    __device__ bool sees(int axis, std::int64_t output, std::int64_t input) const {
        const std::int64_t beyond = input - first[axis][output];
        return beyond >= 0 && beyond % step[axis] == 0 && beyond / step[axis] < count[axis][output];
    }
};

std::int64_t window_numbers(const PoolArgs& args) { return 3 * (args.out_size[0] + args.out_size[1] + args.out_size[2]); }

/// Puts window_numbers(args) into `to`.
Windows upload_windows(const PoolArgs& args, std::int64_t* to) {
    Windows windows{};
    const auto put = [&](const std::int64_t* list, int axis) {
        upload(list, args.out_size[axis], to);
        return (to += args.out_size[axis]) - args.out_size[axis];
    };
    for (int axis = 0; axis < 3; ++axis) {
        windows.first[axis] = put(args.first[axis], axis);
        windows.count[axis] = put(args.count[axis], axis);
        windows.divisor[axis] = put(args.divisor[axis], axis);
        windows.step[axis] = args.step[axis];
    }
    return windows;
}

/// visit(index in the plane) for what an output sees, in order.
template <typename Visit>
__device__ void each_input(const Planes& in, const Windows& windows, const Position& p, Visit visit) {
    for (std::int64_t a = 0; a < windows.count[0][p.z]; ++a)
        for (std::int64_t b = 0; b < windows.count[1][p.y]; ++b)
            for (std::int64_t c = 0; c < windows.count[2][p.x]; ++c)
                visit(in.index(windows.at(0, p.z, a), windows.at(1, p.y, b), windows.at(2, p.x, c)));
}

template <typename T>
__global__ void find_maxima(Planes in, Planes out, Windows windows, const T* x, T* y, std::int64_t* indices) {
    using A = Accumulator<T>;
    each_index(out.elements(), [&](std::int64_t e) {
        const Position p = out.position(e);
        const T* plane = x + p.plane * in.plane();
        std::int64_t best = -1;
        A held = 0;
        each_input(in, windows, p, [&](std::int64_t i) {
            const A value = convert<A>(plane[i]);
            if (best >= 0 && !(value > held) && value == value) return;
            best = i;
            held = value;
        });
        y[e] = plane[best];
        indices[e] = best;
    });
}

template <typename T>
__global__ void read_maxima(Planes in, Planes out, const T* x, const std::int64_t* indices, T* y) {
    each_index(out.elements(), [&](std::int64_t e) {
        y[e] = in.has(indices[e]) ? x[split(e, out.plane()).quotient * in.plane() + indices[e]] : convert<T>(0);
    });
}

template <typename T>
__global__ void average(Planes in, Planes out, Windows windows, const T* x, T* y) {
    using A = Accumulator<T>;
    each_index(out.elements(), [&](std::int64_t e) {
        const Position p = out.position(e);
        const T* plane = x + p.plane * in.plane();
        A sum = 0;
        each_input(in, windows, p, [&](std::int64_t i) { sum += convert<A>(plane[i]); });
        y[e] = convert<T>(sum / static_cast<A>(windows.divisor_of(p)));
    });
}

/// For every position along an axis, [from, to) holds all outputs that see it, and perhaps some beside them.
struct Seers {
    std::int64_t *from[3], *to[3];
};

/// The first of `count` outputs for which `holds`, to within those that padding cuts; `count` if none.
template <typename Holds>
__device__ std::int64_t first_output(std::int64_t count, Holds holds) {
    std::int64_t low = 0, high = count;
    while (low < high) {
        const std::int64_t middle = (low + high) / 2;
        if (holds(middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

__global__ void find_seers(Planes in, Planes out, Windows windows, Seers seers) {
    each_index(in.size[0] + in.size[1] + in.size[2], [&](std::int64_t i) {
        int axis = 0;
        while (i >= in.size[axis]) i -= in.size[axis++];
        const std::int64_t step = windows.step[axis];
        seers.from[axis][i] = first_output(out.size[axis], [&](std::int64_t output) { return windows.last(axis, output) + step > i; });
        seers.to[axis][i] = first_output(out.size[axis], [&](std::int64_t output) { return windows.first[axis][output] - step >= i; });
    });
}

template <typename T>
__global__ void spread(Planes in, Planes out, Windows windows, Seers seers, const T* y, T* x) {
    using A = Accumulator<T>;
    each_index(in.elements(), [&](std::int64_t e) {
        const Position p = in.position(e);
        const T* plane = y + p.plane * out.plane();
        A sum = 0;
        for (std::int64_t i = seers.from[0][p.z]; i < seers.to[0][p.z]; ++i) {
            if (!windows.sees(0, i, p.z)) continue;
            for (std::int64_t j = seers.from[1][p.y]; j < seers.to[1][p.y]; ++j) {
                if (!windows.sees(1, j, p.y)) continue;
                for (std::int64_t k = seers.from[2][p.x]; k < seers.to[2][p.x]; ++k) {
                    if (!windows.sees(2, k, p.x)) continue;
                    sum += convert<A>(plane[out.index(i, j, k)]) / static_cast<A>(windows.divisor_of({0, i, j, k}));
                }
            }
        }
        x[e] = convert<T>(sum);
    });
}

/// sums and turns: (planes, in). turns[i] is the smallest output that wants to add to sums[i], or `nobody`.
template <typename T>
__global__ void add_maxima(Planes in, Planes out, const T* y, const std::int64_t* indices, Accumulator<T>* sums, unsigned* turns, T* x) {
    using A = Accumulator<T>;
    constexpr unsigned nobody = ~0u;
    for (std::int64_t plane = blockIdx.x; plane < in.count; plane += gridDim.x) {
        const std::int64_t start = plane * in.plane(), first_output = plane * out.plane();
        for (std::int64_t i = threadIdx.x; i < in.plane(); i += blockDim.x) {
            sums[start + i] = 0;
            turns[start + i] = nobody;
        }
        for (std::int64_t first = 0; first < out.plane(); first += blockDim.x) {
            const std::int64_t output = min(first + threadIdx.x, out.plane() - 1);
            const std::int64_t index = indices[first_output + output], at = start + index;
            int waits = first + threadIdx.x < out.plane() && in.has(index);
            while (__syncthreads_or(waits)) {
                if (waits) atomicMin(&turns[at], threadIdx.x);
                __syncthreads();
                const int adds = waits && turns[at] == threadIdx.x;
                __syncthreads();
                if (adds) {
                    sums[at] += convert<A>(y[first_output + output]);
                    turns[at] = nobody;
                }
                waits &= ~adds;
            }
        }
        for (std::int64_t i = threadIdx.x; i < in.plane(); i += blockDim.x) x[start + i] = convert<T>(sums[start + i]);
    }
}

std::size_t in_elements(const PoolArgs& args) { return static_cast<std::size_t>(Planes(args.planes, args.in_size).elements()); }

}  // namespace

template <>
std::size_t pool_workspace<level>(const PoolArgs& args) {
    return static_cast<std::size_t>(window_numbers(args)) * sizeof(std::int64_t);
}

/// For avg_pool_transpose the windows and who sees what; for max_pool_scatter sums and turns.
template <>
std::size_t pool_transpose_workspace<level>(const PoolArgs& args) {
    if (args.indices) return in_elements(args) * (sizeof(double) + sizeof(unsigned));
    return static_cast<std::size_t>(window_numbers(args) + 2 * (args.in_size[0] + args.in_size[1] + args.in_size[2])) *
           sizeof(std::int64_t);
}

template <>
void max_pool<level>(const PoolArgs& args) {
    const Planes in(args.planes, args.in_size), out(args.planes, args.out_size);
    if (out.elements() == 0) return;
    const Windows windows = upload_windows(args, static_cast<std::int64_t*>(args.workspace));
    with_float_type(args.type, [&]<typename T> {
        launch(find_maxima<T>, shape_for(out.elements()), in, out, windows, static_cast<const T*>(args.from), static_cast<T*>(args.to),
               args.indices);
    });
}

template <>
void max_pool_gather<level>(const PoolArgs& args) {
    const Planes in(args.planes, args.in_size), out(args.planes, args.out_size);
    if (out.elements() == 0) return;
    with_float_type(args.type, [&]<typename T> {
        launch(read_maxima<T>, shape_for(out.elements()), in, out, static_cast<const T*>(args.from), args.indices,
               static_cast<T*>(args.to));
    });
}

template <>
void max_pool_scatter<level>(const PoolArgs& args) {
    const Planes in(args.planes, args.in_size), out(args.planes, args.out_size);
    if (in.elements() == 0) return;
    with_float_type(args.type, [&]<typename T> {
        auto* sums = static_cast<Accumulator<T>*>(args.workspace);
        auto* turns = reinterpret_cast<unsigned*>(sums + in.elements());
        const LaunchShape shape{{static_cast<unsigned>(std::min<std::int64_t>(args.planes, 1 << 20))}, {256}};
        launch(add_maxima<T>, shape, in, out, static_cast<const T*>(args.from), args.indices, sums, turns, static_cast<T*>(args.to));
    });
}

template <>
void avg_pool<level>(const PoolArgs& args) {
    const Planes in(args.planes, args.in_size), out(args.planes, args.out_size);
    if (out.elements() == 0) return;
    const Windows windows = upload_windows(args, static_cast<std::int64_t*>(args.workspace));
    with_float_type(args.type, [&]<typename T> {
        launch(average<T>, shape_for(out.elements()), in, out, windows, static_cast<const T*>(args.from), static_cast<T*>(args.to));
    });
}

template <>
void avg_pool_transpose<level>(const PoolArgs& args) {
    const Planes in(args.planes, args.in_size), out(args.planes, args.out_size);
    if (in.elements() == 0) return;
    auto* room = static_cast<std::int64_t*>(args.workspace);
    const Windows windows = upload_windows(args, room);
    room += window_numbers(args);
    Seers seers{};
    for (int axis = 0; axis < 3; ++axis) {
        seers.from[axis] = room;
        seers.to[axis] = room + args.in_size[axis];
        room += 2 * args.in_size[axis];
    }
    launch(find_seers, shape_for(args.in_size[0] + args.in_size[1] + args.in_size[2], 128), in, out, windows, seers);
    with_float_type(args.type, [&]<typename T> {
        launch(spread<T>, shape_for(in.elements()), in, out, windows, seers, static_cast<const T*>(args.from), static_cast<T*>(args.to));
    });
}

}  // namespace pyengine::kernels
