#include "kernels/standardize.h"

#include "csrc/float_checks.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

/// x seen as (outer, groups, inner), and the shape of one value a group that broadcasts against x.
struct Layout {
    Dims kept;
    std::int64_t outer, groups, inner;
};

Layout layout_of(const char* op, const Array& x, const Dims& axes) {
    check_floating(op, "x", x);
    const Dims& shape = x.shape();
    Dims kept = shape;
    std::vector<bool> reduced(shape.size());
    for (std::int64_t axis : axes) {
        const auto i = static_cast<std::size_t>(normalize_axis(op, axis, x.rank()));
        reduced[i] = true;
        kept[i] = 1;
    }
    std::int64_t begin = 0, end = 0;  // the axes kept; those of size 1 do not matter
    for (std::int64_t i = x.rank(); i-- > 0;) {
        if (reduced[static_cast<std::size_t>(i)] || shape[static_cast<std::size_t>(i)] == 1) continue;
        begin = i;
        if (end == 0) end = i + 1;
    }
    for (std::int64_t i = begin; i < end; ++i)
        if (reduced[static_cast<std::size_t>(i)] && shape[static_cast<std::size_t>(i)] != 1)
            fail_value(op, ": axes to keep are apart: shape ", shape, ", standardised over axes ", axes,
                       "; the other axes must lie next to each other");
    return {kept, count_between(shape, 0, begin), count_between(shape, begin, end), count_between(shape, end, x.rank())};
}

template <typename Call>
Standardized forward(const char* op, bool centred, const Array& x, const Dims& axes, double eps, Call kernel) {
    const Layout layout = layout_of(op, x, axes);
    const Array from = contiguous(x), y(x.shape(), x.dtype(), x.device()), variance(layout.kept, accumulation_type(x.dtype()), x.device());
    std::optional<Array> mean;
    if (centred) mean.emplace(layout.kept, variance.dtype(), x.device());
    const kernels::StandardizeArgs args{
        x.dtype(), layout.outer, layout.groups, layout.inner, eps, from.raw(), y.raw(), mean ? mean->raw() : nullptr, variance.raw()};
    on_device(x.device(), [&]<Isa level> { kernel.template operator()<level>(args); });
    return {y, mean, variance};
}

template <typename Call>
Array backward(const char* op, const Array& dy, const Array& x, const std::optional<Array>& mean, const Array& variance, const Dims& axes,
               double eps, Call kernel) {
    const Layout layout = layout_of(op, x, axes);
    check_same_dtype(op, "dy", dy, "x", x);
    check_same_shape(op, "dy", dy, "x", x);
    const Device device = common_device(op, {&dy, &x, &variance, mean ? &*mean : &variance});
    const Array from = contiguous(x), gradient = contiguous(dy), dx(x.shape(), x.dtype(), device);
    const kernels::StandardizeBackwardArgs args{
        x.dtype(),      layout.outer,   layout.groups, layout.inner, eps, from.raw(), mean ? mean->raw() : nullptr,
        variance.raw(), gradient.raw(), dx.raw()};
    on_device(device, [&]<Isa level> { kernel.template operator()<level>(args); });
    return dx;
}

}  // namespace

Standardized standardize(const Array& x, const Dims& axes, double eps) {
    return forward("standardize", true, x, axes, eps, []<Isa level>(const auto& args) { kernels::standardize<level>(args); });
}

Standardized rms_standardize(const Array& x, const Dims& axes, double eps) {
    return forward("rms_standardize", false, x, axes, eps, []<Isa level>(const auto& args) { kernels::rms_standardize<level>(args); });
}

Array standardize_backward(const Array& dy, const Array& x, const Array& mean, const Array& variance, const Dims& axes, double eps) {
    return backward("standardize_backward", dy, x, mean, variance, axes, eps,
                    []<Isa level>(const auto& args) { kernels::standardize_backward<level>(args); });
}

Array rms_standardize_backward(const Array& dy, const Array& x, const Array& mean_square, const Dims& axes, double eps) {
    return backward("rms_standardize_backward", dy, x, std::nullopt, mean_square, axes, eps,
                    []<Isa level>(const auto& args) { kernels::rms_standardize_backward<level>(args); });
}

}  // namespace pyengine::ops
