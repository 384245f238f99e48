// conv, conv_transpose and conv_weight_gradient as problems of gemm.h: implicit products.
//
//     conv             (out channels, taps) (taps, images x positions)        taps: of all channels of the source
//     conv_transpose   the same for each phase (conv_geometry.h), channels exchanged
//     weight gradient  (out channels, images x positions) (images x positions, taps)
//
// An item is a group, in conv_transpose a group and a phase. Traffic: an element of the source is read once for each tap it meets and each
// tile of 128 channels, the most of it from the caches; weights once for each tile of 128 positions.
//
// On tensor cores the weights of conv come in chunks where a channel's have a multiple of 16 bytes, and so does y in the weight gradient where
// an image's channel has. The source does so only where the kernel has one tap, stride 1 and no padding, and a channel has a multiple of 16
// bytes: else neighbouring positions meet elements that are neighbours, but not aligned, and come one by one. Not in chunks either: the
// weights of conv_transpose with more than one tap, and whatever is odd in size (7 x 7 images). A group of one channel is a row of a tile:
// depthwise convolutions waste the rest.
#pragma once

#include "kernels/cuda/conv_loaders.h"
#include "kernels/cuda/gemm.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t volume(const std::int64_t (&size)[3]) { return size[0] * size[1] * size[2]; }

/// Whether rows of `count` elements, one after the other from here, consist of aligned chunks of 16 bytes.
template <typename E>
bool in_chunks(const E* data, std::int64_t count) {
    return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && count * sizeof(E) % 16 == 0;
}

/// A kernel of one tap that neither moves nor leaves out anything: each position meets the element of its own number.
[[maybe_unused]] bool is_product(const ConvArgs& args) {
    for (int i = 0; i < 3; ++i)
        if (args.kernel_size[i] != 1 || args.stride[i] != 1 || args.padding[i] != 0 || args.in_size[i] != args.out_size[i]) return false;
    return true;
}

/// All images' positions of one phase, in the channels of one group.
template <typename E>
struct ConvItem {
    using A = Weights<E>;
    using B = Positions<E>;

    std::int64_t m, n, k;
    A a;
    B b;
    E* out;
    const E* bias;  // of the group, or null
    std::int64_t image_stride, volume;
    std::int64_t size[3];

    __device__ std::int64_t column(std::int64_t j) const {
        const auto parts = b.positions.of(j);
        std::int64_t linear = 0;
        for (int k = 0; k < 3; ++k) {
            const ConvAxis& axis = b.source.geometry.axis[k];
            linear = linear * size[k] + axis.first + parts.at[k] * axis.step;
        }
        return parts.outer * image_stride + linear;
    }
    __device__ void store(std::int64_t i, std::int64_t column, ProductSum<E> sum) const {
        if (bias) sum += convert<ProductSum<E>>(bias[i]);
        out[i * volume + column] = convert<E>(sum);
    }
};

template <typename E>
struct ConvProblem {
    using Element = E;
    using Sum = ProductSum<E>;
    static constexpr bool any_order = false;  // what an image gives does not depend on how many there are

    bool tf32, transposed;
    Way weights, source;                                       // where they come in chunks
    std::int64_t batch, groups, share, most_positions, terms;  // share: channels of the result in a group
    std::int64_t weights_of_group, channels_of_group;          // from one group to the next, in w and in the source
    ConvItem<E> first;                                         // of the first group, and of conv
    TransposedAxis axis[3];                                    // of conv_transpose

    ConvProblem(const ConvArgs& args, bool transposed)
        : tf32(args.tf32), transposed(transposed), weights(Way::elements), source(Way::elements), batch(args.batch), groups(args.groups) {
        const std::int64_t in_share = args.in_channels / groups, out_share = args.out_channels / groups, taps = volume(args.kernel_size);
        const std::int64_t source_share = transposed ? out_share : in_share;
        const auto& size = transposed ? args.in_size : args.out_size;
        share = transposed ? in_share : out_share;
        terms = source_share * taps;
        weights_of_group = out_share * in_share * taps;
        channels_of_group = source_share;

        most_positions = 1;
        for (int i = 0; i < 3; ++i) {
            axis[i] = transposed_axis(args, i);
            first.size[i] = size[i];
            first.a.kernel[i] = static_cast<int>(args.kernel_size[i]);
            most_positions *= transposed ? ceil_div(size[i], args.stride[i]) : size[i];
        }
        first.a.data = static_cast<const E*>(args.w);
        first.a.line_stride = transposed ? taps : in_share * taps;
        first.a.channel_stride = transposed ? in_share * taps : taps;
        first.b.source.data = static_cast<const E*>(transposed ? args.y : args.x);
        first.b.source.volume = volume(transposed ? args.out_size : args.in_size);
        first.b.source.image_stride = source_share * groups * first.b.source.volume;
        first.out = static_cast<E*>(args.out);
        first.bias = static_cast<const E*>(args.bias);
        first.volume = volume(size);
        first.image_stride = share * groups * first.volume;
        first.m = share;
        if (!transposed) set_geometry(first, conv_geometry(args));
        set_sources(args);
    }

    __host__ __device__ std::int64_t phases() const {
        return transposed ? std::int64_t{axis[0].phases()} * axis[1].phases() * axis[2].phases() : 1;
    }
    __host__ __device__ std::int64_t items() const { return groups * phases(); }
    __host__ __device__ std::int64_t m() const { return share; }
    __host__ __device__ std::int64_t n() const { return batch * most_positions; }
    __host__ __device__ std::int64_t k() const { return terms; }

    template <typename Call>
    void with_sources(Call call) const {
        using enum Way;
        if (source == across_lines && weights == across_lines) return call.template operator()<across_lines, across_lines>();
        if (source == across_lines && weights == along_depth) return call.template operator()<along_depth, across_lines>();
        if (weights == along_depth) return call.template operator()<along_depth, elements>();
        call.template operator()<elements, elements>();
    }

    __device__ ConvItem<E> item(std::int64_t number) const {
        const std::int64_t group = number / phases();
        ConvItem<E> item = first;
        item.a.data += group * weights_of_group;
        item.b.source.data += group * channels_of_group * item.b.source.volume;
        item.out += group * share * item.volume;
        if (item.bias) item.bias += group * share;
        if (transposed) set_geometry(item, phase(static_cast<int>(number % phases())));
        return item;
    }

private:
    void set_sources(const ConvArgs& args) {
        const bool product = is_product(args);
        if (!transposed && in_chunks(first.a.data, first.a.line_stride)) weights = Way::along_depth;
        if (transposed && product && in_chunks(first.a.data, first.a.channel_stride)) weights = Way::across_lines;
        if (product && in_chunks(first.b.source.data, first.b.source.volume)) source = Way::across_lines;
    }

    __device__ ConvGeometry phase(int number) const {
        const int inner = axis[2].phases(), middle = axis[1].phases();
        return {{axis[0].phase(number / inner / middle), axis[1].phase(number / inner % middle), axis[2].phase(number % inner)}};
    }

    __host__ __device__ void set_geometry(ConvItem<E>& item, const ConvGeometry& g) const {
        item.n = batch * g.positions();
        item.k = channels_of_group * g.taps();
        item.b.source.geometry = g;
        item.b.positions = Digits(g.axis[0].positions, g.axis[1].positions, g.axis[2].positions);
        item.a.taps = item.b.taps = Digits(g.axis[0].taps, g.axis[1].taps, g.axis[2].taps);
        for (int i = 0; i < 3; ++i) {
            item.a.first_tap[i] = g.axis[i].first_tap;
            item.a.tap_step[i] = g.axis[i].tap_step;
        }
    }
};

/// The weights of one group.
template <typename E>
struct WeightGradientItem {
    using A = Channels<E>;
    using B = Taps<E>;

    std::int64_t m, n, k;
    A a;
    B b;
    E* out;

    __device__ std::int64_t column(std::int64_t j) const { return j; }
    __device__ void store(std::int64_t i, std::int64_t column, ProductSum<E> sum) const { out[i * n + column] = convert<E>(sum); }
};

template <typename E>
struct WeightGradientProblem {
    using Element = E;
    using Sum = ProductSum<E>;
    static constexpr bool any_order = true;

    bool tf32, y_in_chunks, x_in_chunks;
    std::int64_t groups, in_share;
    WeightGradientItem<E> first;

    explicit WeightGradientProblem(const ConvArgs& args) : tf32(args.tf32), groups(args.groups), in_share(args.in_channels / args.groups) {
        const std::int64_t positions = volume(args.out_size), in_volume = volume(args.in_size);
        const auto& out = args.out_size;
        const auto& kernel = args.kernel_size;
        first.m = args.out_channels / groups;
        first.n = in_share * volume(kernel);
        first.k = args.batch * positions;
        first.a = {static_cast<const E*>(args.y), args.out_channels * positions, positions, FastDivisor(positions)};
        first.b.source = {static_cast<const E*>(args.x), args.in_channels * in_volume, in_volume, conv_geometry(args)};
        first.b.positions = Digits(out[0], out[1], out[2]);
        first.b.taps = Digits(kernel[0], kernel[1], kernel[2]);
        first.out = static_cast<E*>(args.out);
        y_in_chunks = in_chunks(first.a.data, positions);
        x_in_chunks = is_product(args) && in_chunks(first.b.source.data, in_volume);
    }

    template <typename Call>
    void with_sources(Call call) const {
        using enum Way;
        if (!y_in_chunks) return call.template operator()<elements, elements>();
        if (!x_in_chunks) return call.template operator()<along_depth, elements>();
        call.template operator()<along_depth, along_depth>();
    }

    __host__ __device__ std::int64_t items() const { return groups; }
    __host__ __device__ std::int64_t m() const { return first.m; }
    __host__ __device__ std::int64_t n() const { return first.n; }
    __host__ __device__ std::int64_t k() const { return first.k; }

    __device__ WeightGradientItem<E> item(std::int64_t group) const {
        WeightGradientItem<E> item = first;
        item.a.data += group * item.m * item.a.volume;
        item.b.source.data += group * in_share * item.b.source.volume;
        item.out += group * item.m * item.n;
        return item;
    }
};

}  // namespace
}  // namespace pyengine::kernels
