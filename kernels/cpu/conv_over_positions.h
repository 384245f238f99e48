// conv and conv_transpose with vectors over output positions.
//
// conv is one product (rows, channels x taps) (channels x taps, positions) for each group. conv_transpose with a stride is one for each
// residue of the output position modulo the stride: the taps that meet a residue are a convolution without stride of their own, over the
// same source.
//
//     stride 2, kernel 3      x[2q]     = y[q] w[0] + y[q-1] w[2]
//                             x[2q + 1] = y[q] w[1]
//
// A task fills its scratch with a block of the source, and for each panel of rows multiplies run after run of positions into a strip, from
// which the rows are written out; positions that fall between the rows of the image are computed and not stored.
#pragma once

#include "kernels/cpu/conv_source.h"

namespace pyengine::kernels {
namespace {

constexpr Index wanted_tasks = 16;

/// The outputs of one residue: all of conv.
struct Pass {
    Source source;
    Index use_count;
    Index parts;  // of the panels; a task has one

    Index run_columns() const { return (source.outputs[1] - 1) * source.pitch + source.outputs[2]; }
};

/// The outputs first, first + stride, ... along one dimension.
inline Axis transpose_axis(const Product& p, int i, Index first) {
    const Index stride = p.stride[i], dilation = p.dilation[i], size = p.kernel_size[i];
    const Index every = stride / greatest_common_divisor(stride, dilation);  // of two neighbours among the taps that meet these outputs
    const auto misses = [&](Index tap) { return (first + p.padding[i] - tap * dilation) % stride != 0; };
    Index tap = 0;
    while (tap < min_of(every, size) && misses(tap)) ++tap;
    const Index taps = tap < min_of(every, size) ? ceil_div(size - tap, every) : 0;
    const Index origin = taps > 0 ? (first + p.padding[i] - tap * dilation) / stride : 0;
    return {
        p.source_size[i], ceil_div(p.out_size[i] - first, stride), taps, 1, origin, -every * dilation / stride, tap, every, first, stride};
}

inline Axis conv_axis(const Product& p, int i) {
    return {p.source_size[i], p.out_size[i], p.kernel_size[i], p.stride[i], -p.padding[i], p.dilation[i]};
}

template <typename T>
Pass make_pass(const Product& p, const Index (&first)[3]) {
    constexpr Index scratch_bytes = 256 * 1024;  // a share of the second-level cache
    Pass pass;
    Source& s = pass.source;
    for (int i = 0; i < 3; ++i) s.axis[i] = p.transposed ? transpose_axis(p, i, first[i]) : conv_axis(p, i);
    pass.use_count = s.taps();
    if (pass.use_count == 0)  // no tap meets these outputs: sums of nothing
        for (Axis& axis : s.axis) axis.taps = 1;
    s.start(p.batch, pass.use_count == 0 ? 0 : p.channels);
    const auto columns = [&] { return s.outputs[0] > 1 ? INT64_MAX : s.outputs[1] * s.pitch; };
    const auto tasks = [&] { return max_of(Index{1}, s.block_count() * p.groups); };
    while (s.channels * s.channel_size * static_cast<Index>(sizeof(T)) > scratch_bytes && columns() > 4 * Tile<T>::cols) s.halve();
    while (tasks() < wanted_tasks && columns() > 8 * Tile<T>::cols) s.halve();
    pass.parts = min_of(Panels<T>{p.rows}.count, ceil_div(wanted_tasks, tasks()));
    return pass;
}

/// Calls body(pass) for every residue of the outputs modulo the stride.
template <typename T, typename Body>
void for_each_pass(const Product& p, Body body) {
    Index residues[3], first[3];
    for (int i = 0; i < 3; ++i) residues[i] = min_of(p.transposed ? p.stride[i] : 1, p.out_size[i]);
    for (first[0] = 0; first[0] < residues[0]; ++first[0])
        for (first[1] = 0; first[1] < residues[1]; ++first[1])
            for (first[2] = 0; first[2] < residues[2]; ++first[2]) body(make_pass<T>(p, first));
}

/// Offsets within the workspace of a pass, in bytes.
template <typename T>
struct PassWorkspace {
    Index scratch, strip, lane;  // strip: within a lane's scratch

    explicit PassWorkspace(const Pass& pass) {
        scratch = whole_lines(pass.use_count * static_cast<Index>(sizeof(Use)));
        strip = whole_lines(pass.source.template scratch_size<T>() * static_cast<Index>(sizeof(T)));
        lane = strip + whole_lines(Tile<T>::rows * padded_cols<T>(pass.run_columns()) * static_cast<Index>(sizeof(T)));
    }
};

template <typename T>
Index over_positions_workspace(const Product& p, int threads) {
    Index most = 0;
    for_each_pass<T>(p, [&](const Pass& pass) {
        const PassWorkspace<T> offsets(pass);
        most = max_of(most, offsets.scratch + threads * offsets.lane);
    });
    return most;
}

template <typename T, typename E>
struct PassTask {
    const Product& product;
    const Pass& pass;
    const Arrays<T, E>& arrays;
    const Use* uses;
    T *scratch, *strip;

    void run(Index part, Index group, const Block& block) const {
        const Source& s = pass.source;
        const Index channel = volume(product.source_size);
        fill_source(s, block, arrays.source + group * product.channels * channel, product.groups * product.channels * channel, scratch);
        const Panels<T> panels{product.rows};
        for (Index panel = part * panels.count / pass.parts; panel < (part + 1) * panels.count / pass.parts; ++panel) {
            const Index row = group * product.rows + panels.first(panel), rows = panels.size(panel);
            const MultiplyTaps<T> multiply = multiply_taps_of<T>(rows);
            const T* weights = arrays.weights + row * product.channels * product.taps();
            for (Index i = 0; i < block.images; ++i)
                for (Index d = 0; d < block.outputs[0]; ++d) {
                    const T* run = scratch + i * s.image_size + d * s.plane;
                    const Index columns = (block.outputs[1] - 1) * s.pitch + block.outputs[2];
                    multiply({columns, s.channels, uses, pass.use_count, weights, run, s.channel_size, strip, strip_row()});
                    for (Index r = 0; r < rows; ++r) store_plane(row + r, block, i, d, strip + r * strip_row());
                }
        }
    }

private:
    Index strip_row() const { return padded_cols<T>(pass.run_columns()); }

    void store_plane(Index row, const Block& block, Index image, Index d, const T* sums) const {
        const Axis(&axis)[3] = pass.source.axis;
        const Index(&size)[3] = product.out_size;
        const T bias = arrays.bias ? widened(arrays.bias[row]) : T{};
        E* plane = arrays.out + ((block.image + image) * product.groups * product.rows + row) * volume(size);
        plane += axis[0].output(block.first[0] + d) * size[1] * size[2] + axis[2].output(block.first[2]);
        for (Index h = 0; h < block.outputs[1]; ++h)
            add_row(plane + axis[1].output(block.first[1] + h) * size[2], axis[2].out_step, sums + h * pass.source.pitch, block.outputs[2],
                    bias);
    }
};

template <typename T, typename E>
void run_over_positions(const Product& product, const Arrays<T, E>& arrays, std::byte* workspace, int threads) {
    for_each_pass<T>(product, [&](const Pass& pass) {
        const PassWorkspace<T> offsets(pass);
        Use* uses = reinterpret_cast<Use*>(workspace);
        if (pass.use_count > 0) pass.source.find_uses(product.kernel_size, uses);
        const Index tasks = pass.source.block_count() * product.groups * pass.parts;
        parallel_with_scratch(
            tasks, threads, workspace + offsets.scratch, static_cast<std::size_t>(offsets.lane), [&](Index i, std::byte* lane) {
                const PassTask<T, E> task{
                    product, pass, arrays, uses, reinterpret_cast<T*>(lane), reinterpret_cast<T*>(lane + offsets.strip)};
                task.run(i % pass.parts, i / pass.parts % product.groups, pass.source.block(i / pass.parts / product.groups));
            });
    });
}

}  // namespace
}  // namespace pyengine::kernels
