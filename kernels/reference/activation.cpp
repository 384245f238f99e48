#include "kernels/activation.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {
namespace {

constexpr double sqrt_2 = 1.4142135623730950488, sqrt_2pi = 2.5066282746310005024, sqrt_2_over_pi = 0.79788456080286535588;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double probability(double x) { return std::erfc(-x / sqrt_2) / 2; }
double density(double x) { return std::exp(-x * x / 2) / sqrt_2pi; }
double tanh_argument(double x) { return 2 * sqrt_2_over_pi * (x + 0.044715 * x * x * x); }
double tanh_argument_slope(double x) { return 2 * sqrt_2_over_pi * (1 + 3 * 0.044715 * x * x); }

/// The limit of x f where f has reached 0.
double product(double x, double f) { return f == 0 ? std::copysign(0.0, x) : x * f; }

double apply(Activation f, double x) {
    switch (f) {
        case Activation::relu: return x > 0 || std::isnan(x) ? x : 0;
        case Activation::sigmoid: return sigmoid(x);
        case Activation::tanh: return std::tanh(x);
        case Activation::silu: return product(x, sigmoid(x));
        case Activation::gelu: return product(x, probability(x));
        case Activation::gelu_tanh: return product(x, sigmoid(tanh_argument(x)));
        case Activation::softplus: return x > 40 ? x : std::log1p(std::exp(x));
    }
    return x;
}

/// f'(x), from f(x) or x.
double slope(Activation f, double x) {
    const double s = sigmoid(x), t = sigmoid(tanh_argument(x));
    switch (f) {
        case Activation::relu: return x > 0 ? 1 : 0;
        case Activation::sigmoid: return x * (1 - x);
        case Activation::tanh: return 1 - x * x;
        case Activation::silu: return s + product(x, s * sigmoid(-x));
        case Activation::gelu: return probability(x) + product(x, density(x));
        case Activation::gelu_tanh: return t + product(x * tanh_argument_slope(x), t * sigmoid(-tanh_argument(x)));
        case Activation::softplus: return s;
    }
    return 1;
}

}  // namespace

template <>
void activation<Isa::reference>(Activation f, const ElementwiseArgs& args) {
    if (domain_of(args.out.type) == Domain::floating) return apply_unary<double>(args, [f](double x) { return apply(f, x); });
    apply_unary_any(args, [](auto x) { return x > 0 ? x : decltype(x){0}; });  // relu, the only one for integers
}

template <>
void activation_backward<Isa::reference>(Activation f, const ElementwiseArgs& args) {
    apply_binary<double>(args, [f](double g, double x) { return f == Activation::relu && !(x > 0) ? 0 : g * slope(f, x); });
}

}  // namespace pyengine::kernels
