#include "kernels/cuda/elementwise.h"
#include "kernels/elementwise_unary.h"

namespace pyengine::kernels {
namespace {

struct Abs {
    template <typename T>
    __device__ T operator()(T x) const {
        if constexpr (is_real<T>)
            return fabs(x);
        else if constexpr (std::is_signed_v<T>)
            return x < 0 ? static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(x)) : x;
        else
            return x;
    }
};

struct Negative {
    template <typename T>
    __device__ T operator()(T x) const {
        return static_cast<T>(-x);
    }
};

struct Square {
    template <typename T>
    __device__ T operator()(T x) const {
        return wrapping_multiply(x, x);
    }
};

struct Sign {
    template <typename T>
    __device__ T operator()(T x) const {
        if constexpr (std::is_unsigned_v<T>)
            return x != 0;
        else
            return x > 0 ? T{1} : x < 0 ? T{-1} : x == 0 ? T{0} : x;  // NaN stays
    }
};

struct Invert {
    template <typename T>
    __device__ T operator()(T x) const {
        if constexpr (std::is_same_v<T, bool>)
            return !x;
        else
            return static_cast<T>(~x);
    }
};

struct Not {
    template <typename T>
    __device__ bool operator()(T x) const {
        return x == 0;
    }
};

/// The functions of floats to floats. CUDA's are within 4.5 ulp, most within 2.5: tests/ops/cuda_accuracy.py lists them.
template <UnaryOp op>
struct Function {
    template <typename T>
    __device__ T operator()(T x) const {
        if constexpr (op == UnaryOp::sqrt) return sqrt(x);
        if constexpr (op == UnaryOp::rsqrt) return T{1} / sqrt(x);
        if constexpr (op == UnaryOp::reciprocal) return T{1} / x;
        if constexpr (op == UnaryOp::floor) return floor(x);
        if constexpr (op == UnaryOp::ceil) return ceil(x);
        if constexpr (op == UnaryOp::round) return rint(x);
        if constexpr (op == UnaryOp::trunc) return trunc(x);
        if constexpr (op == UnaryOp::exp) return exp(x);
        if constexpr (op == UnaryOp::expm1) return expm1(x);
        if constexpr (op == UnaryOp::log) return log(x);
        if constexpr (op == UnaryOp::log1p) return log1p(x);
        if constexpr (op == UnaryOp::log2) return log2(x);
        if constexpr (op == UnaryOp::log10) return log10(x);
        if constexpr (op == UnaryOp::sin) return sin(x);
        if constexpr (op == UnaryOp::cos) return cos(x);
        if constexpr (op == UnaryOp::tan) return tan(x);
        if constexpr (op == UnaryOp::asin) return asin(x);
        if constexpr (op == UnaryOp::acos) return acos(x);
        if constexpr (op == UnaryOp::atan) return atan(x);
        if constexpr (op == UnaryOp::sinh) return sinh(x);
        if constexpr (op == UnaryOp::cosh) return cosh(x);
        if constexpr (op == UnaryOp::asinh) return asinh(x);
        if constexpr (op == UnaryOp::acosh) return acosh(x);
        if constexpr (op == UnaryOp::atanh) return atanh(x);
        if constexpr (op == UnaryOp::erf) return erf(x);
    }
};

template <UnaryOp op>
struct Test {
    template <typename T>
    __device__ bool operator()(T x) const {
        if constexpr (op == UnaryOp::isnan) return isnan(x);
        if constexpr (op == UnaryOp::isinf) return isinf(x);
        if constexpr (op == UnaryOp::isfinite) return isfinite(x);
        if constexpr (op == UnaryOp::signbit) return signbit(x);
    }
};

template <typename F>
void numbers(const ElementwiseArgs& args) {
    with_number_type(args.out.type, [&]<typename T> { map<T, T>(args, Computed<T, F>()); });
}

template <typename F>
void wrapping_numbers(const ElementwiseArgs& args) {
    with_wrapping_type(args.out.type, [&]<typename T> { map<T, T>(args, Computed<T, F>()); });
}

}  // namespace

template <>
void unary<level>(UnaryOp op, const ElementwiseArgs& args) {
    switch (op) {
        case UnaryOp::abs: return numbers<Abs>(args);
        case UnaryOp::negative: return wrapping_numbers<Negative>(args);
        case UnaryOp::square: return wrapping_numbers<Square>(args);
        case UnaryOp::sign: return numbers<Sign>(args);
        case UnaryOp::logical_not:
            return with_wrapping_type(args.in[0].type, [&]<typename T> { map<bool, T>(args, Computed<bool, Not>()); });
        case UnaryOp::bitwise_invert: return with_size(args.out.type, [&]<typename T> { map<T, T>(args, Invert()); });
        case UnaryOp::isnan:
        case UnaryOp::isinf:
        case UnaryOp::isfinite:
        case UnaryOp::signbit:
            return with_operation<UnaryOp::isnan, UnaryOp::signbit>(op, [&]<UnaryOp test> {
                with_float_type(args.in[0].type, [&]<typename T> { map<bool, T>(args, Computed<bool, Test<test>>()); });
            });
        default:
            return with_operation<UnaryOp::sqrt, UnaryOp::erf>(op, [&]<UnaryOp function> {
                with_float_type(args.out.type, [&]<typename T> { map<T, T>(args, Computed<T, Function<function>>()); });
            });
    }
}

}  // namespace pyengine::kernels
