// The factors of convolutions as loaders of gemm_tile.h: computed from where they lie, never laid out in memory.
//
// Neighbouring threads read neighbouring positions of an image, which for stride 1 are neighbours in memory. An address and the coordinates
// that tell whether it lies outside are sums of two parts, one of the line and one of the depth, each computed once.
#pragma once

#include "kernels/accumulator.h"
#include "kernels/cuda/conv_geometry.h"

namespace pyengine::kernels {
namespace {

/// Part of an index in the source, and of a coordinate in each of its axes.
struct Place {
    std::int64_t offset;
    int at[3];
};

/// The channels of one group in all images; zero outside of them.
template <typename E>
struct Source {
    const E* data;
    std::int64_t image_stride, volume;
    ConvGeometry geometry;

    __device__ Place position(const Digits& digits, std::int64_t number) const {
        const auto parts = digits.of(number);
        Place place{0, {}};
        for (int i = 0; i < 3; ++i) place.at[i] = parts.at[i] * geometry.axis[i].stride + geometry.axis[i].offset;
        place.offset = parts.outer * image_stride + linear(place.at);
        return place;
    }
    __device__ Place tap(const Digits& digits, std::int64_t number) const {
        const auto parts = digits.of(number);
        Place place{0, {}};
        for (int i = 0; i < 3; ++i) place.at[i] = parts.at[i] * geometry.axis[i].dilation;
        place.offset = parts.outer * volume + linear(place.at);
        return place;
    }
    __device__ E load(const Place& a, const Place& b) const {
        for (int i = 0; i < 3; ++i)
            if (static_cast<unsigned>(a.at[i] + b.at[i]) >= static_cast<unsigned>(geometry.axis[i].source)) return E{};
        return data[a.offset + b.offset];
    }

private:
    __device__ std::int64_t linear(const int (&at)[3]) const {
        return (std::int64_t{at[0]} * geometry.axis[1].source + at[1]) * geometry.axis[2].source + at[2];
    }
};

/// A loader: each column a position, the depth runs over taps.
template <typename E>
struct Positions {
    using Element = E;
    using Line = Place;
    static constexpr bool even_lines = false;

    Source<E> source;
    Digits positions, taps;

    __device__ Place line(std::int64_t j) const { return source.position(positions, j); }
    __device__ Place depth(std::int64_t p) const { return source.tap(taps, p); }
    __device__ E load(const Place& line, const Place& depth) const { return source.load(line, depth); }
    __device__ const E* start(std::int64_t j) const { return source.data + line(j).offset; }
    __device__ std::int64_t distance(std::int64_t p) const { return depth(p).offset; }
    __device__ static constexpr bool along_depth() { return false; }
};

/// A loader: each column a tap, the depth runs over positions.
template <typename E>
struct Taps {
    using Element = E;
    using Line = Place;
    static constexpr bool even_lines = false;

    Source<E> source;
    Digits positions, taps;

    __device__ Place line(std::int64_t j) const { return source.tap(taps, j); }
    __device__ Place depth(std::int64_t p) const { return source.position(positions, p); }
    __device__ E load(const Place& line, const Place& depth) const { return source.load(line, depth); }
    __device__ const E* start(std::int64_t j) const { return source.data + line(j).offset; }
    __device__ std::int64_t distance(std::int64_t p) const { return depth(p).offset; }
    __device__ static constexpr bool along_depth() { return true; }
};

/// A loader: each row the weights of one channel of the result, the depth runs over taps of all channels of the source.
template <typename E>
struct Weights {
    using Element = E;
    using Line = std::int64_t;
    static constexpr bool even_lines = true, even_depths = false;

    const E* data;
    std::int64_t line_stride, channel_stride;
    int kernel[3], first_tap[3], tap_step[3];
    Digits taps;

    __device__ Line line(std::int64_t i) const { return i * line_stride; }
    __device__ std::int64_t depth(std::int64_t p) const {
        const auto parts = taps.of(p);
        int linear = 0;
        for (int i = 0; i < 3; ++i) linear = linear * kernel[i] + first_tap[i] + parts.at[i] * tap_step[i];
        return parts.outer * channel_stride + linear;
    }
    __device__ E load(Line line, std::int64_t depth) const { return data[line + depth]; }
    __device__ const E* start(std::int64_t i) const { return data + line(i); }
    __device__ std::int64_t distance(std::int64_t p) const { return depth(p); }
    __device__ static constexpr bool along_depth() { return true; }
};

/// A loader: each row a channel of y, the depth runs over positions of all images.
template <typename E>
struct Channels {
    using Element = E;
    using Line = std::int64_t;
    static constexpr bool even_lines = true, even_depths = false;

    const E* data;
    std::int64_t image_stride, volume;
    FastDivisor positions;

    __device__ Line line(std::int64_t i) const { return i * volume; }
    __device__ std::int64_t depth(std::int64_t p) const {
        auto position = static_cast<std::uint32_t>(p);
        const std::int64_t image = positions.divide(position);
        return image * image_stride + position;
    }
    __device__ E load(Line line, std::int64_t depth) const { return data[line + depth]; }
    __device__ const E* start(std::int64_t i) const { return data + line(i); }
    __device__ std::int64_t distance(std::int64_t p) const { return depth(p); }
    __device__ static constexpr bool along_depth() { return true; }
};

}  // namespace
}  // namespace pyengine::kernels
