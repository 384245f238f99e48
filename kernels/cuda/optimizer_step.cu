// One pass over memory for each step, neighbouring threads at neighbouring elements. It has run in the simulator only so far.
#include <math.h>

#include "kernels/accumulator.h"
#include "kernels/cuda/cuda.h"
#include "kernels/optimizer_step.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// What every step begins with, in S, which the step computes in. The constants are found once, in double.
template <typename S>
struct Descent {
    bool maximize, decays;
    S weight_decay, rate;

    __host__ __device__ explicit Descent(const StepArgs& args)
        : maximize(args.maximize),
          decays(args.weight_decay != 0),
          weight_decay(static_cast<S>(args.weight_decay)),
          rate(static_cast<S>(args.learning_rate)) {}

    /// An infinite p is no NaN where there is no decay.
    __device__ S decayed(S p, S g) const { return decays ? g + weight_decay * p : g; }
};

template <typename S>
struct Sgd : Descent<S> {
    S momentum, share;
    bool nesterov;
    S* buffer;

    explicit Sgd(const SgdStepArgs& args)
        : Descent<S>(args),
          momentum(static_cast<S>(args.momentum)),
          share(static_cast<S>(1 - args.dampening)),
          nesterov(args.nesterov),
          buffer(static_cast<S*>(args.momentum_buffer)) {}

    __device__ S operator()(std::int64_t i, S p, S g) const {
        g = this->decayed(p, g);
        if (!buffer) return p - this->rate * g;
        const S velocity = momentum * buffer[i] + share * g;
        buffer[i] = velocity;
        return p - this->rate * (nesterov ? g + momentum * velocity : velocity);
    }
};

template <typename S>
struct Adam : Descent<S> {
    bool decoupled;
    S step_size, root, shrink, epsilon, beta2, share1, share2;
    S *first_moment, *second_moment, *largest;

    __host__ __device__ explicit Adam(const AdamStepArgs& args)
        : Descent<S>(args),
          decoupled(args.decoupled_weight_decay),
          step_size(static_cast<S>(args.learning_rate / args.bias_correction1)),
          root(static_cast<S>(sqrt(args.bias_correction2))),
          shrink(static_cast<S>(1 - args.learning_rate * args.weight_decay)),
          epsilon(static_cast<S>(args.epsilon)),
          beta2(static_cast<S>(args.beta2)),
          share1(static_cast<S>(1 - args.beta1)),
          share2(static_cast<S>(1 - args.beta2)),
          first_moment(static_cast<S*>(args.first_moment)),
          second_moment(static_cast<S*>(args.second_moment)),
          largest(static_cast<S*>(args.max_second_moment)) {}

    __device__ S operator()(std::int64_t i, S p, S g) const {
        if (decoupled)
            p *= shrink;
        else
            g = this->decayed(p, g);
        const S m = first_moment[i] + share1 * (g - first_moment[i]);
        S v = beta2 * second_moment[i] + share2 * g * g;
        first_moment[i] = m;
        second_moment[i] = v;
        if (largest) v = largest[i] = v > largest[i] || v != v ? v : largest[i];
        return p - step_size * m / (sqrt(v) / root + epsilon);
    }
};

template <typename S>
struct Rmsprop : Descent<S> {
    S epsilon, momentum, alpha, share;
    S *square_average, *gradient_average, *buffer;

    explicit Rmsprop(const RmspropStepArgs& args)
        : Descent<S>(args),
          epsilon(static_cast<S>(args.epsilon)),
          momentum(static_cast<S>(args.momentum)),
          alpha(static_cast<S>(args.alpha)),
          share(static_cast<S>(1 - args.alpha)),
          square_average(static_cast<S*>(args.square_average)),
          gradient_average(static_cast<S*>(args.gradient_average)),
          buffer(static_cast<S*>(args.momentum_buffer)) {}

    __device__ S operator()(std::int64_t i, S p, S g) const {
        g = this->decayed(p, g);
        S variance = alpha * square_average[i] + share * g * g;
        square_average[i] = variance;
        if (gradient_average) {
            const S mean = gradient_average[i] + share * (g - gradient_average[i]);
            gradient_average[i] = mean;
            variance -= mean * mean;
        }
        const S update = g / (sqrt(variance) + epsilon);
        if (!buffer) return p - this->rate * update;
        const S velocity = momentum * buffer[i] + update;
        buffer[i] = velocity;
        return p - this->rate * velocity;
    }
};

template <typename T, typename Update>
__device__ void step_elements(std::int64_t n, T* parameter, const T* gradient, const Update& update) {
    each_index(n, [&](std::int64_t i) {
        const auto g = convert<Accumulator<T>>(gradient[i]);
        parameter[i] = convert<T>(update(i, convert<Accumulator<T>>(parameter[i]), update.maximize ? -g : g));
    });
}

template <typename T, typename Update>
__global__ void step_kernel(std::int64_t n, T* parameter, const T* gradient, Update update) {
    step_elements(n, parameter, gradient, update);
}

/// In a CUDA graph t grows from replay to replay, and with it what Adam's constants are found from.
template <typename T>
__global__ void replayed_adam_step(AdamStepArgs args) {
    const auto replays = static_cast<double>(*args.replays);
    args.bias_correction1 = 1 - (1 - args.bias_correction1) * pow(args.beta1, replays);
    args.bias_correction2 = 1 - (1 - args.bias_correction2) * pow(args.beta2, replays);
    step_elements(args.n, static_cast<T*>(args.parameter), static_cast<const T*>(args.gradient), Adam<Accumulator<T>>(args));
}

template <template <typename> typename Update, typename Args>
void step(const Args& args) {
    if (args.n == 0) return;
    with_float_type(args.type, [&]<typename T> {
        launch(step_kernel<T, Update<Accumulator<T>>>, shape_for(args.n), args.n, static_cast<T*>(args.parameter),
               static_cast<const T*>(args.gradient), Update<Accumulator<T>>(args));
    });
}

}  // namespace

template <>
void sgd_step<level>(const SgdStepArgs& args) {
    step<Sgd>(args);
}

template <>
void adam_step<level>(const AdamStepArgs& args) {
    if (!args.replays) return step<Adam>(args);
    if (args.n > 0) with_float_type(args.type, [&]<typename T> { launch(replayed_adam_step<T>, shape_for(args.n), args); });
}

template <>
void rmsprop_step<level>(const RmspropStepArgs& args) {
    step<Rmsprop>(args);
}

}  // namespace pyengine::kernels
