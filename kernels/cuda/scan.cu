// Running totals along the middle axis of (outer, size, inner). Neighbouring threads take neighbouring columns where inner is large or
// columns are short, else blocks take columns, and their threads neighbouring elements. Where that keeps few threads busy, columns are cut
// into chunks: their totals first, the running totals of those, then the chunks again, each from where the one before ends: two reads and
// one write of each element. How columns are cut depends on the shape alone; columns of at most 128 elements are summed in order.
// Has run in the simulator only.
#include <algorithm>

#include "kernels/accumulator.h"
#include "kernels/cuda/axes.h"
#include "kernels/cuda/block_reduce.h"
#include "kernels/scan.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <typename T>
using Running = std::conditional_t<is_real<T>, double, Accumulator<T>>;

struct SumOrProduct {
    ScanOp op;
    template <typename A>
    __device__ A operator()(A a, A b) const {
        return op == ScanOp::sum ? wrapping_add(a, b) : wrapping_multiply(a, b);
    }
    template <typename A>
    __device__ A neutral() const {
        return op == ScanOp::sum ? A{0} : A{1};
    }
};

struct Columns {
    std::int64_t size, inner, count;  // count: outer * inner
    std::int64_t initial;             // 1 if the neutral element comes first
    std::int64_t chunk, chunks;
    bool by_thread;  // a chunk is for one thread, else for a block

    explicit Columns(const ScanArgs& args)
        : size(args.size), inner(args.inner), count(args.outer * args.inner), initial(args.include_initial) {
        by_thread = inner >= 32 || size <= 128;
        const std::int64_t enough = by_thread ? 132 * 1024 : 2 * 132;  // threads, or blocks, for an H100
        const std::int64_t wanted =
            count == 0 ? 1 : std::clamp<std::int64_t>(size / (by_thread ? 128 : 2048), 1, (enough + count - 1) / count);
        chunk = (size + wanted - 1) / wanted;
        chunks = chunk == 0 ? 1 : (size + chunk - 1) / chunk;
    }

    __device__ std::int64_t begin(std::int64_t part) const { return part * chunk; }
    __device__ std::int64_t end(std::int64_t part) const { return min(size, (part + 1) * chunk); }
    /// Where a column begins, in an array of so many rows.
    __device__ std::int64_t start(std::int64_t column, std::int64_t rows) const {
        const Split place = split(column, inner);
        return place.quotient * rows * inner + place.remainder;
    }
};

/// The chunk's elements through one thread; with `out`, it writes.
template <typename T>
__device__ Running<T> go_through(const Columns& columns, std::int64_t column, std::int64_t part, const T* x, SumType<T>* out,
                                 Running<T> total, SumOrProduct op) {
    x += columns.start(column, columns.size);
    if (out) out += columns.start(column, columns.size + columns.initial);
    if (out && part == 0 && columns.initial) out[0] = convert<SumType<T>>(total);
    for (std::int64_t r = columns.begin(part); r < columns.end(part); ++r) {
        total = op(total, convert<Running<T>>(x[r * columns.inner]));
        if (out) out[(r + columns.initial) * columns.inner] = convert<SumType<T>>(total);
    }
    return total;
}

/// totals (columns, chunks)
template <typename T>
__global__ void total_by_threads(Columns columns, const T* x, Running<T>* totals, SumOrProduct op) {
    each_index(columns.count * columns.chunks, [&](std::int64_t e) {
        const Split at = split(e, columns.count);
        totals[at.remainder * columns.chunks + at.quotient] =
            go_through<T>(columns, at.remainder, at.quotient, x, nullptr, op.template neutral<Running<T>>(), op);
    });
}

template <typename T>
__global__ void scan_by_threads(Columns columns, const T* x, const Running<T>* totals, SumType<T>* out, SumOrProduct op) {
    each_index(columns.count * columns.chunks, [&](std::int64_t e) {
        const Split at = split(e, columns.count);
        const auto before = columns.chunks > 1 ? totals[at.remainder * columns.chunks + at.quotient] : op.template neutral<Running<T>>();
        go_through<T>(columns, at.remainder, at.quotient, x, out, before, op);
    });
}

/// A block for each chunk.
template <typename T>
__global__ void total_by_blocks(Columns columns, const T* x, Running<T>* totals, SumOrProduct op) {
    for (std::int64_t e = blockIdx.x; e < columns.count * columns.chunks; e += gridDim.x) {
        const Split at = split(e, columns.chunks);
        const T* column = x + columns.start(at.quotient, columns.size);
        const auto part = pairwise(op.template neutral<Running<T>>(), columns.begin(at.remainder) + threadIdx.x, columns.end(at.remainder),
                                   blockDim.x, op, [&](std::int64_t r) { return convert<Running<T>>(column[r * columns.inner]); });
        const auto total = block_reduce<1>(part, op);
        if (threadIdx.x == 0) totals[e] = total;
    }
}

template <typename T>
__global__ void scan_by_blocks(Columns columns, const T* x, const Running<T>* totals, SumType<T>* out, SumOrProduct op) {
    using A = Running<T>;
    for (std::int64_t e = blockIdx.x; e < columns.count * columns.chunks; e += gridDim.x) {
        const Split at = split(e, columns.chunks);
        const T* from = x + columns.start(at.quotient, columns.size);
        SumType<T>* to = out + columns.start(at.quotient, columns.size + columns.initial);
        A before = columns.chunks > 1 ? totals[e] : op.template neutral<A>();
        if (at.remainder == 0 && columns.initial && threadIdx.x == 0) to[0] = convert<SumType<T>>(before);
        const std::int64_t end = columns.end(at.remainder);
        for (std::int64_t first = columns.begin(at.remainder); first < end; first += blockDim.x) {
            const std::int64_t r = first + threadIdx.x;
            const A value = r < end ? convert<A>(from[r * columns.inner]) : op.template neutral<A>();
            A total;
            const A up_to_here = op(before, block_scan(value, op.template neutral<A>(), op, total));
            if (r < end) to[(r + columns.initial) * columns.inner] = convert<SumType<T>>(up_to_here);
            before = op(before, total);
        }
    }
}

/// A block for each column: what comes before each of its chunks.
template <typename A>
__global__ void scan_totals(Columns columns, A* totals, SumOrProduct op) {
    const A neutral = op.template neutral<A>();
    for (std::int64_t column = blockIdx.x; column < columns.count; column += gridDim.x) {
        A* of_column = totals + column * columns.chunks;
        A before = neutral;
        for (std::int64_t first = 0; first < columns.chunks; first += blockDim.x) {
            const std::int64_t part = first + threadIdx.x;
            A total;
            const A up_to_here = op(before, block_scan(part < columns.chunks ? of_column[part] : neutral, neutral, op, total));
            if (part == first) of_column[part] = before;
            if (part + 1 < columns.chunks && part + 1 < first + blockDim.x) of_column[part + 1] = up_to_here;
            before = op(before, total);
        }
    }
}

template <typename T>
void run(const ScanArgs& args) {
    const Columns columns(args);
    const SumOrProduct op{args.op};
    if (columns.count * (columns.size + columns.initial) == 0) return;
    const auto blocks = [](std::int64_t count) { return static_cast<unsigned>(std::min<std::int64_t>(count, 1 << 20)); };
    const std::int64_t parts = columns.count * columns.chunks;
    const LaunchShape shape = columns.by_thread ? shape_for(parts) : LaunchShape{{blocks(parts)}, {256}};
    const auto* x = static_cast<const T*>(args.x);
    auto* totals = static_cast<Running<T>*>(args.workspace);
    if (columns.chunks > 1) {
        launch(columns.by_thread ? total_by_threads<T> : total_by_blocks<T>, shape, columns, x, totals, op);
        launch(scan_totals<Running<T>>, {{blocks(columns.count)}, {256}}, columns, totals, op);
    }
    launch(columns.by_thread ? scan_by_threads<T> : scan_by_blocks<T>, shape, columns, x, totals, static_cast<SumType<T>*>(args.out), op);
}

}  // namespace

template <>
std::size_t scan_workspace<level>(const ScanArgs& args) {
    const Columns columns(args);
    return columns.chunks > 1 ? static_cast<std::size_t>(columns.count * columns.chunks) * sizeof(double) : 0;
}

template <>
void scan<level>(const ScanArgs& args) {
    with_type(args.type, [&]<typename T> { run<T>(args); });
}

}  // namespace pyengine::kernels
