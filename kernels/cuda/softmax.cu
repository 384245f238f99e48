// A block, or a lane of it, takes a row: one pass for what the row shares, one that writes. Two reads, the second of them of what the
// caches may still hold, and one write for each element. Has run in the simulator only.
#include "kernels/cuda/max_sum.h"
#include "kernels/softmax.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <int columns, bool logarithm, typename T>
__global__ void __launch_bounds__(most_threads<columns>) forward_rows(MiddleAxis rows, const T* x, T* y) {
    using A = Accumulator<T>;
    each_row<columns>(rows, [&](const Share<MiddleAxis>& share) {
        const MaxSum<A> state = max_sum<columns>(share, x);
        const A scale = logarithm ? log(state.sum) : state.sum;
        share.map(x, y, [&](std::int64_t, std::int64_t, T value) {
            const A shifted = convert<A>(value) - state.max;
            return convert<T>(logarithm ? shifted - scale : exp(shifted) / scale);
        });
    });
}

template <int columns, bool logarithm, typename T>
__global__ void __launch_bounds__(most_threads<columns>) backward_rows(MiddleAxis rows, const T* y, const T* dy, T* dx) {
    using A = Accumulator<T>;
    each_row<columns>(rows, [&](const Share<MiddleAxis>& share) {
        const A part = share.template sum<A>(
            [&](std::int64_t, std::int64_t at) { return logarithm ? convert<A>(dy[at]) : convert<A>(dy[at]) * convert<A>(y[at]); });
        const A sum = block_reduce<columns>(part, Add());
        share.each([&](std::int64_t, std::int64_t at) {
            const A result = convert<A>(y[at]), gradient = convert<A>(dy[at]);
            dx[at] = convert<T>(logarithm ? gradient - exp(result) * sum : result * (gradient - sum));
        });
    });
}

template <bool logarithm>
void forward(const SoftmaxArgs& args) {
    const MiddleAxis rows{args.outer, args.n, args.inner};
    with_float_type(args.type, [&]<typename T> {
        over_rows(rows, [&]<int columns>(const LaunchShape& shape) {
            launch(forward_rows<columns, logarithm, T>, shape, rows, static_cast<const T*>(args.x), static_cast<T*>(args.y));
        });
    });
}

template <bool logarithm>
void backward(const SoftmaxBackwardArgs& args) {
    const MiddleAxis rows{args.outer, args.n, args.inner};
    with_float_type(args.type, [&]<typename T> {
        over_rows(rows, [&]<int columns>(const LaunchShape& shape) {
            launch(backward_rows<columns, logarithm, T>, shape, rows, static_cast<const T*>(args.y), static_cast<const T*>(args.dy),
                   static_cast<T*>(args.dx));
        });
    });
}

}  // namespace

template <>
void softmax<level>(const SoftmaxArgs& args) {
    forward<false>(args);
}

template <>
void log_softmax<level>(const SoftmaxArgs& args) {
    forward<true>(args);
}

template <>
void softmax_backward<level>(const SoftmaxBackwardArgs& args) {
    backward<false>(args);
}

template <>
void log_softmax_backward<level>(const SoftmaxBackwardArgs& args) {
    backward<true>(args);
}

}  // namespace pyengine::kernels
