// Two ways through the array, both pairwise: along rows, where the innermost reduced axis is contiguous (other strides are packed a leaf at
// a time), with four vector accumulators; and down columns, where the innermost kept axis is, with one vector for each few columns. Where
// there are too few outputs to share out, the reduced axes are cut into chunks and the chunks' results combined at the end.
#include "kernels/reduce.h"

#include "kernels/cpu/fold.h"
#include "kernels/cpu/parallel.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 32768;  // about the work that is worth a task
constexpr std::int64_t enough_tasks = 16;
constexpr std::int64_t leaf_rows = 32;
constexpr std::int64_t tile_vectors = 32;

template <typename A>
constexpr std::int64_t tile_columns = tile_vectors * lanes<A>;

/// How the work is cut: by sizes and strides alone.
struct Plan {
    bool down_columns, one_row;
    std::int64_t width, tiles;   // columns, and tiles of them; 1 along rows
    std::int64_t groups;         // kept elements, all but the columns
    std::int64_t length, chunk;  // what chunks cut: rows, or the elements of a single one
    std::int64_t chunks() const { return length > 0 ? (length + chunk - 1) / chunk : 1; }
    std::int64_t outputs() const { return groups * width; }
};

std::int64_t last_stride(const Axes& axes) { return axes.rank > 0 ? axes.strides[axes.rank - 1] : 0; }
std::int64_t last_size(const Axes& axes) { return axes.rank > 0 ? axes.sizes[axes.rank - 1] : 1; }

template <typename A>
Plan plan_of(const ReduceArgs& args) {
    Plan plan;
    plan.down_columns = last_stride(args.kept) == 1 && last_stride(args.reduced) != 1;
    plan.width = plan.down_columns ? last_size(args.kept) : 1;
    plan.tiles = plan.down_columns ? (plan.width + tile_columns<A> - 1) / tile_columns<A> : 1;
    plan.groups = count_of(plan.down_columns ? outer_axes(args.kept) : args.kept);
    const std::int64_t rows = count_of(plan.down_columns ? args.reduced : outer_axes(args.reduced));
    plan.one_row = !plan.down_columns && rows == 1;
    plan.length = plan.one_row ? last_size(args.reduced) : rows;
    const std::int64_t cost = plan.down_columns ? min_of(plan.width, tile_columns<A>) : plan.one_row ? 1 : last_size(args.reduced);
    plan.chunk = max_of<std::int64_t>(1, task_elements / max_of<std::int64_t>(1, cost));
    if (plan.groups * plan.tiles >= enough_tasks || plan.length < 2 * plan.chunk) plan.chunk = max_of<std::int64_t>(1, plan.length);
    return plan;
}

/// Where results go: to the output, or, as accumulators, to the workspace.
template <typename A, typename Out>
struct Target {
    Out* out;
    Axes axes;
    A divisor;

    void put(std::int64_t k, A value) const { out[offset_of(axes, k)] = convert<Out>(divided(value)); }

    /// n of the vector's lanes, from output k on, all in one run of the last axis.
    void put(std::int64_t k, Vec<A> value, std::int64_t n) const {
        const std::int64_t stride = last_stride(axes);
        Out* to = out + offset_of(axes, k);
        if constexpr (std::is_same_v<Out, A>) {
            if (stride == 1 && n == lanes<A>) return store(to, divided(value));
        } else if constexpr (is_half<Out>) {
            if (stride == 1 && n == lanes<A>) return store_float(to, divided(value));
        }
        A parts[lanes<A>];
        store(parts, divided(value));
        for (std::int64_t i = 0; i < n; ++i) to[i * stride] = convert<Out>(parts[i]);
    }

    template <typename V>
    V divided(V value) const {
        if constexpr (std::is_floating_point_v<A>)
            return value / divisor;
        else
            return value;
    }
};

// Along rows ------------------------------------------------------------------------------------------------------------------------------

/// Combines leaves as a balanced tree while they come in order, as a binary counter carries: level i holds the result of 2^i of them.
template <typename Op, typename A>
class Cascade {
public:
    void add(Vec<A> leaf) {
        int level = 0;
        for (std::uint64_t carry = count_; carry & 1; carry >>= 1) leaf = Op::combine(levels_[level++], leaf);
        levels_[level] = leaf;
        ++count_;
    }

    Vec<A> total() const {
        Vec<A> result = broadcast(Op::template identity<A>);
        int level = 0;
        for (std::uint64_t rest = count_; rest; rest >>= 1, ++level)
            if (rest & 1) result = Op::combine(levels_[level], result);
        return result;
    }

private:
    std::uint64_t count_ = 0;
    Vec<A> levels_[64];
};

template <typename Op, typename A, typename T>
void add_row(Cascade<Op, A>& cascade, const T* x, std::int64_t stride, std::int64_t n) {
    for (std::int64_t i = 0; i < n; i += leaf_elements<A>) {
        const std::int64_t size = min_of(n - i, leaf_elements<A>);
        cascade.add(stride == 1 ? fold_leaf<Op, A>(x + i, size) : fold_packed_leaf<Op, A>(x + i * stride, stride, size));
    }
}

/// One output, over one chunk.
template <typename Op, typename A, typename T>
A fold_chunk(const T* x, const Axes& reduced, const Plan& plan, std::int64_t chunk) {
    const std::int64_t begin = chunk * plan.chunk, end = min_of(begin + plan.chunk, plan.length), stride = last_stride(reduced);
    Cascade<Op, A> cascade;
    if (plan.one_row)
        add_row(cascade, x + begin * stride, stride, end - begin);
    else
        for (std::int64_t row = begin; row < end; ++row)
            add_row(cascade, x + offset_of(outer_axes(reduced), row), stride, last_size(reduced));
    return fold_lanes<Op, A>(cascade.total());
}

template <typename Op, typename A, typename T, typename Target>
void along_rows(const ReduceArgs& args, const Plan& plan, const T* x, const Target& target) {
    const std::int64_t chunks = plan.chunks();
    const std::int64_t cost = max_of<std::int64_t>(1, count_of(args.reduced) / chunks);
    parallel_blocks(plan.groups * chunks, max_of<std::int64_t>(1, task_elements / cost), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t chunk = i / plan.groups, group = i % plan.groups;
            target.put(i, fold_chunk<Op, A>(x + offset_of(args.kept, group), args.reduced, plan, chunk));
        }
    });
}

// Down columns ----------------------------------------------------------------------------------------------------------------------------

/// Accumulators of up to tile_vectors vectors of columns; the last may be partial.
template <typename A>
struct Tile {
    Vec<A> sums[tile_vectors];
};

template <typename Op, typename A, typename T>
void add_four_rows(Tile<A>& tile, const T* r0, const T* r1, const T* r2, const T* r3, std::int64_t columns) {
    const auto combine_at = [&](std::int64_t vector, auto at) {
        tile.sums[vector] = Op::combine(tile.sums[vector], Op::combine(Op::combine(at(r0), at(r1)), Op::combine(at(r2), at(r3))));
    };
    const std::int64_t full = columns / lanes<A>, rest = columns % lanes<A>;
    for (std::int64_t v = 0; v < full; ++v) combine_at(v, [v](const T* row) { return load_wide<A>(row + v * lanes<A>); });
    if (rest) combine_at(full, [=](const T* row) { return load_wide_partial<A>(row + full * lanes<A>, rest, A{}); });
}

template <typename Op, typename A, typename T>
void add_row(Tile<A>& tile, const T* row, std::int64_t columns) {
    const std::int64_t full = columns / lanes<A>, rest = columns % lanes<A>;
    for (std::int64_t v = 0; v < full; ++v) tile.sums[v] = Op::combine(tile.sums[v], load_wide<A>(row + v * lanes<A>));
    if (rest) tile.sums[full] = Op::combine(tile.sums[full], load_wide_partial<A>(row + full * lanes<A>, rest, A{}));
}

/// tile = rows begin to end, combined.
template <typename Op, typename A, typename T>
void fold_tile(Tile<A>& tile, const T* x, const Axes& reduced, std::int64_t begin, std::int64_t end, std::int64_t columns) {
    const std::int64_t vectors = (columns + lanes<A> - 1) / lanes<A>;
    if (end - begin > leaf_rows) {
        const std::int64_t middle = begin + (end - begin + leaf_rows - 1) / leaf_rows / 2 * leaf_rows;
        Tile<A> other;
        fold_tile<Op>(tile, x, reduced, begin, middle, columns);
        fold_tile<Op>(other, x, reduced, middle, end, columns);
        for (std::int64_t v = 0; v < vectors; ++v) tile.sums[v] = Op::combine(tile.sums[v], other.sums[v]);
        return;
    }
    for (std::int64_t v = 0; v < vectors; ++v) tile.sums[v] = broadcast(Op::template identity<A>);
    const auto row = [&](std::int64_t r) { return x + offset_of(reduced, r); };
    std::int64_t r = begin;
    for (; r + 4 <= end; r += 4) add_four_rows<Op>(tile, row(r), row(r + 1), row(r + 2), row(r + 3), columns);
    for (; r < end; ++r) add_row<Op>(tile, row(r), columns);
}

template <typename Op, typename A, typename T, typename Target>
void down_columns(const ReduceArgs& args, const Plan& plan, const T* x, const Target& target) {
    const Axes groups = outer_axes(args.kept);
    const std::int64_t tasks = plan.groups * plan.tiles * plan.chunks();
    const std::int64_t cost = max_of<std::int64_t>(1, min_of(plan.width, tile_columns<A>) * min_of(plan.chunk, plan.length));
    parallel_blocks(tasks, max_of<std::int64_t>(1, task_elements / cost), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
            const std::int64_t first = task % plan.tiles * tile_columns<A>, columns = min_of(plan.width - first, tile_columns<A>);
            const std::int64_t group = task / plan.tiles % plan.groups, chunk = task / plan.tiles / plan.groups;
            Tile<A> tile;
            fold_tile<Op>(tile, x + offset_of(groups, group) + first, args.reduced, chunk * plan.chunk,
                          min_of((chunk + 1) * plan.chunk, plan.length), columns);
            const std::int64_t k = (chunk * plan.groups + group) * plan.width + first;
            for (std::int64_t i = 0; i < columns; i += lanes<A>) target.put(k + i, tile.sums[i / lanes<A>], min_of(columns - i, lanes<A>));
        }
    });
}

// Together --------------------------------------------------------------------------------------------------------------------------------

template <typename Op, typename A>
A fold_chunks(const A* parts, std::int64_t stride, std::int64_t begin, std::int64_t end) {
    if (end - begin == 1) return parts[begin * stride];
    const std::int64_t middle = begin + (end - begin) / 2;
    return Op::template combine<A>(fold_chunks<Op>(parts, stride, begin, middle), fold_chunks<Op>(parts, stride, middle, end));
}

template <typename Op, typename A, typename T, typename Target>
void fold(const ReduceArgs& args, const Plan& plan, const T* x, const Target& target) {
    plan.down_columns ? down_columns<Op, A>(args, plan, x, target) : along_rows<Op, A>(args, plan, x, target);
}

template <typename Op, typename T, typename A, typename Out>
void run(const ReduceArgs& args) {
    const Plan plan = plan_of<A>(args);
    const std::int64_t outputs = plan.outputs(), one = 1;
    if (outputs == 0) return;
    const A divisor = args.op == ReduceOp::mean ? static_cast<A>(count_of(args.reduced)) : A{1};
    const Target<A, Out> target{static_cast<Out*>(args.out), {args.kept.rank, args.kept.sizes, args.out_strides}, divisor};
    const T* x = static_cast<const T*>(args.x);
    if (plan.chunks() == 1) return fold<Op, A>(args, plan, x, target);
    A* parts = static_cast<A*>(args.workspace);
    fold<Op, A>(args, plan, x, Target<A, A>{parts, {1, &outputs, &one}, A{1}});
    for (std::int64_t k = 0; k < outputs; ++k) target.put(k, fold_chunks<Op>(parts + k, outputs, 0, plan.chunks()));
}

/// Calls `call` with the operation, and the types of elements, accumulators and results.
template <typename Call>
auto dispatch(const ReduceArgs& args, Call call) {
    return with_type(args.type, [&]<typename T> {
        switch (args.op) {
            case ReduceOp::sum:
            case ReduceOp::mean: return call.template operator()<Sum, T, Accumulator<T>, SumType<T>>();
            case ReduceOp::prod: return call.template operator()<Product, T, Accumulator<T>, SumType<T>>();
            case ReduceOp::min:
            case ReduceOp::all: return call.template operator()<Min, T, Comparable<T>, T>();
            case ReduceOp::count_nonzero: return call.template operator()<Sum, Truth<Counted<T>>, std::int64_t, std::int64_t>();
            default: return call.template operator()<Max, T, Comparable<T>, T>();
        }
    });
}

}  // namespace

template <>
std::size_t reduce_workspace<level>(const ReduceArgs& args) {
    return dispatch(args, [&]<typename Op, typename T, typename A, typename Out>() -> std::size_t {
        const Plan plan = plan_of<A>(args);
        return plan.chunks() == 1 ? 0 : static_cast<std::size_t>(plan.chunks() * plan.outputs()) * sizeof(A);
    });
}

template <>
void reduce<level>(const ReduceArgs& args) {
    dispatch(args, [&]<typename Op, typename T, typename A, typename Out>() { run<Op, T, A, Out>(args); });
}

}  // namespace pyengine::kernels
