// conv, conv_transpose, conv_weight_gradient: convolution in up to three dimensions, and its two adjoints. Each is a gradient of the
// others.
//
//     conv                   y[n,o,p] = bias[o] + sum_{c,k} x[n, c, p * stride + k * dilation - padding] w[o,c,k]
//     conv_transpose         x[n,c,q] = bias[c] + sum_{o,k} y[n, o, (q + padding - k * dilation) / stride] w[o,c,k]    where that is whole
//     conv_weight_gradient   w[o,c,k] =           sum_{n,p} x[n, c, p * stride + k * dilation - padding] y[n,o,p]
//
//   x (batch, in_channels, in_size), y (batch, out_channels, out_size), w (out_channels, in_channels / groups, kernel_size), all
//   contiguous; p, k, q are (depth, height, width); fewer dimensions are sizes of 1. Output channels [g, g + 1) * out_channels / groups see
//   the input channels of the same share g.
//   What lies outside x or y is zero. Whether it takes part in the sum is left open: a weight, or in the weight's gradient a y, that is
//   Inf or NaN and meets such a zero may or may not give NaN. in_size and out_size are independent: `padding` is the low side only, the
//   high side follows from the sizes; it may be negative.
//   element types: float16, bfloat16, float32, float64; all arrays share one. The 16-bit types accumulate in float32 and round once.
//   tf32: as in matmul.h.
//   `out` is overwritten and aliased by no input. Zero sizes: an empty sum is the bias, or zero. NaN and Inf propagate as in plain sums.
//   The order of summation depends on the shape and the level alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct ConvArgs {
    ElementType type;
    bool tf32;
    std::int64_t batch, groups, in_channels, out_channels;
    std::int64_t in_size[3], out_size[3], kernel_size[3], stride[3], dilation[3], padding[3];
    const void* x;     // read by conv and conv_weight_gradient
    const void* y;     // read by conv_transpose and conv_weight_gradient
    const void* w;     // read by conv and conv_transpose
    const void* bias;  // null, or a value for each channel of the output of conv or conv_transpose
    void* out;
    int threads;      // scratch is laid out for as many tasks at once
    void* workspace;  // <op>_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t conv_workspace(const ConvArgs& args);
template <Isa isa>
std::size_t conv_transpose_workspace(const ConvArgs& args);
template <Isa isa>
std::size_t conv_weight_gradient_workspace(const ConvArgs& args);

template <Isa isa>
void conv(const ConvArgs& args);
template <Isa isa>
void conv_transpose(const ConvArgs& args);
template <Isa isa>
void conv_weight_gradient(const ConvArgs& args);

}  // namespace pyengine::kernels
