#include "kernels/activation.h"

#include <math.h>

#include "kernels/cpu/simd_math.h"
#include "kernels/cpu/types.h"

namespace pyengine::kernels {
namespace {

struct Relu {
    template <typename T>
    static T apply(T x) {
        return x > T{0} || x != x ? x : T{0};
    }
};

struct ReluBackward {
    template <typename T>
    static T apply(T g, T y) {
        return y > T{0} ? g : T{0};
    }
};

struct Sigmoid {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vsigmoid<T>(x);
    }
};

struct SigmoidBackward {
    template <typename T>
    static T apply(T g, T y) {
        return g * y * (T{1} - y);
    }
};

struct Tanh {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vtanh<T>(x);
    }
};

struct TanhBackward {
    template <typename T>
    static T apply(T g, T y) {
        return g * (T{1} - y * y);
    }
};

/// x f for a factor f that tends to 0 at minus infinity faster than 1 / x: the product's limit there is 0, not NaN.
template <typename T>
inline Vec<T> scaled(Vec<T> x, Vec<T> f) {
    return x == static_cast<T>(-__builtin_inf()) ? broadcast(T{-0.0}) : x * f;
}

struct Silu {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return scaled<T>(x, vsigmoid<T>(x));
    }
};

/// f' = s + x s (1 - s) with s = sigmoid(x).
struct SiluBackward {
    template <typename T>
    static Vec<T> apply(Vec<T> g, Vec<T> x) {
        return g * (vsigmoid<T>(x) + slope_term<T>(x));
    }
    /// x s (1 - s), where 1 - s = sigmoid(-x) keeps its digits.
    template <typename T>
    static Vec<T> slope_term(Vec<T> x) {
        const Vec<T> product = x * vsigmoid<T>(x) * vsigmoid<T>(-x);
        return vabs<T>(x) == static_cast<T>(__builtin_inf()) ? Vec<T>{} : product;
    }
};

/// P(x) = erfc(-x / sqrt(2)) / 2, and exp(-x^2 / 2), of which both P and the density are made.
struct NormalDistribution {
    Vec<float> probability, bell;

    explicit NormalDistribution(Vec<float> x) {
        bell = vexp<float>(x * x * -0.5f);
        const Vec<float> tail = bell * scaled_erfc(vabs<float>(x) * 0x1.6a09e6p-1f) * 0.5f;
        probability = x > 0.0f ? 1.0f - tail : tail;
    }
};

constexpr double inverse_sqrt_2 = 0x1.6a09e667f3bcdp-1, inverse_sqrt_2pi = 0x1.9884533d43651p-2;

struct Gelu {
    template <typename T>
    static Vec<float> apply(Vec<float> x) {
        return scaled<float>(x, NormalDistribution(x).probability);
    }
    static double apply(double x) { return x == -__builtin_inf() ? -0.0 : x * 0.5 * erfc(-x * inverse_sqrt_2); }
};

/// f' = P(x) + x p(x), p the density.
struct GeluBackward {
    template <typename T>
    static Vec<float> apply(Vec<float> g, Vec<float> x) {
        const NormalDistribution normal(x);
        const Vec<float> term = x * normal.bell * static_cast<float>(inverse_sqrt_2pi);
        return g * (normal.probability + (normal.bell == 0.0f ? Vec<float>{} : term));
    }
    static double apply(double g, double x) {
        const double bell = exp(x * x * -0.5);
        return g * (0.5 * erfc(-x * inverse_sqrt_2) + (bell == 0.0 ? 0.0 : x * bell * inverse_sqrt_2pi));
    }
};

/// 2 sqrt(2 / pi) (x + 0.044715 x^3) = x (c + d x^2).
template <typename T>
constexpr T tanh_linear = static_cast<T>(0x1.9884533d43651p+0);
template <typename T>
constexpr T tanh_cubic = static_cast<T>(0x1.9884533d43651p+0 * 0.044715);

struct GeluTanh {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return scaled<T>(x, vsigmoid<T>(x * (x * x * tanh_cubic<T> + tanh_linear<T>)));
    }
};

/// f' = s + x s (1 - s) u' with u = x (c + d x^2), u' = c + 3 d x^2, s = sigmoid(u).
struct GeluTanhBackward {
    template <typename T>
    static Vec<T> apply(Vec<T> g, Vec<T> x) {
        const Vec<T> square = x * x * tanh_cubic<T>;
        const Vec<T> u = x * (square + tanh_linear<T>);
        const Vec<T> s = vsigmoid<T>(u), slope = s * vsigmoid<T>(-u);
        return g * (s + (slope == T{0} ? Vec<T>{} : x * slope * (T{3} * square + tanh_linear<T>)));
    }
};

struct Softplus {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vsoftplus<T>(x);
    }
};

struct SoftplusBackward {
    template <typename T>
    static Vec<T> apply(Vec<T> g, Vec<T> x) {
        return g * vsigmoid<T>(x);
    }
};

template <typename Op>
Run forward(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_unary_vector<Op, T>; });
}

template <typename Op>
Run backward(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_binary<Op, T, T>; });
}

template <typename Op>
Run backward_vector(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_binary_vector<Op, T>; });
}

Run find(Activation f, ElementType type) {
    const bool is_double = type == ElementType::float64;
    switch (f) {
        case Activation::relu: return for_numbers(type, []<typename T>() -> Run { return run_unary<Relu, T, T>; });
        case Activation::sigmoid: return forward<Sigmoid>(type);
        case Activation::tanh: return forward<Tanh>(type);
        case Activation::silu: return forward<Silu>(type);
        case Activation::gelu: return is_double ? run_unary<Gelu, double, double> : run_unary_vector<Gelu, float>;
        case Activation::gelu_tanh: return forward<GeluTanh>(type);
        case Activation::softplus: return forward<Softplus>(type);
    }
    return nullptr;
}

Run find_backward(Activation f, ElementType type) {
    const bool is_double = type == ElementType::float64;
    switch (f) {
        case Activation::relu: return backward<ReluBackward>(type);
        case Activation::sigmoid: return backward<SigmoidBackward>(type);
        case Activation::tanh: return backward<TanhBackward>(type);
        case Activation::silu: return backward_vector<SiluBackward>(type);
        case Activation::gelu: return is_double ? run_binary<GeluBackward, double, double> : run_binary_vector<GeluBackward, float>;
        case Activation::gelu_tanh: return backward_vector<GeluTanhBackward>(type);
        case Activation::softplus: return backward_vector<SoftplusBackward>(type);
    }
    return nullptr;
}

}  // namespace

template <>
void activation<level>(Activation f, const ElementwiseArgs& args) {
    elementwise<1>(find(f, args.in[0].type), args);
}

template <>
void activation_backward<level>(Activation f, const ElementwiseArgs& args) {
    elementwise<2>(find_backward(f, args.in[0].type), args);
}

}  // namespace pyengine::kernels
