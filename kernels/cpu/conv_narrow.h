// The weights' gradient where a group has few output channels (depthwise convolutions, the last layer of a decoder), which would leave the
// vectors of conv_weight_gradient.cpp empty: vectors run over positions instead, and every weight is a dot product.
//
//     w[o,c,tap] = sum_f y[o, f] x[c, uses[tap].offset + f]       f over a run of positions, pitch by pitch, of an image
//
// Positions that fall between the rows of the image are zero in y and masked in x, where another row's NaN may stand.
#pragma once

#include "kernels/cpu/conv_source.h"

namespace pyengine::kernels {
namespace {

template <typename T>
using Mask = decltype(Vec<T>{} < Vec<T>{});

/// What the taps of one (row, channel) pair share: runs of whole vectors, `x_run` and `y_run` elements apart.
template <typename T>
struct DotArgs {
    Index runs, run_vectors;
    const T* x;
    Index x_run;
    const T* y;
    Index y_run;
    const Mask<T>* mask;
    const Use* uses;
    Vec<T>* sums;  // added to
};

template <typename T, int taps>
void dot_taps(const DotArgs<T>& args) {
    Vec<T> sum[taps];
    for (int t = 0; t < taps; ++t) sum[t] = args.sums[t];
    for (Index run = 0; run < args.runs; ++run) {
        const T* x[taps];
        for (int t = 0; t < taps; ++t) x[t] = args.x + run * args.x_run + args.uses[t].offset;
        const T* y = args.y + run * args.y_run;
        for (Index f = 0; f < args.run_vectors; ++f) {
            const Vec<T> y_vector = load(y + f * lanes<T>);
            const Mask<T> mask = args.mask[f];
#pragma GCC unroll 8
            for (int t = 0; t < taps; ++t) sum[t] += y_vector * (Vec<T>)((Mask<T>)load(x[t] + f * lanes<T>) & mask);
        }
    }
    for (int t = 0; t < taps; ++t) args.sums[t] = sum[t];
}

template <typename T, int taps = 8>
void dot_taps_of(Index wanted, const DotArgs<T>& args) {
    if constexpr (taps > 1)
        if (wanted < taps) return dot_taps_of<T, taps - 1>(wanted, args);
    dot_taps<T, taps>(args);
}

/// Scratch of a task, in bytes: a block of x, of y in runs of whole vectors, the mask of a run, sums by vectors.
template <typename T>
struct NarrowScratch {
    Index y, mask, sums, bytes;

    NarrowScratch(const Source& s, Index rows) {
        const Index size = sizeof(T), run = run_vectors(s.pitch, s.outputs) * lanes<T>;
        y = whole_lines(s.template scratch_size<T>() * size);
        mask = y + rows * s.images * s.outputs[0] * run * size;
        sums = mask + run * size;
        bytes = sums + rows * s.channels * s.taps() * lanes<T> * size;
    }

    static Index run_vectors(Index pitch, const Index (&outputs)[3]) { return ceil_div((outputs[1] - 1) * pitch + outputs[2], lanes<T>); }
};

template <typename T>
struct NarrowTask {
    const Source& source;
    Index rows;
    const Use* uses;
    std::byte* scratch;

    /// Sets the sums to zero.
    void start() const {
        Vec<T>* sums = at_sums();
        for (Index i = 0; i < rows * source.channels * source.taps(); ++i) sums[i] = Vec<T>{};
    }

    /// Adds a block; x and y point at the group's first channel of image 0.
    template <typename E>
    void add(const Block& block, const E* x, Index x_batch, const E* y, Index y_batch) const {
        const NarrowScratch<T> offsets(source, rows);
        T* const x_scratch = reinterpret_cast<T*>(scratch);
        T* const y_scratch = reinterpret_cast<T*>(scratch + offsets.y);
        const Index vectors = NarrowScratch<T>::run_vectors(source.pitch, block.outputs), run = vectors * lanes<T>;
        const Index row_size = block.images * block.outputs[0] * run;
        fill_source(source, block, x, x_batch, x_scratch);
        for (Index row = 0; row < rows; ++row)
            for (Index i = 0; i < block.images; ++i)
                fill_runs(block, y + (block.image + i) * y_batch + row * out_volume(),
                          y_scratch + row * row_size + i * block.outputs[0] * run, run);
        fill_mask(block, reinterpret_cast<T*>(scratch + offsets.mask), run);
        for (Index row = 0; row < rows; ++row)
            for (Index c = 0; c < source.channels; ++c)
                for (Index i = 0; i < block.images; ++i) {
                    const T* x_image = x_scratch + c * source.channel_size + i * source.image_size;
                    const T* y_image = y_scratch + row * row_size + i * block.outputs[0] * run;
                    add_taps({block.outputs[0], vectors, x_image, source.plane, y_image, run,
                              reinterpret_cast<const Mask<T>*>(scratch + offsets.mask), uses,
                              at_sums() + (row * source.channels + c) * source.taps()});
                }
    }

    /// to[(c * taps + tap) * to_row + row]
    void finish(T* to, Index to_row) const {
        const Index inner = source.channels * source.taps();
        for (Index row = 0; row < rows; ++row)
            for (Index i = 0; i < inner; ++i) to[i * to_row + row] = sum_lanes<T>(at_sums()[row * inner + i]);
    }

private:
    Vec<T>* at_sums() const { return reinterpret_cast<Vec<T>*>(scratch + NarrowScratch<T>(source, rows).sums); }
    Index out_volume() const { return source.axis[0].outputs * source.axis[1].outputs * source.axis[2].outputs; }

    template <typename E>
    void fill_runs(const Block& block, const E* y, T* to, Index run) const {
        const Axis(&axis)[3] = source.axis;
        for (Index d = 0; d < block.outputs[0]; ++d, to += run) {
            Index end = 0;
            for (Index h = 0; h < block.outputs[1]; ++h) {
                const E* from = y + ((block.first[0] + d) * axis[1].outputs + block.first[1] + h) * axis[2].outputs + block.first[2];
                for (; end < h * source.pitch; ++end) to[end] = T{};
                widen_row(to + end, from, block.outputs[2]);
                end += block.outputs[2];
            }
            for (; end < run; ++end) to[end] = T{};
        }
    }

    void fill_mask(const Block& block, T* mask, Index run) const {
        Vec<T> ones;
        std::memset(&ones, 0xff, sizeof ones);
        for (Index f = 0; f < run; ++f) mask[f] = T{};
        for (Index h = 0; h < block.outputs[1]; ++h)
            for (Index w = 0; w < block.outputs[2]; ++w) std::memcpy(mask + h * source.pitch + w, &ones, sizeof(T));
    }

    void add_taps(DotArgs<T> args) const {
        const Index taps = source.taps(), parts = ceil_div(taps, 8);
        Vec<T>* const sums = args.sums;
        for (Index part = 0; part < parts; ++part) {
            const Index first = part * taps / parts;
            args.uses = uses + first;
            args.sums = sums + first;
            dot_taps_of<T>((part + 1) * taps / parts - first, args);
        }
    }
};

}  // namespace
}  // namespace pyengine::kernels
