#include "kernels/softmax.h"

#include <cmath>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <typename T>
double largest(const T* x, std::int64_t n, std::int64_t stride) {
    double result = -INFINITY;
    for (std::int64_t j = 0; j < n && !std::isnan(result); ++j) {
        const double value = convert<double>(x[j * stride]);
        if (!(value <= result)) result = value;  // a NaN wins
    }
    return result;
}

/// Calls row(offset of its first element) for every row of (outer, n, inner).
template <typename Args, typename Row>
void each_row(const Args& args, Row row) {
    for (std::int64_t o = 0; o < args.outer; ++o)
        for (std::int64_t i = 0; i < args.inner; ++i) row(o * args.n * args.inner + i);
}

template <bool logarithm>
void forward(const SoftmaxArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_row(args, [&](std::int64_t offset) {
            const T* x = static_cast<const T*>(args.x) + offset;
            T* y = static_cast<T*>(args.y) + offset;
            const double max = largest(x, args.n, args.inner);
            double sum = 0;
            for (std::int64_t j = 0; j < args.n; ++j) sum += std::exp(convert<double>(x[j * args.inner]) - max);
            for (std::int64_t j = 0; j < args.n; ++j) {
                const double shifted = convert<double>(x[j * args.inner]) - max;
                y[j * args.inner] = convert<T>(logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum);
            }
        });
    });
}

template <bool logarithm>
void backward(const SoftmaxBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_row(args, [&](std::int64_t offset) {
            const T* y = static_cast<const T*>(args.y) + offset;
            const T* dy = static_cast<const T*>(args.dy) + offset;
            T* dx = static_cast<T*>(args.dx) + offset;
            double sum = 0;
            for (std::int64_t j = 0; j < args.n; ++j)
                sum += convert<double>(dy[j * args.inner]) * (logarithm ? 1.0 : convert<double>(y[j * args.inner]));
            for (std::int64_t j = 0; j < args.n; ++j) {
                const double value = convert<double>(y[j * args.inner]), gradient = convert<double>(dy[j * args.inner]);
                dx[j * args.inner] = convert<T>(logarithm ? gradient - std::exp(value) * sum : value * (gradient - sum));
            }
        });
    });
}

}  // namespace

template <>
void softmax<Isa::reference>(const SoftmaxArgs& args) {
    forward<false>(args);
}

template <>
void log_softmax<Isa::reference>(const SoftmaxArgs& args) {
    forward<true>(args);
}

template <>
void softmax_backward<Isa::reference>(const SoftmaxBackwardArgs& args) {
    backward<false>(args);
}

template <>
void log_softmax_backward<Isa::reference>(const SoftmaxBackwardArgs& args) {
    backward<true>(args);
}

}  // namespace pyengine::kernels
