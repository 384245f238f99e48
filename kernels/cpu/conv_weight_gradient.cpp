// conv_weight_gradient: (channels x taps, rows) = slices of x (channels x taps, positions) transposed y (positions, rows), summed over the
// positions of all images; rows are the output channels of a group.
//
// Elements of x are broadcast from the scratch of conv_source.h, row (channel, tap) and position at slices[row] + meeting.x; y is packed
// with the output channels in vectors. Where there are channels enough to fill a register tile with rows of one tap, positions that meet
// padding there are left out. A task has a block of channels and a share of the images (a split), and adds up a matrix of its own; the
// matrices are added in the order of the splits, whose number depends on the shape alone.
#include "kernels/conv.h"
#include "kernels/cpu/conv_narrow.h"
#include "kernels/cpu/conv_source.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr Index x_bytes = 128 * 1024;          // of a block of x
constexpr Index most_positions = 1024;         // of a block: a panel of y stays in cache
constexpr Index most_narrow_positions = 4096;  // the same for conv_narrow.h
constexpr Index least_rows = 128;              // (channel, tap) pairs of a task, so that packing y is cheap beside the product
constexpr Index least_channels = 8;            // to fill a tile with rows of one tap
constexpr Index wanted_tasks = 16;
constexpr Index most_partial_sums = 16 << 20;  // over all splits

/// A position of the block: where x of slice 0 stands in scratch, and which row of the packed y it is.
struct Meeting {
    Index x, y;
};

struct Plan {
    Source source;  // channels: of a task
    Index groups, channels, rows;
    Index channel_blocks, splits;
    bool narrow;  // few rows: conv_narrow.h
    bool by_tap;  // rows of a tile share a tap, and have a list of meetings of their own

    Index taps() const { return source.taps(); }
    Index positions() const { return source.images * volume(source.outputs); }
    Index lists() const { return by_tap ? taps() : 1; }
};

template <typename T>
Plan make_plan(const ConvArgs& args) {
    Plan plan{};
    Source& s = plan.source;
    plan.groups = args.groups;
    plan.channels = args.in_channels / args.groups;
    plan.rows = args.out_channels / args.groups;
    for (int i = 0; i < 3; ++i)
        s.axis[i] = {args.in_size[i], args.out_size[i], args.kernel_size[i], args.stride[i], -args.padding[i], args.dilation[i]};
    s.start(args.batch, plan.channels);
    plan.narrow = 4 * plan.rows <= lanes<T>;
    const Index most = plan.narrow ? most_narrow_positions : most_positions;
    while (plan.positions() > most) s.halve();
    const bool whole = s.block_count() == s.batch;  // blocks are images
    plan.by_tap = whole && plan.channels >= least_channels && 32 * all_uses(conv_product(args)) < 31 * plan.positions() * plan.taps();
    while (whole && 4 * plan.positions() <= most && 2 * s.images <= s.batch) s.images *= 2;
    s.lay_out();
    const auto too_large = [&] { return s.channels * s.channel_size * static_cast<Index>(sizeof(T)) > x_bytes; };
    while (too_large() && s.channels * plan.taps() > 2 * least_rows) s.channels = ceil_div(s.channels, 2);
    plan.channel_blocks = ceil_div(plan.channels, max_of(Index{1}, s.channels));
    const Index sums = plan.groups * plan.channels * plan.taps() * padded_cols<T>(plan.rows);
    plan.splits = ceil_div(wanted_tasks, max_of(Index{1}, plan.groups * plan.channel_blocks));
    plan.splits = min_of(plan.splits, most_partial_sums / max_of(Index{1}, sums));
    plan.splits = max_of(Index{1}, min_of(plan.splits, s.block_count()));
    return plan;
}

/// Offsets of the parts of the workspace, in bytes.
template <typename T>
struct Workspace {
    Index slices, counts, meetings, sums, scratch, packed, lane;  // packed: within a lane's scratch

    explicit Workspace(const Plan& plan) {
        const Index size = sizeof(T);
        slices = whole_lines(plan.taps() * static_cast<Index>(sizeof(Use)));
        counts = slices + whole_lines(plan.source.channels * plan.taps() * static_cast<Index>(sizeof(Index)));
        meetings = counts + whole_lines(plan.lists() * static_cast<Index>(sizeof(Index)));
        sums = meetings + whole_lines(plan.lists() * plan.positions() * static_cast<Index>(sizeof(Meeting)));
        scratch = sums + whole_lines(plan.splits * plan.groups * plan.channels * plan.taps() * padded_cols<T>(plan.rows) * size);
        packed = whole_lines(plan.source.template scratch_size<T>() * size);
        lane = plan.narrow ? NarrowScratch<T>(plan.source, plan.rows).bytes : packed + whole_lines(plan.positions() * Tile<T>::cols * size);
    }
    Index bytes(int lanes) const { return scratch + lanes * lane; }
};

/// sums[i * sums_row + j] = or += sum_m x[slices[i * slice_step] + m.x] y[m.y * columns + j]
template <typename T>
struct PositionArgs {
    Index count;
    const Meeting* meetings;
    const T* x;
    const Index* slices;
    Index slice_step;
    const T* y;  // columns: whole vectors
    T* sums;
    Index sums_row;
    bool accumulate;
};

template <typename T, int rows, int vectors>
void position_tile(const PositionArgs<T>& args) {
    const T* row[rows];
    for (int i = 0; i < rows; ++i) row[i] = args.x + args.slices[i * args.slice_step];
    Vec<T> sum[rows][vectors] = {};
    for (Index m = 0; m < args.count; ++m) {
        const Index at = args.meetings[m].x;
        const T* y = args.y + args.meetings[m].y * vectors * lanes<T>;
        Vec<T> y_row[vectors];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) y_row[j] = load(y + j * lanes<T>);
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const Vec<T> x = broadcast(row[i][at]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j) sum[i][j] += x * y_row[j];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) {
            T* to = args.sums + i * args.sums_row + j * lanes<T>;
            store(to, args.accumulate ? load(to) + sum[i][j] : sum[i][j]);
        }
}

template <typename T, int vectors = Tile<T>::vectors, int rows = Tile<T>::rows>
void multiply_positions(Index wanted_vectors, Index wanted_rows, const PositionArgs<T>& args) {
    if constexpr (vectors > 1)
        if (wanted_vectors < vectors) return multiply_positions<T, vectors - 1, rows>(wanted_vectors, wanted_rows, args);
    if constexpr (rows > 1)
        if (wanted_rows < rows) return multiply_positions<T, vectors, rows - 1>(wanted_vectors, wanted_rows, args);
    position_tile<T, rows, vectors>(args);
}

template <typename T, typename E>
struct Task {
    const Plan& plan;
    const E *x, *y;
    const Use* uses;
    const Index *slices, *counts;  // counts: meetings of an image, for each list
    const Meeting* meetings;
    T* sums;
    std::byte* scratch;

    void run(Index split, Index group, Index channel_block) const {
        Source s = plan.source;
        const Index first_channel = group * plan.channels + channel_block * s.channels;
        s.channels = min_of(s.channels, plan.channels - channel_block * s.channels);
        const E* from = x + first_channel * in_volume();
        T* task_sums = sums + (split * plan.groups * plan.channels + first_channel) * plan.taps() * sums_row();
        const Index blocks = s.block_count(), first = split * blocks / plan.splits, last = (split + 1) * blocks / plan.splits;
        if (plan.narrow)
            run_narrow(s, from, y + group * plan.rows * out_volume(), first, last, task_sums);
        else
            for (Index b = first; b < last; ++b) add_block(s, from, group, s.block(b), task_sums, b > first);
    }

private:
    Index sums_row() const { return padded_cols<T>(plan.rows); }
    Index in_volume() const { return plan.source.axis[0].source * plan.source.axis[1].source * plan.source.axis[2].source; }
    Index out_volume() const { return plan.source.axis[0].outputs * plan.source.axis[1].outputs * plan.source.axis[2].outputs; }
    Index x_batch() const { return plan.groups * plan.channels * in_volume(); }
    Index y_batch() const { return plan.groups * plan.rows * out_volume(); }

    void run_narrow(const Source& s, const E* from, const E* gradient, Index first, Index last, T* to) const {
        const NarrowTask<T> task{s, plan.rows, uses, scratch};
        task.start();
        for (Index b = first; b < last; ++b) task.add(s.block(b), from, x_batch(), gradient, y_batch());
        task.finish(to, sums_row());
    }

    void add_block(const Source& s, const E* from, Index group, const Block& block, T* to, bool accumulate) const {
        T* const x_scratch = reinterpret_cast<T*>(scratch);
        T* const packed = reinterpret_cast<T*>(scratch + Workspace<T>(plan).packed);
        fill_source(s, block, from, x_batch(), x_scratch);
        for (Index row = 0; row < plan.rows; row += Tile<T>::cols) {
            const Index rows = min_of(Tile<T>::cols, plan.rows - row);
            pack_y(block, group * plan.rows + row, rows, packed);
            for (Index list = 0; list < plan.lists(); ++list) multiply(s, block, list, rows, x_scratch, packed, to + row, accumulate);
        }
    }

    /// All (channel, tap) pairs of a list, with the meetings of the block.
    void multiply(const Source& s, const Block& block, Index list, Index columns, const T* x_scratch, const T* packed, T* to,
                  bool accumulate) const {
        const Index pairs = s.channels * s.taps() / plan.lists(), panels = ceil_div(pairs, Tile<T>::rows), step = plan.lists();
        const Index count = plan.by_tap ? block.images * counts[list] : block.images * volume(block.outputs);
        for (Index panel = 0; panel < panels; ++panel) {
            const Index first = panel * pairs / panels, size = (panel + 1) * pairs / panels - first, pair = first * step + list;
            multiply_positions<T>(ceil_div(columns, lanes<T>), size,
                                  {count, meetings + list * plan.positions(), x_scratch, slices + pair, step, packed,
                                   to + pair * sums_row(), step * sums_row(), accumulate});
        }
    }

    /// The outputs of a block are neighbours within an image: only the outermost dimension that has several is cut.
    void pack_y(const Block& block, Index channel, Index rows, T* packed) const {
        const Axis(&axis)[3] = plan.source.axis;
        const Index first = (block.first[0] * axis[1].outputs + block.first[1]) * axis[2].outputs + block.first[2],
                    count = volume(block.outputs);
        for (Index i = 0; i < block.images; ++i) {
            const E* from = y + (block.image + i) * y_batch() + channel * out_volume() + first;
            transpose<T>(packed + i * count * padded_cols<T>(rows), padded_cols<T>(rows), from, out_volume(), rows, count);
        }
    }
};

/// Adds the splits up, for one vector of output channels.
template <typename T, typename E>
void add_splits(const Plan& plan, const T* sums, Index group, Index row, E* out) {
    const Index sums_row = padded_cols<T>(plan.rows), inner = plan.channels * plan.taps(), split_size = plan.groups * inner * sums_row;
    const Index rows = min_of(lanes<T>, plan.rows - row);
    const T* from = sums + group * inner * sums_row + row;
    E* to = out + (group * plan.rows + row) * inner;
    for (Index i = 0; i < inner; ++i) {
        Vec<T> total = load(from + i * sums_row);
        for (Index split = 1; split < plan.splits; ++split) total += load(from + split * split_size + i * sums_row);
        for (Index j = 0; j < rows; ++j) narrow(to[j * inner + i], total[j]);
    }
}

/// The positions of a full block, image after image; by tap, those that meet the source there. The first ones are those of a smaller block.
void find_meetings(const Product& p, const Plan& plan, Index* counts, Meeting* meetings) {
    const Source& s = plan.source;
    const Index(&size)[3] = s.outputs;
    for (Index list = 0; list < plan.lists(); ++list) {
        const Index tap[3] = {list / p.kernel_size[2] / p.kernel_size[1], list / p.kernel_size[2] % p.kernel_size[1],
                              list % p.kernel_size[2]};
        Meeting* to = meetings + list * plan.positions();
        for (Index y = 0; y < plan.positions(); ++y) {
            const Index q[3] = {y / size[2] / size[1] % size[0], y / size[2] % size[1], y % size[2]}, image = y / volume(size);
            if (plan.by_tap && (p.met(0, q[0], tap[0]) < 0 || p.met(1, q[1], tap[1]) < 0 || p.met(2, q[2], tap[2]) < 0)) continue;
            *to++ = {image * s.image_size + q[0] * s.plane + q[1] * s.pitch + q[2], y};
        }
        counts[list] = (to - (meetings + list * plan.positions())) / s.images;
    }
}

template <typename T, typename E>
void run(const ConvArgs& args) {
    const Plan plan = make_plan<T>(args);
    E* out = static_cast<E*>(args.out);
    const Index weights = plan.groups * plan.rows * plan.channels * plan.taps();
    if (plan.source.block_count() == 0) {
        for (Index i = 0; i < weights; ++i) out[i] = E{};
        return;
    }
    if (weights == 0) return;
    const Workspace<T> offsets(plan);
    std::byte* const workspace = static_cast<std::byte*>(args.workspace);
    Use* uses = reinterpret_cast<Use*>(workspace);
    Index* slices = reinterpret_cast<Index*>(workspace + offsets.slices);
    Index* counts = reinterpret_cast<Index*>(workspace + offsets.counts);
    Meeting* meetings = reinterpret_cast<Meeting*>(workspace + offsets.meetings);
    T* sums = reinterpret_cast<T*>(workspace + offsets.sums);
    plan.source.find_uses(args.kernel_size, uses);
    for (Index c = 0; c < plan.source.channels; ++c)
        for (Index tap = 0; tap < plan.taps(); ++tap) slices[c * plan.taps() + tap] = c * plan.source.channel_size + uses[tap].offset;
    if (!plan.narrow) find_meetings(conv_product(args), plan, counts, meetings);
    const Index tasks = plan.splits * plan.groups * plan.channel_blocks;
    parallel_with_scratch(
        tasks, args.threads, workspace + offsets.scratch, static_cast<std::size_t>(offsets.lane), [&](Index i, std::byte* lane) {
            const Task<T, E> task{plan, static_cast<const E*>(args.x), static_cast<const E*>(args.y), uses, slices, counts, meetings, sums,
                                  lane};
            task.run(i / plan.channel_blocks / plan.groups, i / plan.channel_blocks % plan.groups, i % plan.channel_blocks);
        });
    const Index vectors = ceil_div(plan.rows, lanes<T>);
    parallel_for(plan.groups * vectors, [&](Index i) { add_splits(plan, sums, i / vectors, i % vectors * lanes<T>, out); });
}

}  // namespace

template <>
std::size_t conv_weight_gradient_workspace<level>(const ConvArgs& args) {
    return with_float_type(args.type, [&]<typename E> {
        using T = SumOf<E>;
        const Plan plan = make_plan<T>(args);
        return plan.taps() == 0 ? std::size_t{0} : static_cast<std::size_t>(Workspace<T>(plan).bytes(args.threads));
    });
}

template <>
void conv_weight_gradient<level>(const ConvArgs& args) {
    with_float_type(args.type, [&]<typename E> { run<SumOf<E>, E>(args); });
}

}  // namespace pyengine::kernels
