#include "kernels/softmax.h"

#include "csrc/float_checks.h"
#include "csrc/ops.h"

namespace pyengine::ops {
namespace {

template <typename Call>
Array forward(const char* op, const Array& x, std::int64_t axis, Call kernel) {
    check_floating(op, "x", x);
    axis = normalize_axis(op, axis, x.rank());
    const Array from = contiguous(x), y(x.shape(), x.dtype(), x.device());
    const std::int64_t n = x.shape()[static_cast<std::size_t>(axis)];
    const std::int64_t outer = count_between(x.shape(), 0, axis), inner = count_between(x.shape(), axis + 1, x.rank());
    const kernels::SoftmaxArgs args{x.dtype(), outer, n, inner, from.raw(), y.raw()};
    on_device(x.device(), [&]<Isa level> { kernel.template operator()<level>(args); });
    return y;
}

template <typename Call>
Array backward(const char* op, const Array& dy, const Array& y, std::int64_t axis, Call kernel) {
    check_floating(op, "y", y);
    check_same_dtype(op, "dy", dy, "y", y);
    check_same_shape(op, "dy", dy, "y", y);
    const Device device = common_device(op, {&dy, &y});
    axis = normalize_axis(op, axis, y.rank());
    const Array result = contiguous(y), gradient = contiguous(dy), dx(y.shape(), y.dtype(), device);
    const std::int64_t n = y.shape()[static_cast<std::size_t>(axis)];
    const std::int64_t outer = count_between(y.shape(), 0, axis), inner = count_between(y.shape(), axis + 1, y.rank());
    const kernels::SoftmaxBackwardArgs args{y.dtype(), outer, n, inner, result.raw(), gradient.raw(), dx.raw()};
    on_device(device, [&]<Isa level> { kernel.template operator()<level>(args); });
    return dx;
}

}  // namespace

Array softmax(const Array& x, std::int64_t axis) {
    return forward("softmax", x, axis, []<Isa level>(const auto& args) { kernels::softmax<level>(args); });
}

Array log_softmax(const Array& x, std::int64_t axis) {
    return forward("log_softmax", x, axis, []<Isa level>(const auto& args) { kernels::log_softmax<level>(args); });
}

Array softmax_backward(const Array& dy, const Array& y, std::int64_t axis) {
    return backward("softmax_backward", dy, y, axis, []<Isa level>(const auto& args) { kernels::softmax_backward<level>(args); });
}

Array log_softmax_backward(const Array& dy, const Array& y, std::int64_t axis) {
    return backward("log_softmax_backward", dy, y, axis, []<Isa level>(const auto& args) { kernels::log_softmax_backward<level>(args); });
}

}  // namespace pyengine::ops
