// A step is bound by memory: every vector of the parameter, the gradient and the state is loaded and stored once.
#include "kernels/optimizer_step.h"

#include "kernels/accumulator.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;

inline Vec<double> load_state(const double* p) { return load(p); }
template <typename T>
inline Vec<float> load_state(const T* p) {
    return load_float(p);
}

inline void store_state(double* p, Vec<double> v) { store(p, v); }
template <typename T>
inline void store_state(T* p, Vec<float> v) {
    store_float(p, v);
}

/// `count` elements in the state's type; zeros behind them. With the constant count of whole vectors this is one load.
template <typename T>
inline Vec<Accumulator<T>> read(const T* p, std::int64_t count) {
    constexpr std::int64_t width = lanes<Accumulator<T>>;
    if (count == width) return load_state(p);
    T padded[width] = {};
    std::memcpy(padded, p, static_cast<std::size_t>(count) * sizeof(T));
    return load_state(padded);
}

template <typename T>
inline void write(T* p, Vec<Accumulator<T>> v, std::int64_t count) {
    constexpr std::int64_t width = lanes<Accumulator<T>>;
    if (count == width) return store_state(p, v);
    T padded[width];
    store_state(padded, v);
    std::memcpy(p, padded, static_cast<std::size_t>(count) * sizeof(T));
}

/// For every vector of `count` elements at i: parameter = update(i, count, parameter, gradient).
template <typename T, typename Update>
void for_each_vector(const StepArgs& args, Update update) {
    T* parameter = static_cast<T*>(args.parameter);
    const T* gradient = static_cast<const T*>(args.gradient);
    const bool maximize = args.maximize;
    const auto step = [=](std::int64_t i, std::int64_t count) __attribute__((always_inline)) {
        const Vec<Accumulator<T>> g = read(gradient + i, count);
        write(parameter + i, update(i, count, read(parameter + i, count), maximize ? -g : g), count);
    };
    parallel_blocks(args.n, grain, [=](std::int64_t begin, std::int64_t end) {
        constexpr std::int64_t width = lanes<Accumulator<T>>;
        std::int64_t i = begin;
        for (; i + width <= end; i += width) step(i, width);
        if (i < end) step(i, end - i);
    });
}

template <typename T>
void sgd(const SgdStepArgs& args) {
    using S = Accumulator<T>;
    const S rate = static_cast<S>(args.learning_rate), decay = static_cast<S>(args.weight_decay);
    const S momentum = static_cast<S>(args.momentum), share = static_cast<S>(1 - args.dampening);
    const bool nesterov = args.nesterov;
    S* buffer = static_cast<S*>(args.momentum_buffer);
    for_each_vector<T>(args, [=](std::int64_t i, std::int64_t count, Vec<S> p, Vec<S> g) __attribute__((always_inline)) {
        if (decay != 0) g += decay * p;
        if (!buffer) return p - rate * g;
        const Vec<S> velocity = momentum * read(buffer + i, count) + share * g;
        write(buffer + i, velocity, count);
        return p - rate * (nesterov ? g + momentum * velocity : velocity);
    });
}

template <typename T>
void adam(const AdamStepArgs& args) {
    using S = Accumulator<T>;
    const S step_size = static_cast<S>(args.learning_rate / args.bias_correction1), epsilon = static_cast<S>(args.epsilon);
    const S root = static_cast<S>(__builtin_sqrt(args.bias_correction2));
    const S decay = static_cast<S>(args.decoupled_weight_decay ? 0 : args.weight_decay);
    const S shrink = static_cast<S>(args.decoupled_weight_decay ? 1 - args.learning_rate * args.weight_decay : 1);
    const S beta2 = static_cast<S>(args.beta2), share1 = static_cast<S>(1 - args.beta1), share2 = static_cast<S>(1 - args.beta2);
    S* first = static_cast<S*>(args.first_moment);
    S* second = static_cast<S*>(args.second_moment);
    S* largest = static_cast<S*>(args.max_second_moment);
    for_each_vector<T>(args, [=](std::int64_t i, std::int64_t count, Vec<S> p, Vec<S> g) __attribute__((always_inline)) {
        if (decay != 0) g += decay * p;
        const Vec<S> old = read(first + i, count);
        const Vec<S> mean = old + share1 * (g - old);
        Vec<S> variance = beta2 * read(second + i, count) + share2 * g * g;
        write(first + i, mean, count);
        write(second + i, variance, count);
        if (largest) {
            variance = vmax<S>(variance, read(largest + i, count));
            write(largest + i, variance, count);
        }
        return shrink * p - step_size * mean / (vsqrt(variance) / root + epsilon);
    });
}

template <typename T>
void rmsprop(const RmspropStepArgs& args) {
    using S = Accumulator<T>;
    const S rate = static_cast<S>(args.learning_rate), epsilon = static_cast<S>(args.epsilon), decay = static_cast<S>(args.weight_decay);
    const S momentum = static_cast<S>(args.momentum), alpha = static_cast<S>(args.alpha), share = static_cast<S>(1 - args.alpha);
    S* square = static_cast<S*>(args.square_average);
    S* average = static_cast<S*>(args.gradient_average);
    S* buffer = static_cast<S*>(args.momentum_buffer);
    for_each_vector<T>(args, [=](std::int64_t i, std::int64_t count, Vec<S> p, Vec<S> g) __attribute__((always_inline)) {
        if (decay != 0) g += decay * p;
        Vec<S> variance = alpha * read(square + i, count) + share * g * g;
        write(square + i, variance, count);
        if (average) {
            const Vec<S> old = read(average + i, count);
            const Vec<S> mean = old + share * (g - old);
            write(average + i, mean, count);
            variance -= mean * mean;
        }
        Vec<S> update = g / (vsqrt(variance) + epsilon);
        if (buffer) {
            update += momentum * read(buffer + i, count);
            write(buffer + i, update, count);
        }
        return p - rate * update;
    });
}

}  // namespace

template <>
void sgd_step<level>(const SgdStepArgs& args) {
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) sgd<T>(args);
    });
}

template <>
void adam_step<level>(const AdamStepArgs& args) {
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) adam<T>(args);
    });
}

template <>
void rmsprop_step<level>(const RmspropStepArgs& args) {
    with_type(args.type, [&]<typename T> {
        if constexpr (is_real<T>) rmsprop<T>(args);
    });
}

}  // namespace pyengine::kernels
