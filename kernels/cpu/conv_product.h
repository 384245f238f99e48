// What conv and conv_transpose have in common: a sum over the channels of a source and the taps of the kernel, for each row (an output
// channel of a group) and output position. They differ in where an output meets the source.
#pragma once

#include "kernels/conv.h"
#include "kernels/cpu/conv_tile.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/transpose.h"

namespace pyengine::kernels {
namespace {

inline Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
inline Index volume(const Index (&size)[3]) { return size[0] * size[1] * size[2]; }
inline Index whole_lines(Index bytes) { return ceil_div(bytes, 64) * 64; }

struct Product {
    bool transposed;
    Index batch, groups, rows, channels;  // rows and channels of a group
    Index source_size[3], out_size[3], kernel_size[3], stride[3], dilation[3], padding[3];
    Index w_group, w_row, w_channel;  // strides of the weights

    Index taps() const { return volume(kernel_size); }

    /// The source element that output q meets with a tap along dimension i, or -1.
    Index met(int i, Index q, Index tap) const {
        const Index reach = transposed ? q + padding[i] - tap * dilation[i] : q * stride[i] + tap * dilation[i] - padding[i];
        if (transposed && reach % stride[i] != 0) return -1;
        const Index at = transposed ? reach / stride[i] : reach;
        return at >= 0 && at < source_size[i] ? at : -1;
    }
};

inline Product conv_product(const ConvArgs& args) {
    Product p{};
    p.batch = args.batch;
    p.groups = args.groups;
    p.rows = args.out_channels / args.groups;
    p.channels = args.in_channels / args.groups;
    for (int i = 0; i < 3; ++i) {
        p.source_size[i] = args.in_size[i];
        p.out_size[i] = args.out_size[i];
        p.kernel_size[i] = args.kernel_size[i];
        p.stride[i] = args.stride[i];
        p.dilation[i] = args.dilation[i];
        p.padding[i] = args.padding[i];
    }
    p.w_channel = p.taps();
    p.w_row = p.channels * p.w_channel;
    p.w_group = p.rows * p.w_row;
    return p;
}

inline Product transpose_product(const ConvArgs& args) {
    Product p = conv_product(args);
    p.transposed = true;
    p.rows = args.in_channels / args.groups;
    p.channels = args.out_channels / args.groups;
    for (int i = 0; i < 3; ++i) {
        p.source_size[i] = args.out_size[i];
        p.out_size[i] = args.in_size[i];
    }
    p.w_row = p.taps();
    p.w_channel = p.rows * p.w_row;
    p.w_group = p.channels * p.w_channel;
    return p;
}

/// Taps that outputs meet in the source, summed over all outputs.
inline Index all_uses(const Product& p) {
    Index all = 1;
    for (int i = 0; i < 3; ++i) {
        Index uses = 0;
        for (Index q = 0; q < p.out_size[i]; ++q)
            for (Index tap = 0; tap < p.kernel_size[i]; ++tap) uses += p.met(i, q, tap) >= 0;
        all *= uses;
    }
    return all;
}

/// The rows of a group in panels of nearly even size, so that none is much smaller than the register tile.
template <typename T>
struct Panels {
    Index rows, count = ceil_div(rows, Tile<T>::rows);
    Index first(Index panel) const { return panel * rows / count; }
    Index size(Index panel) const { return first(panel + 1) - first(panel); }
};

/// Panel after panel: packed[(tap * channels + c) * size + i].
template <typename T, typename E>
void pack_weights(const Product& p, const E* w, T* packed) {
    const Panels<T> panels{p.rows};
    parallel_for(p.groups * panels.count, [&](Index task) {
        const Index group = task / panels.count, panel = task % panels.count;
        const Index first = panels.first(panel), rows = panels.size(panel);
        const E* from = w + group * p.w_group + first * p.w_row;
        T* to = packed + (group * p.rows + first) * p.channels * p.taps();
        for (Index c = 0; c < p.channels; ++c)
            for (Index tap = 0; tap < p.taps(); ++tap)
                for (Index i = 0; i < rows; ++i) to[(tap * p.channels + c) * rows + i] = widened(from[c * p.w_channel + tap + i * p.w_row]);
    });
}

/// to[j * to_step] = from[j] + bias. The last vector of a row overlaps the one before: masked stores are slow.
template <typename T, typename E>
void add_row(E* to, Index to_step, const T* from, Index n, T bias) {
    if (to_step != 1 || n < lanes<T>) {
        for (Index j = 0; j < n; ++j) narrow(to[j * to_step], from[j] + bias);
        return;
    }
    for (Index j = 0; j < n - lanes<T>; j += lanes<T>) store_narrow(to + j, load(from + j) + bias);
    store_narrow(to + n - lanes<T>, load(from + n - lanes<T>) + bias);
}

/// The arrays, of element type E, and the packed weights.
template <typename T, typename E>
struct Arrays {
    const E *source, *bias;
    E* out;
    const T* weights;
};

template <typename E>
using SumOf = decltype(widened(E{}));

}  // namespace
}  // namespace pyengine::kernels
