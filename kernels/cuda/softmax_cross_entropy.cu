// A block, or a lane of it, takes a row of logits: maximum and sum in one pass. With classes and no smoothing that is all the forward op
// reads; otherwise it reads logits and target once more. Backward: one pass for the target's total, where it needs one, and one that
// writes. Of rows without gaps logits are read, and their gradients written, 16 bytes at a time. Has run in the simulator only.
#include "kernels/cuda/max_sum.h"
#include "kernels/softmax_cross_entropy.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

template <typename T>
struct Target {
    using A = Accumulator<T>;
    const std::int64_t* classes;
    const T* distribution;
    const T* weights;
    std::int64_t n, ignore_index;
    A smoothing, floor;  // floor: smoothing / n

    explicit Target(const CrossEntropyProblem& problem)
        : classes(problem.classes),
          distribution(static_cast<const T*>(problem.distribution)),
          weights(static_cast<const T*>(problem.weight)),
          n(problem.n),
          ignore_index(problem.ignore_index),
          smoothing(static_cast<A>(problem.label_smoothing)),
          floor(static_cast<A>(problem.label_smoothing / static_cast<double>(problem.n))) {}

    __device__ bool one_class() const { return classes && smoothing == 0; }
    /// Bad classes, too: in a CUDA graph they are used before anyone can look at what find_outside says of them.
    __device__ bool ignores(std::int64_t row) const {
        return classes && (classes[row] == ignore_index || classes[row] < 0 || classes[row] >= n);
    }
    __device__ A weight(std::int64_t c) const { return weights ? convert<A>(weights[c]) : A{1}; }

    /// w[c] t'[c]; `at` is where class c of the row lies.
    __device__ A weighted(std::int64_t row, std::int64_t c, std::int64_t at) const {
        const A hard = classes ? static_cast<A>(classes[row] == c) : convert<A>(distribution[at]);
        return weight(c) * ((1 - smoothing) * hard + floor);
    }
};

template <int columns, typename T>
__global__ void __launch_bounds__(most_threads<columns>)
    forward_rows(MiddleAxis rows, const T* x, Target<T> target, Accumulator<T>* loss, Accumulator<T>* logsumexp) {
    using A = Accumulator<T>;
    each_row<columns>(rows, [&](const Share<MiddleAxis>& share) {
        const MaxSum<A> state = max_sum<columns>(share, x);
        const A norm = state.max + log(state.sum);
        A total = 0;
        if (!target.one_class()) {
            const A part = share.template sum<A>(
                [&](std::int64_t c, std::int64_t at) { return target.weighted(share.number, c, at) * (norm - convert<A>(x[at])); });
            total = block_reduce<columns>(part, Add());
        }
        if (!share.first) return;
        const bool ignored = target.ignores(share.number);
        if (target.one_class() && !ignored) {
            const std::int64_t c = target.classes[share.number];
            total = target.weight(c) * (norm - convert<A>(x[share.row.at(c)]));
        }
        loss[share.number] = ignored ? A{0} : total;
        logsumexp[share.number] = norm;
    });
}

template <int columns, typename T>
__global__ void __launch_bounds__(most_threads<columns>)
    backward_rows(MiddleAxis rows, const T* x, Target<T> target, const Accumulator<T>* grad, const Accumulator<T>* logsumexp, T* dx) {
    using A = Accumulator<T>;
    each_row<columns>(rows, [&](const Share<MiddleAxis>& share) {
        A total = 0;
        if (!target.one_class()) {
            const A part = share.template sum<A>([&](std::int64_t c, std::int64_t at) { return target.weighted(share.number, c, at); });
            total = block_reduce<columns>(part, Add());
        }
        if (share.begin >= share.end) return;
        const bool ignored = target.ignores(share.number);
        if (target.one_class() && !ignored) total = target.weight(target.classes[share.number]);
        const A norm = logsumexp[share.number], g = grad[share.number];
        share.map(x, dx, [&](std::int64_t c, std::int64_t at, T value) {
            const A d = g * (exp(convert<A>(value) - norm) * total - target.weighted(share.number, c, at));
            return convert<T>(ignored ? A{0} : d);
        });
    });
}

}  // namespace

template <>
void softmax_cross_entropy<level>(const SoftmaxCrossEntropyArgs& args) {
    const MiddleAxis rows{args.outer, args.n, args.inner};
    with_float_type(args.type, [&]<typename T> {
        using A = Accumulator<T>;
        over_rows(rows, [&]<int columns>(const LaunchShape& shape) {
            launch(forward_rows<columns, T>, shape, rows, static_cast<const T*>(args.logits), Target<T>(args), static_cast<A*>(args.loss),
                   static_cast<A*>(args.logsumexp));
        });
    });
}

template <>
void softmax_cross_entropy_backward<level>(const SoftmaxCrossEntropyBackwardArgs& args) {
    const MiddleAxis rows{args.outer, args.n, args.inner};
    with_float_type(args.type, [&]<typename T> {
        using A = Accumulator<T>;
        over_rows(rows, [&]<int columns>(const LaunchShape& shape) {
            launch(backward_rows<columns, T>, shape, rows, static_cast<const T*>(args.logits), Target<T>(args),
                   static_cast<const A*>(args.grad), static_cast<const A*>(args.logsumexp), static_cast<T*>(args.dlogits));
        });
    });
}

}  // namespace pyengine::kernels
