// How a convolution reads its source where vectors run over positions.
//
// A block of the source is copied to scratch, once and with its zeros, so that what one tap of the kernel meets at successive outputs lies
// in successive elements: the rows of the patch matrix (im2col), one for each channel and tap, are slices of the scratch, and the matrix is
// never built. With a stride, source columns that far apart become neighbours; each such set is a phase.
//
//     stride 2, kernel 3      source 0 1 2 3 4 5 6       phase 0: 0 2 4 6     taps 0 and 2 read 0 2 4 and 2 4 6
//                                                        phase 1: 1 3 5       tap 1 reads 1 3 5
//
// Scratch is [channel][image][phase][plane][row][column]. Rows follow one another with a pitch wider than the output, by what the kernel
// reaches beyond it, less the zeros that the end of one row shares with the start of the next.
#pragma once

#include "kernels/cpu/conv_product.h"

namespace pyengine::kernels {
namespace {

inline Index greatest_common_divisor(Index a, Index b) {
    while (b != 0) {
        const Index rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/// One dimension: output q and tap j meet at element origin + q * step + j * move of the source.
struct Axis {
    Index source, outputs, taps;
    Index step, origin, move;
    Index kernel_first = 0, kernel_step = 1;  // tap j is element kernel_first + j * kernel_step of the kernel
    Index out_first = 0, out_step = 1;        // output q is element out_first + q * out_step of the array

    Index lowest() const { return min_of(Index{0}, (taps - 1) * move); }  // of j * move; taps >= 1
    Index phases() const { return min_of(taps, step / greatest_common_divisor(step, move < 0 ? -move : move)); }
    Index phase(Index tap) const { return tap % phases(); }
    Index phase_offset(Index phase) const { return (phase * move - lowest()) % step; }
    Index shift(Index tap) const { return (tap * move - lowest()) / step; }
    Index reach() const { return (move < 0 ? -move : move) * (taps - 1) / step; }  // the largest shift

    Index output(Index q) const { return out_first + q * out_step; }

    /// The source element in column 0 of a phase, for a block that starts at output q.
    Index first_element(Index q, Index phase) const { return origin + q * step + lowest() + phase_offset(phase); }
};

/// The images and outputs that one filling of the scratch serves.
struct Block {
    Index image, images;
    Index first[3], outputs[3];
};

struct Source {
    Axis axis[3];
    Index batch, channels;                                     // channels: those in scratch at a time
    Index images, outputs[3];                                  // of a full block
    Index pitch, plane, phase_size, image_size, channel_size;  // set by lay_out()

    Index taps() const { return axis[0].taps * axis[1].taps * axis[2].taps; }
    Index phases() const { return axis[0].phases() * axis[1].phases() * axis[2].phases(); }
    Index blocks(int i) const { return ceil_div(axis[i].outputs, outputs[i]); }
    Index block_count() const { return ceil_div(batch, images) * blocks(0) * blocks(1) * blocks(2); }

    void start(Index batch_size, Index channel_count) {
        batch = batch_size;
        channels = channel_count;
        images = 1;
        for (int i = 0; i < 3; ++i) outputs[i] = max_of(Index{1}, axis[i].outputs);
        lay_out();
    }

    /// Halves the block along its outermost dimension that has several outputs: those of a block are neighbours in the array.
    void halve() {
        Index& size = outputs[outputs[0] > 1 ? 0 : outputs[1] > 1 ? 1 : 2];
        size = ceil_div(size, 2);
        lay_out();
    }

    /// Channels are an odd number of cache lines apart, so that a column of them does not fall into one set of the cache.
    void lay_out() {
        const Index shared = shared_columns();
        pitch = outputs[2] + axis[2].reach() - shared;
        plane = (outputs[1] + axis[1].reach()) * pitch;
        phase_size = (outputs[0] + axis[0].reach()) * plane + shared;
        image_size = phases() * phase_size;
        channel_size = (ceil_div(images * image_size, 16) | 1) * 16;
    }

    /// Elements of scratch: vectors that start in a slice may read beyond its end.
    template <typename T>
    Index scratch_size() const {
        return channels * channel_size + 8 * lanes<T>;
    }

    /// Block number b, images outermost.
    Block block(Index b) const {
        Block result;
        for (int i = 2; i >= 0; --i) {
            result.first[i] = b % blocks(i) * outputs[i];
            result.outputs[i] = min_of(outputs[i], axis[i].outputs - result.first[i]);
            b /= blocks(i);
        }
        result.image = b * images;
        result.images = min_of(images, batch - result.image);
        return result;
    }

    /// Where the outputs of a block, from its first on, meet each tap in channel 0; `uses` holds taps().
    void find_uses(const Index (&kernel_size)[3], Use* uses) const {
        Index tap[3];
        for (tap[0] = 0; tap[0] < axis[0].taps; ++tap[0])
            for (tap[1] = 0; tap[1] < axis[1].taps; ++tap[1])
                for (tap[2] = 0; tap[2] < axis[2].taps; ++tap[2]) {
                    Index number = 0, phase = 0;
                    for (int i = 0; i < 3; ++i) {
                        number = number * kernel_size[i] + axis[i].kernel_first + tap[i] * axis[i].kernel_step;
                        phase = phase * axis[i].phases() + axis[i].phase(tap[i]);
                    }
                    *uses++ = {number,
                               phase * phase_size + axis[0].shift(tap[0]) * plane + axis[1].shift(tap[1]) * pitch + axis[2].shift(tap[2])};
                }
    }

private:
    /// Zero columns at the end of a row that can be those at the start of the next, too.
    Index shared_columns() const {
        const Axis& a = axis[2];
        if (outputs[2] < a.outputs) return 0;
        Index low = a.reach(), high = a.reach();
        for (Index u = 0; u < a.phases(); ++u) {
            const Index columns = a.outputs + a.reach(), first = a.first_element(0, u);
            const Index before = first < 0 ? ceil_div(-first, a.step) : 0;
            const Index until = first < a.source ? ceil_div(a.source - first, a.step) : 0;
            low = min_of(low, before);
            high = min_of(high, max_of(columns - max_of(until, before), Index{0}));
        }
        return min_of(low, high);
    }
};

/// to[i] = from[i], widened.
template <typename T, typename E>
void widen_row(T* to, const E* from, Index n) {
    Index i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) store(to + i, load_wide(from + i));
    if constexpr (sizeof(T) == sizeof(E)) {
        if (i < n) store_partial(to + i, load_partial(from + i, n - i), n - i);
    } else {
        for (; i < n; ++i) to[i] = widened(from[i]);
    }
}

/// Column j of a row of scratch is element first + j * step of `from`, zero where there is none.
template <typename T, typename E>
void fill_row(T* to, Index columns, const E* from, Index size, Index first, Index step) {
    const Index begin = min_of(columns, first < 0 ? ceil_div(-first, step) : 0);
    const Index end = max_of(begin, min_of(columns, first < size ? ceil_div(size - first, step) : 0));
    for (Index j = 0; j < begin; ++j) to[j] = T{};
    if (step == 1)
        widen_row(to + begin, from + first + begin, end - begin);
    else
        for (Index j = begin; j < end; ++j) to[j] = widened(from[first + j * step]);
    for (Index j = end; j < columns; ++j) to[j] = T{};
}

/// One phase of one image of one channel.
template <typename T, typename E>
void fill_phase(const Source& s, const Block& block, const Index (&phase)[3], const E* from, T* to) {
    const Axis(&axis)[3] = s.axis;
    Index first[3], size[3];
    for (int i = 0; i < 3; ++i) {
        first[i] = axis[i].first_element(block.first[i], phase[i]);
        size[i] = block.outputs[i] + axis[i].reach();
    }
    for (Index d = 0; d < size[0]; ++d)
        for (Index h = 0; h < size[1]; ++h) {
            const Index at_d = first[0] + d * axis[0].step, at_h = first[1] + h * axis[1].step;
            const bool inside = at_d >= 0 && at_d < axis[0].source && at_h >= 0 && at_h < axis[1].source;
            const E* row = inside ? from + (at_d * axis[1].source + at_h) * axis[2].source : from;
            fill_row(to + d * s.plane + h * s.pitch, size[2], row, inside ? axis[2].source : 0, first[2], axis[2].step);
        }
}

/// Copies a block to scratch; `from` is the first channel of image 0, images `batch_stride` apart.
template <typename T, typename E>
void fill_source(const Source& s, const Block& block, const E* from, Index batch_stride, T* scratch) {
    const Index channel = s.axis[0].source * s.axis[1].source * s.axis[2].source;
    for (Index c = 0; c < s.channels; ++c)
        for (Index i = 0; i < block.images; ++i) {
            const E* image = from + (block.image + i) * batch_stride + c * channel;
            T* to = scratch + c * s.channel_size + i * s.image_size;
            for (Index d = 0; d < s.axis[0].phases(); ++d)
                for (Index h = 0; h < s.axis[1].phases(); ++h)
                    for (Index w = 0; w < s.axis[2].phases(); ++w, to += s.phase_size) fill_phase(s, block, {d, h, w}, image, to);
        }
}

}  // namespace
}  // namespace pyengine::kernels
