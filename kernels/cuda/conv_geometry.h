// How the positions of a convolution's result meet its source, in one form for conv and conv_transpose.
//
// conv: position i of an axis and tap t meet element i * stride + t * dilation - padding of x.
// conv_transpose, of stride s: the positions q = f, f + s, f + 2 s, ... are a phase f in [0, s). Of the taps k, those with
// f + padding - k * dilation divisible by s take part: k = k0, k0 + e, k0 + 2 e, ... with e = s / gcd(s, dilation). So position i of the
// phase and its tap t meet element i - t * dilation / gcd(s, dilation) + (f + padding - k0 * dilation) / s of y: a conv of stride 1, in which
// no products with zeros between the elements of y are left.
#pragma once

#include <stdexcept>
#include <string>

#include "kernels/conv.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/fast_divisor.h"

namespace pyengine::kernels {
namespace {

/// One axis of what a phase computes.
struct ConvAxis {
    int positions, first, step;            // in the result, position i is first + i * step
    int taps, first_tap, tap_step;         // in the weights, likewise
    int source, stride, dilation, offset;  // element i * stride + t * dilation + offset of `source` elements
};

struct ConvGeometry {
    ConvAxis axis[3];

    __host__ __device__ std::int64_t positions() const { return std::int64_t{axis[0].positions} * axis[1].positions * axis[2].positions; }
    __host__ __device__ std::int64_t taps() const { return std::int64_t{axis[0].taps} * axis[1].taps * axis[2].taps; }
};

[[maybe_unused]] ConvGeometry conv_geometry(const ConvArgs& args) {
    ConvGeometry g{};
    const auto narrow = [](std::int64_t x) { return static_cast<int>(x); };
    for (int i = 0; i < 3; ++i)
        g.axis[i] = {narrow(args.out_size[i]),
                     0,
                     1,
                     narrow(args.kernel_size[i]),
                     0,
                     1,
                     narrow(args.in_size[i]),
                     narrow(args.stride[i]),
                     narrow(args.dilation[i]),
                     narrow(-args.padding[i])};
    return g;
}

/// The phases of one axis of conv_transpose.
struct TransposedAxis {
    int size, source, kernel, stride, dilation, padding, tap_step;

    __host__ __device__ int phases() const { return min(stride, size); }

    __host__ __device__ ConvAxis phase(int f) const {
        int k0 = 0;
        while (k0 < tap_step && k0 < kernel && (f + padding - k0 * dilation) % stride != 0) ++k0;
        const bool met = k0 < tap_step && k0 < kernel;
        return {(size - f + stride - 1) / stride,
                f,
                stride,
                met ? (kernel - k0 + tap_step - 1) / tap_step : 0,
                k0,
                tap_step,
                source,
                1,
                -(tap_step * dilation / stride),
                (f + padding - k0 * dilation) / stride};
    }
};

[[maybe_unused]] TransposedAxis transposed_axis(const ConvArgs& args, int i) {
    std::int64_t a = args.stride[i], b = args.dilation[i];
    while (b != 0) {
        const std::int64_t rest = a % b;
        a = b;
        b = rest;
    }
    const auto narrow = [](std::int64_t x) { return static_cast<int>(x); };
    return {narrow(args.in_size[i]),  narrow(args.out_size[i]), narrow(args.kernel_size[i]), narrow(args.stride[i]),
            narrow(args.dilation[i]), narrow(args.padding[i]),  narrow(args.stride[i] / a)};
}

/// A number below outer * sizes[0] * sizes[1] * sizes[2] as its four parts.
struct Digits {
    FastDivisor by[3];

    Digits() = default;
    constexpr Digits(std::int64_t a, std::int64_t b, std::int64_t c) : by{FastDivisor(a), FastDivisor(b), FastDivisor(c)} {}

    struct Parts {
        std::uint32_t outer;
        int at[3];
    };
    __device__ Parts of(std::int64_t number) const {
        Parts parts;
        auto rest = static_cast<std::uint32_t>(number);
        for (int i = 2; i >= 0; --i) {
            const std::uint32_t quotient = by[i].divide(rest);
            parts.at[i] = static_cast<int>(rest);
            rest = quotient;
        }
        parts.outer = rest;
        return parts;
    }
};

[[maybe_unused]] void check_below(const char* op, const char* what, double value, double limit) {
    if (value >= limit)
        throw std::invalid_argument(std::string(op) + ": too large for this device: " + what + " " + std::to_string(value) +
                                    "; must be less than " + std::to_string(limit));
}

/// The kernels count positions and taps with 31 bits, and add three of an axis's lengths without overflow.
[[maybe_unused]] void check_sizes(const char* op, const ConvArgs& args) {
    const auto product = [](const std::int64_t (&size)[3]) { return static_cast<double>(size[0]) * size[1] * size[2]; };
    for (int i = 0; i < 3; ++i) {
        check_below(op, "padding", std::abs(static_cast<double>(args.padding[i])), 0x1p29);
        check_below(op, "stride * size", static_cast<double>(args.stride[i]) * args.out_size[i], 0x1p29);
        check_below(op, "stride", static_cast<double>(args.stride[i]), 0x1p29);
        check_below(op, "dilation * kernel size", static_cast<double>(args.dilation[i]) * args.kernel_size[i], 0x1p29);
        check_below(op, "dilation", static_cast<double>(args.dilation[i]), 0x1p29);
    }
    check_below(op, "image", product(args.in_size), 0x1p31);
    check_below(op, "batch * image", static_cast<double>(args.batch) * product(args.in_size), 0x1p31);
    check_below(op, "batch * image", static_cast<double>(args.batch) * product(args.out_size), 0x1p31);
    check_below(op, "channels * kernel size", static_cast<double>(args.in_channels + args.out_channels) * product(args.kernel_size),
                0x1p31);
}

}  // namespace
}  // namespace pyengine::kernels
