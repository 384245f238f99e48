#include "kernels/activation.h"
#include "kernels/cuda/elementwise.h"

namespace pyengine::kernels {
namespace {

constexpr double sqrt_half = 0.70710678118654752440, inverse_sqrt_2pi = 0.39894228040143267794, sqrt_2_over_pi = 0.79788456080286535588;

/// Of a negative number by the exponential that does not overflow.
template <typename T>
__device__ T sigmoid(T x) {
    const T e = exp(-fabs(x));
    return (x < 0 ? e : T{1}) / (T{1} + e);
}

/// The normal distribution function, and its density.
template <typename T>
__device__ T probability(T x) {
    return erfc(x * static_cast<T>(-sqrt_half)) / 2;
}
template <typename T>
__device__ T density(T x) {
    return exp(x * x / -2) * static_cast<T>(inverse_sqrt_2pi);
}

template <typename T>
__device__ T tanh_argument(T x) {
    return static_cast<T>(2 * sqrt_2_over_pi) * (x + static_cast<T>(0.044715) * x * x * x);
}
template <typename T>
__device__ T tanh_argument_slope(T x) {
    return static_cast<T>(2 * sqrt_2_over_pi) * (1 + static_cast<T>(3 * 0.044715) * x * x);
}

/// The limit of x f where f has reached 0.
template <typename T>
__device__ T product(T x, T f) {
    return f == 0 ? copysign(T{0}, x) : x * f;
}

template <Activation f>
struct Apply {
    template <typename T>
    __device__ T operator()(T x) const {
        if constexpr (f == Activation::relu) return x > 0 || x != x ? x : T{0};
        if constexpr (f == Activation::sigmoid) return sigmoid(x);
        if constexpr (f == Activation::tanh) return tanh(x);
        if constexpr (f == Activation::silu) return product(x, sigmoid(x));
        if constexpr (f == Activation::gelu) return product(x, probability(x));
        if constexpr (f == Activation::gelu_tanh) return product(x, sigmoid(tanh_argument(x)));
        if constexpr (f == Activation::softplus) return (x > 0 || x != x ? x : T{0}) + log1p(exp(-fabs(x)));
    }
};

/// g f'(x), from f(x) or x.
template <Activation f>
struct Backward {
    template <typename T>
    __device__ T operator()(T g, T x) const {
        if constexpr (f == Activation::relu) return x > 0 ? g : T{0};
        if constexpr (f == Activation::sigmoid) return g * (x * (1 - x));
        if constexpr (f == Activation::tanh) return g * (1 - x * x);
        if constexpr (f == Activation::silu) {
            const T s = sigmoid(x);
            return g * (s + product(x, s * sigmoid(-x)));
        }
        if constexpr (f == Activation::gelu) return g * (probability(x) + product(x, density(x)));
        if constexpr (f == Activation::gelu_tanh) {
            const T t = sigmoid(tanh_argument(x));
            return g * (t + product(x * tanh_argument_slope(x), t * sigmoid(-tanh_argument(x))));
        }
        if constexpr (f == Activation::softplus) return g * sigmoid(x);
    }
};

}  // namespace

template <>
void activation<level>(Activation f, const ElementwiseArgs& args) {
    if (!is_floating(args.out.type))
        return with_integer_type(args.out.type, [&]<typename T> { map<T, T>(args, Apply<Activation::relu>()); });
    with_operation<Activation::relu, Activation::softplus>(f, [&]<Activation function> {
        with_float_type(args.out.type, [&]<typename T> { map<T, T>(args, Computed<T, Apply<function>>()); });
    });
}

template <>
void activation_backward<level>(Activation f, const ElementwiseArgs& args) {
    with_operation<Activation::relu, Activation::softplus>(f, [&]<Activation function> {
        with_float_type(args.out.type, [&]<typename T> { map<T, T, T>(args, Computed<T, Backward<function>>()); });
    });
}

}  // namespace pyengine::kernels
