#include "kernels/complex.h"

#include <complex>

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {
namespace {

using Number = std::complex<double>;

Number load_complex(const Operand& x, std::int64_t i) {
    if (x.type == ElementType::complex64) return static_cast<const std::complex<float>*>(x.data)[i];
    return static_cast<const Number*>(x.data)[i];
}

void store_result(const Operand& x, std::int64_t i, Number value) {
    if (x.type == ElementType::complex64)
        static_cast<std::complex<float>*>(x.data)[i] = std::complex<float>(value);
    else
        static_cast<Number*>(x.data)[i] = value;
}
void store_result(const Operand& x, std::int64_t i, double value) { store(x, i, value); }
void store_result(const Operand& x, std::int64_t i, bool value) { store(x, i, std::uint64_t{value}); }

template <typename Op>
void apply(const ElementwiseArgs& args, Op op) {
    for_each_element<1>(args, [&](auto out, auto z, auto, auto) { store_result(args.out, out, op(load_complex(args.in[0], z))); });
}

template <typename Op>
void apply_two(const ElementwiseArgs& args, Op op) {
    for_each_element<2>(args, [&](auto out, auto a, auto b, auto) {
        store_result(args.out, out, op(load_complex(args.in[0], a), load_complex(args.in[1], b)));
    });
}

bool is_nan(Number z) { return std::isnan(z.real()) || std::isnan(z.imag()); }
bool is_inf(Number z) { return std::isinf(z.real()) || std::isinf(z.imag()); }
bool is_finite(Number z) { return std::isfinite(z.real()) && std::isfinite(z.imag()); }

/// Part by part, so that a zero stays one beside an infinity.
Number scaled(Number z, double factor) { return {z.real() * factor, z.imag() * factor}; }

/// See kernels/cpu/complex.cpp for the two formulas that keep the digits near 0.
Number expm1(Number z) {
    const double a = z.real(), b = z.imag(), half = std::sin(b / 2);
    if (!is_finite(z) || a > 700) return {std::exp(z).real() - 1, std::exp(z).imag()};
    return {std::expm1(a) * std::cos(b) - 2 * half * half + 0.0, std::exp(a) * std::sin(b)};
}
Number log1p(Number z) {
    const double a = z.real(), b = z.imag();
    if (!(std::fabs(a) < 0.5 && std::fabs(b) < 0.5)) return std::log(Number(1 + a, b));
    return {0.5 * std::log1p(a * (2 + a) + b * b), std::atan2(b, 1 + a)};
}

Number tanh(Number z) {
    const bool at_infinity = std::isinf(z.real()) && std::isfinite(z.imag());
    return at_infinity ? Number(std::copysign(1.0, z.real()), std::copysign(0.0, z.imag())) : std::tanh(z);
}

Number pow(Number a, Number b) {
    if (b == 0.0) return 1.0;
    if (a == 0.0 && b.real() > 0) return 0.0;
    const double n = b.real();
    return b.imag() == 0 && n == std::nearbyint(n) && std::fabs(n) < 100 ? std::pow(a, static_cast<int>(n)) : std::pow(a, b);
}

}  // namespace

template <>
void complex_unary<Isa::reference>(ComplexUnary op, const ElementwiseArgs& args) {
    switch (op) {
        case ComplexUnary::abs: return apply(args, [](Number z) { return std::abs(z); });
        case ComplexUnary::negative: return apply(args, [](Number z) { return -z; });
        case ComplexUnary::conj: return apply(args, [](Number z) { return std::conj(z); });
        case ComplexUnary::square: return apply(args, [](Number z) { return z * z; });
        case ComplexUnary::reciprocal: return apply(args, [](Number z) { return Number(1, 0) / z; });
        case ComplexUnary::sqrt: return apply(args, [](Number z) { return std::sqrt(z); });
        case ComplexUnary::exp: return apply(args, [](Number z) { return std::exp(z); });
        case ComplexUnary::expm1: return apply(args, expm1);
        case ComplexUnary::log: return apply(args, [](Number z) { return std::log(z); });
        case ComplexUnary::log1p: return apply(args, log1p);
        case ComplexUnary::log2: return apply(args, [](Number z) { return scaled(std::log(z), 1 / std::log(2.0)); });
        case ComplexUnary::log10: return apply(args, [](Number z) { return scaled(std::log(z), 1 / std::log(10.0)); });
        case ComplexUnary::sin: return apply(args, [](Number z) { return std::sin(z); });
        case ComplexUnary::cos: return apply(args, [](Number z) { return std::cos(z); });
        case ComplexUnary::tan: return apply(args, [](Number z) { return std::tan(z); });
        case ComplexUnary::asin: return apply(args, [](Number z) { return std::asin(z); });
        case ComplexUnary::acos: return apply(args, [](Number z) { return std::acos(z); });
        case ComplexUnary::atan: return apply(args, [](Number z) { return std::atan(z); });
        case ComplexUnary::sinh: return apply(args, [](Number z) { return std::sinh(z); });
        case ComplexUnary::cosh: return apply(args, [](Number z) { return std::cosh(z); });
        case ComplexUnary::tanh: return apply(args, tanh);
        case ComplexUnary::asinh: return apply(args, [](Number z) { return std::asinh(z); });
        case ComplexUnary::acosh: return apply(args, [](Number z) { return std::acosh(z); });
        case ComplexUnary::atanh: return apply(args, [](Number z) { return std::atanh(z); });
        case ComplexUnary::isnan: return apply(args, is_nan);
        case ComplexUnary::isinf: return apply(args, is_inf);
        case ComplexUnary::isfinite: return apply(args, is_finite);
    }
}

template <>
void complex_binary<Isa::reference>(ComplexBinary op, const ElementwiseArgs& args) {
    switch (op) {
        case ComplexBinary::add: return apply_two(args, [](Number a, Number b) { return a + b; });
        case ComplexBinary::subtract: return apply_two(args, [](Number a, Number b) { return a - b; });
        case ComplexBinary::multiply: return apply_two(args, [](Number a, Number b) { return a * b; });
        case ComplexBinary::divide: return apply_two(args, [](Number a, Number b) { return a / b; });
        case ComplexBinary::pow: return apply_two(args, pow);
        case ComplexBinary::equal: return apply_two(args, [](Number a, Number b) { return a == b; });
        case ComplexBinary::not_equal: return apply_two(args, [](Number a, Number b) { return a != b; });
    }
}

}  // namespace pyengine::kernels
