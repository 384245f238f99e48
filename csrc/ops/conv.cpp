#include "kernels/conv.h"

#include "csrc/check.h"
#include "csrc/ops.h"
#include "csrc/precision.h"
#include "kernels/cpu/parallel.h"

namespace pyengine::ops {
namespace {

struct Name {
    const char* op;
    std::size_t dimensions;
};

std::ostream& operator<<(std::ostream& out, const Name& name) { return out << name.op << name.dimensions << 'd'; }

Name check_ranks(const char* op, const char* a_name, const Array& a, const char* b_name, const Array& b) {
    if (a.rank() < 3 || a.rank() > 5 || a.rank() != b.rank())
        fail_value(op, ": wrong rank: ", a_name, " ", a.shape(), ", ", b_name, " ", b.shape(), "; both must have 2 + d axes, d of 1 to 3");
    return {op, a.shape().size() - 2};
}

DType check_dtypes(const Name& name, const char* a_name, const Array& a, const char* b_name, const Array& b) {
    if (!is_floating(a.dtype()) || !is_floating(b.dtype()))
        fail_type(name, ": not floating: ", a_name, " ", a.dtype(), ", ", b_name, " ", b.dtype(), "; both must be floating dtypes");
    return promote(name.op, a.dtype(), b.dtype());
}

void check_parameters(const Name& name, const ConvParameters& p) {
    const auto check = [&](const char* what, const Dims& values, std::int64_t least) {
        if (values.size() != name.dimensions)
            fail_value(name, ": wrong number of values: ", what, " ", values, "; one for each of ", name.dimensions, " dimensions");
        for (std::int64_t value : values)
            if (value < least) fail_value(name, ": ", what, " too small: ", values, "; must be at least ", least);
    };
    check("stride", p.stride, 1);
    check("dilation", p.dilation, 1);
    check("padding", p.padding, INT64_MIN);
}

void check_groups(const Name& name, std::int64_t groups, const char* what, std::int64_t channels) {
    if (groups < 1 || channels % groups != 0)
        fail_value(name, ": groups do not divide the channels: groups ", groups, ", ", what, " channels ", channels,
                   "; groups must be positive, and a divisor of both channel counts");
}

void check_bias(const Name& name, const std::optional<Array>& bias, std::int64_t channels) {
    if (!bias) return;
    if (bias->shape() != Dims{channels})
        fail_value(name, ": bias does not fit: bias ", bias->shape(), ", output channels ", channels, "; its shape must be (", channels,
                   ",)");
    if (!is_floating(bias->dtype())) fail_type(name, ": not floating: bias ", bias->dtype(), "; it must be a floating dtype");
}

Dims spatial(const Array& x) { return Dims(std::span(x.shape().begin() + 2, x.shape().end())); }

Dims shape_of(std::int64_t first, std::int64_t second, const Dims& rest) {
    Dims shape{first, second};
    for (std::int64_t size : rest) shape.push_back(size);
    return shape;
}

void fill_up(std::int64_t (&to)[3], const Dims& from, std::int64_t filler) {
    for (std::size_t i = 0; i < 3; ++i) to[i] = i + from.size() < 3 ? filler : from[i + from.size() - 3];
}

/// The part that the three ops share; in, out and kernel are the spatial sizes of x, y and w.
kernels::ConvArgs arguments(DType dtype, const ConvParameters& p, const Dims& in, const Dims& out, const Dims& kernel) {
    kernels::ConvArgs args{};
    args.type = dtype;
    args.tf32 = tf32_allowed();
    args.groups = p.groups;
    fill_up(args.in_size, in, 1);
    fill_up(args.out_size, out, 1);
    fill_up(args.kernel_size, kernel, 1);
    fill_up(args.stride, p.stride, 1);
    fill_up(args.dilation, p.dilation, 1);
    fill_up(args.padding, p.padding, 0);
    args.threads = kernels::thread_count();
    return args;
}

}  // namespace

Array conv(const Array& x, const Array& w, const std::optional<Array>& bias, const Dims& size, const ConvParameters& p) {
    const Name name = check_ranks("conv", "x", x, "w", w);
    const DType dtype = check_dtypes(name, "x", x, "w", w);
    check_parameters(name, p);
    check_groups(name, p.groups, "input", x.shape()[1]);
    check_groups(name, p.groups, "output", w.shape()[0]);
    if (w.shape()[1] * p.groups != x.shape()[1])
        fail_value(name, ": channels differ: x ", x.shape(), ", w ", w.shape(), ", groups ", p.groups,
                   "; x.shape[1] must equal w.shape[1] * groups");
    check_bias(name, bias, w.shape()[0]);

    const Device device = common_device(name.op, {&x, &w, bias ? &*bias : &w});
    const Array from = astype(contiguous(x), dtype), weights = astype(contiguous(w), dtype);
    const std::optional<Array> added = bias ? std::optional(astype(contiguous(*bias), dtype)) : std::nullopt;
    const Array out(shape_of(x.shape()[0], w.shape()[0], size), dtype, device);
    kernels::ConvArgs args = arguments(dtype, p, spatial(x), size, spatial(w));
    args.batch = x.shape()[0];
    args.in_channels = x.shape()[1];
    args.out_channels = w.shape()[0];
    args.x = from.raw();
    args.w = weights.raw();
    args.bias = added ? added->raw() : nullptr;
    args.out = out.raw();
    on_device(device, [&]<Isa level> {
        const Workspace workspace(kernels::conv_workspace<level>(args), device);
        args.workspace = workspace.data();
        kernels::conv<level>(args);
    });
    return out;
}

Array conv_transpose(const Array& y, const Array& w, const std::optional<Array>& bias, const Dims& size, const ConvParameters& p) {
    const Name name = check_ranks("conv_transpose", "x", y, "w", w);
    const DType dtype = check_dtypes(name, "x", y, "w", w);
    check_parameters(name, p);
    check_groups(name, p.groups, "input", y.shape()[1]);
    if (w.shape()[0] != y.shape()[1])
        fail_value(name, ": channels differ: x ", y.shape(), ", w ", w.shape(), "; x.shape[1] must equal w.shape[0]");
    const std::int64_t channels = w.shape()[1] * p.groups;
    check_bias(name, bias, channels);

    const Device device = common_device(name.op, {&y, &w, bias ? &*bias : &w});
    const Array from = astype(contiguous(y), dtype), weights = astype(contiguous(w), dtype);
    const std::optional<Array> added = bias ? std::optional(astype(contiguous(*bias), dtype)) : std::nullopt;
    const Array out(shape_of(y.shape()[0], channels, size), dtype, device);
    kernels::ConvArgs args = arguments(dtype, p, size, spatial(y), spatial(w));
    args.batch = y.shape()[0];
    args.in_channels = channels;
    args.out_channels = y.shape()[1];
    args.y = from.raw();
    args.w = weights.raw();
    args.bias = added ? added->raw() : nullptr;
    args.out = out.raw();
    on_device(device, [&]<Isa level> {
        const Workspace workspace(kernels::conv_transpose_workspace<level>(args), device);
        args.workspace = workspace.data();
        kernels::conv_transpose<level>(args);
    });
    return out;
}

Array conv_weight_gradient(const Array& x, const Array& y, const Dims& kernel_size, const ConvParameters& p) {
    const Name name = check_ranks("conv_weight_gradient", "x", x, "y", y);
    const DType dtype = check_dtypes(name, "x", x, "y", y);
    check_parameters(name, p);
    check_groups(name, p.groups, "input", x.shape()[1]);
    check_groups(name, p.groups, "output", y.shape()[1]);
    if (x.shape()[0] != y.shape()[0])
        fail_value(name, ": batch sizes differ: x ", x.shape(), ", y ", y.shape(), "; x.shape[0] must equal y.shape[0]");

    const Device device = common_device(name.op, {&x, &y});
    const Array from = astype(contiguous(x), dtype), gradient = astype(contiguous(y), dtype);
    const Array out(shape_of(y.shape()[1], x.shape()[1] / p.groups, kernel_size), dtype, device);
    kernels::ConvArgs args = arguments(dtype, p, spatial(x), spatial(y), kernel_size);
    args.batch = x.shape()[0];
    args.in_channels = x.shape()[1];
    args.out_channels = y.shape()[1];
    args.x = from.raw();
    args.y = gradient.raw();
    args.out = out.raw();
    on_device(device, [&]<Isa level> {
        const Workspace workspace(kernels::conv_weight_gradient_workspace<level>(args), device);
        args.workspace = workspace.data();
        kernels::conv_weight_gradient<level>(args);
    });
    return out;
}

}  // namespace pyengine::ops
