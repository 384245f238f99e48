#include "kernels/elementwise_unary.h"

#include <math.h>

#include "kernels/cpu/simd_math.h"
#include "kernels/cpu/types.h"

namespace pyengine::kernels {
namespace {

struct Abs {
    static float apply(float x) { return __builtin_fabsf(x); }
    static double apply(double x) { return __builtin_fabs(x); }
    template <typename Int>
    static Int apply(Int x) {
        return static_cast<Int>(x < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(x) : static_cast<std::uint64_t>(x));
    }
};

struct Negative {
    template <typename T>
    static T apply(T x) {
        return static_cast<T>(-x);
    }
};

struct Square {
    static float apply(float x) { return x * x; }
    static double apply(double x) { return x * x; }
    template <typename Int>
    static Int apply(Int x) {
        return static_cast<Int>(std::uint64_t{x} * x);  // 16-bit operands would be promoted to int, whose overflow is undefined
    }
};

struct Sign {
    template <typename T>
    static T apply(T x) {
        return x > T{0} ? T{1} : x < T{0} ? static_cast<T>(-1) : x == T{0} ? T{0} : x;  // NaN stays
    }
};

struct Invert {
    template <typename T>
    static T apply(T x) {
        return static_cast<T>(~x);
    }
};

struct Not {
    static std::uint8_t apply(std::uint8_t x) { return x == 0; }
};

struct Reciprocal {
    template <typename T>
    static T apply(T x) {
        return T{1} / x;
    }
};

struct Sqrt {
    static float apply(float x) { return __builtin_sqrtf(x); }
    static double apply(double x) { return __builtin_sqrt(x); }
};

struct Rsqrt {
    template <typename T>
    static T apply(T x) {
        return T{1} / Sqrt::apply(x);
    }
};

struct Floor {
    static float apply(float x) { return __builtin_floorf(x); }
    static double apply(double x) { return __builtin_floor(x); }
};

struct Ceil {
    static float apply(float x) { return __builtin_ceilf(x); }
    static double apply(double x) { return __builtin_ceil(x); }
};

struct Round {
    static float apply(float x) { return __builtin_rintf(x); }
    static double apply(double x) { return __builtin_rint(x); }
};

struct Trunc {
    static float apply(float x) { return __builtin_truncf(x); }
    static double apply(double x) { return __builtin_trunc(x); }
};

struct Exp {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vexp<T>(x);
    }
};

struct Expm1 {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vexpm1<T>(x);
    }
};

struct Log {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vlog<T>(x);
    }
};

struct Log1p {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        return vlog1p<T>(x);
    }
};

struct Erf {
    template <typename T>
    static Vec<float> apply(Vec<float> x) {
        return verf(x);
    }
};

struct IsNan {
    template <typename T>
    static std::uint8_t apply(T x) {
        return x != x;
    }
};

struct IsInf {
    template <typename T>
    static std::uint8_t apply(T x) {
        return Abs::apply(x) == static_cast<T>(__builtin_inf());
    }
};

struct IsFinite {
    template <typename T>
    static std::uint8_t apply(T x) {
        return Abs::apply(x) < static_cast<T>(__builtin_inf());
    }
};

struct Signbit {
    template <typename T>
    static std::uint8_t apply(T x) {
        return __builtin_signbit(x) != 0;
    }
};

/// The C library's function, one element at a time.
template <float (*single)(float), double (*twice)(double)>
struct Library {
    static float apply(float x) { return single(x); }
    static double apply(double x) { return twice(x); }
};

template <typename Op>
Run floats(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_unary<Op, T, T>; });
}

template <typename Op>
Run float_vectors(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_unary_vector<Op, T>; });
}

template <typename Op>
Run floats_to_boolean(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_unary<Op, T, std::uint8_t>; });
}

Run find(UnaryOp op, ElementType type) {
    switch (op) {
        case UnaryOp::abs: return for_numbers(type, []<typename T>() -> Run { return run_unary<Abs, T, T>; });
        case UnaryOp::negative: return for_wrapping_numbers(type, []<typename T>() -> Run { return run_unary<Negative, T, T>; });
        case UnaryOp::square: return for_wrapping_numbers(type, []<typename T>() -> Run { return run_unary<Square, T, T>; });
        case UnaryOp::sign: return for_numbers(type, []<typename T>() -> Run { return run_unary<Sign, T, T>; });
        case UnaryOp::bitwise_invert:
            if (type == ElementType::boolean) return run_unary<Not, std::uint8_t, std::uint8_t>;
            return for_wrapping_integers(type, []<typename T>() -> Run { return run_unary<Invert, T, T>; });
        case UnaryOp::logical_not: return run_unary<Not, std::uint8_t, std::uint8_t>;
        case UnaryOp::sqrt: return floats<Sqrt>(type);
        case UnaryOp::rsqrt: return floats<Rsqrt>(type);
        case UnaryOp::reciprocal: return floats<Reciprocal>(type);
        case UnaryOp::floor: return floats<Floor>(type);
        case UnaryOp::ceil: return floats<Ceil>(type);
        case UnaryOp::round: return floats<Round>(type);
        case UnaryOp::trunc: return floats<Trunc>(type);
        case UnaryOp::exp: return float_vectors<Exp>(type);
        case UnaryOp::expm1: return float_vectors<Expm1>(type);
        case UnaryOp::log: return float_vectors<Log>(type);
        case UnaryOp::log1p: return float_vectors<Log1p>(type);
        case UnaryOp::log2: return floats<Library<log2f, log2>>(type);
        case UnaryOp::log10: return floats<Library<log10f, log10>>(type);
        case UnaryOp::sin: return floats<Library<sinf, sin>>(type);
        case UnaryOp::cos: return floats<Library<cosf, cos>>(type);
        case UnaryOp::tan: return floats<Library<tanf, tan>>(type);
        case UnaryOp::asin: return floats<Library<asinf, asin>>(type);
        case UnaryOp::acos: return floats<Library<acosf, acos>>(type);
        case UnaryOp::atan: return floats<Library<atanf, atan>>(type);
        case UnaryOp::sinh: return floats<Library<sinhf, sinh>>(type);
        case UnaryOp::cosh: return floats<Library<coshf, cosh>>(type);
        case UnaryOp::asinh: return floats<Library<asinhf, asinh>>(type);
        case UnaryOp::acosh: return floats<Library<acoshf, acosh>>(type);
        case UnaryOp::atanh: return floats<Library<atanhf, atanh>>(type);
        case UnaryOp::erf: return type == ElementType::float64 ? floats<Library<erff, erf>>(type) : run_unary_vector<Erf, float>;
        case UnaryOp::isnan: return floats_to_boolean<IsNan>(type);
        case UnaryOp::isinf: return floats_to_boolean<IsInf>(type);
        case UnaryOp::isfinite: return floats_to_boolean<IsFinite>(type);
        case UnaryOp::signbit: return floats_to_boolean<Signbit>(type);
    }
    return nullptr;
}

}  // namespace

template <>
void unary<level>(UnaryOp op, const ElementwiseArgs& args) {
    elementwise<1>(find(op, args.in[0].type), args);
}

}  // namespace pyengine::kernels
