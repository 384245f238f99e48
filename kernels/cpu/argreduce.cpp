// Along a row, vectors find the extreme of each block, and only the block that holds it is searched for its place; down columns, a few
// dozen of them at a time keep their extremes and places side by side.
#include "kernels/argreduce.h"

#include "kernels/cpu/fold.h"
#include "kernels/cpu/parallel.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 32768;
constexpr std::int64_t tile_columns = 64;

/// Whether `value` replaces `held`: strictly more extreme, or the first NaN.
template <typename Op, typename A>
bool replaces(A value, A held) {
    const bool more = std::is_same_v<Op, Max> ? value > held : value < held;
    return (more | (value != value)) & (held == held);
}

template <typename Op, typename A, typename T>
std::int64_t search_row(const T* x, std::int64_t stride, std::int64_t n) {
    A best{};
    std::int64_t start = 0;
    for (std::int64_t i = 0; i < n; i += leaf_elements<A>) {
        const T* block = x + i * stride;
        const std::int64_t size = min_of(n - i, leaf_elements<A>);
        const A extreme = fold_lanes<Op, A>(stride == 1 ? fold_leaf<Op, A>(block, size) : fold_packed_leaf<Op, A>(block, stride, size));
        if (i > 0 && !replaces<Op>(extreme, best)) continue;
        best = extreme;
        start = i;
    }
    const auto found = [&](A value) { return value == best || (value != value && best != best); };
    while (!found(convert<A>(x[start * stride]))) ++start;
    return start;
}

template <typename Op, typename A, typename T>
void search_columns(const T* x, std::int64_t stride, std::int64_t n, std::int64_t columns, std::int64_t* out, std::int64_t out_stride) {
    A best[tile_columns];
    std::int64_t place[tile_columns] = {};
    for (std::int64_t j = 0; j < columns; ++j) best[j] = convert<A>(x[j]);
    for (std::int64_t r = 1; r < n; ++r) {
        const T* row = x + r * stride;
        for (std::int64_t j = 0; j < columns; ++j) {
            const A value = convert<A>(row[j]);
            const bool better = replaces<Op>(value, best[j]);
            best[j] = better ? value : best[j];
            place[j] = better ? r : place[j];
        }
    }
    for (std::int64_t j = 0; j < columns; ++j) out[j * out_stride] = place[j];
}

template <typename Op, typename A, typename T>
void run(const ArgReduceArgs& args) {
    const T* x = static_cast<const T*>(args.x);
    const Axes kept = args.kept, out_axes{kept.rank, kept.sizes, args.out_strides};
    const std::int64_t last = kept.rank - 1;
    const bool down_columns = kept.rank > 0 && kept.strides[last] == 1 && args.stride != 1;
    const std::int64_t width = down_columns ? kept.sizes[last] : 1, tiles = (width + tile_columns - 1) / tile_columns;
    const std::int64_t tasks = width == 0 ? 0 : count_of(kept) / width * tiles;
    const std::int64_t cost = args.size * min_of(width, tile_columns);
    parallel_blocks(
        tasks, max_of<std::int64_t>(1, task_elements / max_of<std::int64_t>(1, cost)), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t task = begin; task < end; ++task) {
                const std::int64_t first = task % tiles * tile_columns, k = task / tiles * width + first;
                const T* at = x + offset_of(kept, k);
                std::int64_t* out = args.out + offset_of(out_axes, k);
                if (down_columns)
                    search_columns<Op, A>(at, args.stride, args.size, min_of(width - first, tile_columns), out, args.out_strides[last]);
                else
                    *out = search_row<Op, A>(at, args.stride, args.size);
            }
        });
}

}  // namespace

template <>
std::size_t argreduce_workspace<level>(const ArgReduceArgs&) {
    return 0;
}

template <>
void argreduce<level>(const ArgReduceArgs& args) {
    with_type(args.type, [&]<typename T> { args.largest ? run<Max, Comparable<T>, T>(args) : run<Min, Comparable<T>, T>(args); });
}

}  // namespace pyengine::kernels
