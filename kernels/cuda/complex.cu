// Everything computes in double: complex64 then rounds once, and a product of its numbers cannot overflow on the way.
#include "kernels/complex.h"
#include "kernels/cuda/complex_math.h"
#include "kernels/cuda/elementwise.h"

namespace pyengine::kernels {
namespace {

/// One function of numbers in double, on numbers of Real.
template <typename Real, typename F>
struct Rounded {
    template <typename... Z>
    __device__ auto operator()(Z... z) const {
        return narrowed(F()(Number{static_cast<double>(z.re), static_cast<double>(z.im)}...));
    }
    __device__ static Complex<Real> narrowed(Number z) { return {static_cast<Real>(z.re), static_cast<Real>(z.im)}; }
    __device__ static Real narrowed(double x) { return static_cast<Real>(x); }
    __device__ static bool narrowed(bool x) { return x; }
};

template <ComplexUnary op>
struct Unary {
    __device__ auto operator()(Number z) const {
        if constexpr (op == ComplexUnary::abs) return hypot(z.re, z.im);
        if constexpr (op == ComplexUnary::negative) return Number{-z.re, -z.im};
        if constexpr (op == ComplexUnary::conj) return Number{z.re, -z.im};
        if constexpr (op == ComplexUnary::square) return multiply(z, z);
        if constexpr (op == ComplexUnary::reciprocal) return divide({1.0, 0.0}, z);
        if constexpr (op == ComplexUnary::sqrt) return sqrt_of(z);
        if constexpr (op == ComplexUnary::exp) return exp_of(z);
        if constexpr (op == ComplexUnary::expm1) return expm1_of(z);
        if constexpr (op == ComplexUnary::log) return log_of(z);
        if constexpr (op == ComplexUnary::log1p) return log1p_of(z);
        if constexpr (op == ComplexUnary::log2) return scaled(log_of(z), 1.4426950408889634);   // 1 / log(2)
        if constexpr (op == ComplexUnary::log10) return scaled(log_of(z), 0.4342944819032518);  // 1 / log(10)
        if constexpr (op == ComplexUnary::sin) return sin_of(z);
        if constexpr (op == ComplexUnary::cos) return cos_of(z);
        if constexpr (op == ComplexUnary::tan) return tan_of(z);
        if constexpr (op == ComplexUnary::asin) return asin_of(z);
        if constexpr (op == ComplexUnary::acos) return acos_of(z);
        if constexpr (op == ComplexUnary::atan) return atan_of(z);
        if constexpr (op == ComplexUnary::sinh) return sinh_of(z);
        if constexpr (op == ComplexUnary::cosh) return cosh_of(z);
        if constexpr (op == ComplexUnary::tanh) return tanh_of(z);
        if constexpr (op == ComplexUnary::asinh) return asinh_of(z);
        if constexpr (op == ComplexUnary::acosh) return acosh_of(z);
        if constexpr (op == ComplexUnary::atanh) return atanh_of(z);
        if constexpr (op == ComplexUnary::isnan) return is_nan(z);
        if constexpr (op == ComplexUnary::isinf) return is_inf(z);
        if constexpr (op == ComplexUnary::isfinite) return is_finite(z);
    }
};

template <ComplexBinary op>
struct Binary {
    __device__ auto operator()(Number a, Number b) const {
        if constexpr (op == ComplexBinary::add) return Number{a.re + b.re, a.im + b.im};
        if constexpr (op == ComplexBinary::subtract) return Number{a.re - b.re, a.im - b.im};
        if constexpr (op == ComplexBinary::multiply) return multiply(a, b);
        if constexpr (op == ComplexBinary::divide) return divide(a, b);
        if constexpr (op == ComplexBinary::pow) return pow_of(a, b);
        if constexpr (op == ComplexBinary::equal) return a.re == b.re && a.im == b.im;
        if constexpr (op == ComplexBinary::not_equal) return a.re != b.re || a.im != b.im;
    }
};

template <typename Call>
void with_parts(ElementType type, Call call) {
    if (type == ElementType::complex64) return call.template operator()<float>();
    call.template operator()<double>();
}

/// Said, not deduced: where nvcc compiles for the CPU, functions of the device have no bodies.
template <ComplexUnary op, typename Real>
using UnaryResult = std::conditional_t<op == ComplexUnary::abs, Real, std::conditional_t<(op >= ComplexUnary::isnan), bool, Complex<Real>>>;
template <ComplexBinary op, typename Real>
using BinaryResult = std::conditional_t<(op >= ComplexBinary::equal), bool, Complex<Real>>;

}  // namespace

template <>
void complex_unary<level>(ComplexUnary op, const ElementwiseArgs& args) {
    with_operation<ComplexUnary::abs, ComplexUnary::isfinite>(op, [&]<ComplexUnary function> {
        with_parts(args.in[0].type, [&]<typename Real> {
            using Z = Complex<Real>;
            map<UnaryResult<function, Real>, Z>(args, Rounded<Real, Unary<function>>());
        });
    });
}

template <>
void complex_binary<level>(ComplexBinary op, const ElementwiseArgs& args) {
    with_operation<ComplexBinary::add, ComplexBinary::not_equal>(op, [&]<ComplexBinary function> {
        with_parts(args.in[0].type, [&]<typename Real> {
            using Z = Complex<Real>;
            map<BinaryResult<function, Real>, Z, Z>(args, Rounded<Real, Binary<function>>());
        });
    });
}

}  // namespace pyengine::kernels
