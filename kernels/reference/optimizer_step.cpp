#include "kernels/optimizer_step.h"

#include <cmath>

#include "kernels/accumulator.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// For every element i: parameter[i] = update(i, parameter[i], gradient[i]).
template <typename T, typename Update>
void for_each(const StepArgs& args, Update update) {
    T* parameter = static_cast<T*>(args.parameter);
    const T* gradient = static_cast<const T*>(args.gradient);
    for (std::int64_t i = 0; i < args.n; ++i) {
        const auto g = convert<Accumulator<T>>(gradient[i]);
        parameter[i] = convert<T>(update(i, convert<Accumulator<T>>(parameter[i]), args.maximize ? -g : g));
    }
}

/// g + weight_decay * p; an infinite p is no NaN where there is no decay.
template <typename S>
S decayed(const StepArgs& args, S p, S g) {
    return args.weight_decay == 0 ? g : g + static_cast<S>(args.weight_decay) * p;
}

template <typename T>
void sgd(const SgdStepArgs& args) {
    using S = Accumulator<T>;
    const S rate = static_cast<S>(args.learning_rate), momentum = static_cast<S>(args.momentum), share = static_cast<S>(1 - args.dampening);
    S* buffer = static_cast<S*>(args.momentum_buffer);
    for_each<T>(args, [=](std::int64_t i, S p, S g) {
        g = decayed(args, p, g);
        if (!buffer) return p - rate * g;
        buffer[i] = momentum * buffer[i] + share * g;
        return p - rate * (args.nesterov ? g + momentum * buffer[i] : buffer[i]);
    });
}

template <typename T>
void adam(const AdamStepArgs& args) {
    using S = Accumulator<T>;
    const S step_size = static_cast<S>(args.learning_rate / args.bias_correction1), root = static_cast<S>(std::sqrt(args.bias_correction2));
    const S shrink = static_cast<S>(1 - args.learning_rate * args.weight_decay), epsilon = static_cast<S>(args.epsilon);
    const S beta2 = static_cast<S>(args.beta2), share1 = static_cast<S>(1 - args.beta1), share2 = static_cast<S>(1 - args.beta2);
    S* first = static_cast<S*>(args.first_moment);
    S* second = static_cast<S*>(args.second_moment);
    S* largest = static_cast<S*>(args.max_second_moment);
    for_each<T>(args, [=](std::int64_t i, S p, S g) {
        if (args.decoupled_weight_decay)
            p *= shrink;
        else
            g = decayed(args, p, g);
        first[i] += share1 * (g - first[i]);
        second[i] = beta2 * second[i] + share2 * g * g;
        S v = second[i];
        if (largest) v = largest[i] = v > largest[i] || v != v ? v : largest[i];
        return p - step_size * first[i] / (std::sqrt(v) / root + epsilon);
    });
}

template <typename T>
void rmsprop(const RmspropStepArgs& args) {
    using S = Accumulator<T>;
    const S rate = static_cast<S>(args.learning_rate), epsilon = static_cast<S>(args.epsilon), momentum = static_cast<S>(args.momentum);
    const S alpha = static_cast<S>(args.alpha), share = static_cast<S>(1 - args.alpha);
    S* square = static_cast<S*>(args.square_average);
    S* mean = static_cast<S*>(args.gradient_average);
    S* buffer = static_cast<S*>(args.momentum_buffer);
    for_each<T>(args, [=](std::int64_t i, S p, S g) {
        g = decayed(args, p, g);
        square[i] = alpha * square[i] + share * g * g;
        S variance = square[i];
        if (mean) {
            mean[i] += share * (g - mean[i]);
            variance -= mean[i] * mean[i];
        }
        const S update = g / (std::sqrt(variance) + epsilon);
        if (!buffer) return p - rate * update;
        buffer[i] = momentum * buffer[i] + update;
        return p - rate * buffer[i];
    });
}

}  // namespace

template <>
void sgd_step<Isa::reference>(const SgdStepArgs& args) {
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) sgd<T>(args);
    });
}

template <>
void adam_step<Isa::reference>(const AdamStepArgs& args) {
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) adam<T>(args);
    });
}

template <>
void rmsprop_step<Isa::reference>(const RmspropStepArgs& args) {
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) rmsprop<T>(args);
    });
}

}  // namespace pyengine::kernels
