#include "kernels/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// One column of logits with its target.
template <typename T>
struct Row {
    const CrossEntropyProblem& problem;
    std::int64_t first, stride, target;  // first logit; from class to class; place in classes

    double logit(std::int64_t c) const { return at(problem.logits, first + c * stride); }
    double weight(std::int64_t c) const { return problem.weight ? at(problem.weight, c) : 1.0; }
    bool ignored() const { return problem.classes && problem.classes[target] == problem.ignore_index; }

    /// w[c] t'[c]
    double weighted_target(std::int64_t c) const {
        const double hard = problem.classes ? c == problem.classes[target] : at(problem.distribution, first + c * stride);
        const double smoothing = problem.label_smoothing;
        return weight(c) * ((1 - smoothing) * hard + smoothing / static_cast<double>(problem.n));
    }

    double weighted_total() const {
        double total = 0;
        for (std::int64_t c = 0; c < problem.n; ++c) total += weighted_target(c);
        return total;
    }

    double logsumexp() const {
        double max = -INFINITY, sum = 0;
        for (std::int64_t c = 0; c < problem.n; ++c) max = std::max(max, logit(c));  // a NaN shows in the sum
        if (problem.n == 0) return max;
        for (std::int64_t c = 0; c < problem.n; ++c) sum += std::exp(logit(c) - max);
        return max + std::log(sum);
    }

    double loss(double logsumexp) const {
        const bool one_class = problem.classes && problem.label_smoothing == 0;
        double total = 0;
        for (std::int64_t c = 0; c < problem.n; ++c)
            if (!one_class || c == problem.classes[target]) total += weighted_target(c) * (logsumexp - logit(c));
        return total;
    }

private:
    static double at(const void* data, std::int64_t i) { return convert<double>(static_cast<const T*>(data)[i]); }
};

template <typename T, typename Body>
void each_row(const CrossEntropyProblem& problem, Body body) {
    for (std::int64_t o = 0; o < problem.outer; ++o)
        for (std::int64_t i = 0; i < problem.inner; ++i) {
            const std::int64_t place = o * problem.inner + i;
            body(Row<T>{problem, o * problem.n * problem.inner + i, problem.inner, place}, place);
        }
}

}  // namespace

template <>
void softmax_cross_entropy<Isa::reference>(const SoftmaxCrossEntropyArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        auto* loss = static_cast<Accumulator<T>*>(args.loss);
        auto* logsumexp = static_cast<Accumulator<T>*>(args.logsumexp);
        each_row<T>(args, [&](const Row<T>& row, std::int64_t place) {
            const double value = row.logsumexp();
            logsumexp[place] = static_cast<Accumulator<T>>(value);
            loss[place] = row.ignored() ? 0 : static_cast<Accumulator<T>>(row.loss(value));
        });
    });
}

template <>
void softmax_cross_entropy_backward<Isa::reference>(const SoftmaxCrossEntropyBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const auto* logsumexp = static_cast<const Accumulator<T>*>(args.logsumexp);
        const auto* grad = static_cast<const Accumulator<T>*>(args.grad);
        T* dlogits = static_cast<T*>(args.dlogits);
        each_row<T>(args, [&](const Row<T>& row, std::int64_t place) {
            const double total = row.weighted_total(), g = grad[place];
            for (std::int64_t c = 0; c < args.n; ++c) {
                const double probability = std::exp(row.logit(c) - logsumexp[place]);
                const double d = row.ignored() ? 0 : g * (probability * total - row.weighted_target(c));
                dlogits[row.first + c * row.stride] = convert<T>(d);
            }
        });
    });
}

}  // namespace pyengine::kernels
