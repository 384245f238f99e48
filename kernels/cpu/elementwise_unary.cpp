#include "kernels/elementwise_unary.h"

#include <math.h>

#include "kernels/cpu/simd_hyperbolic.h"
#include "kernels/cpu/simd_inverse_trigonometric.h"
#include "kernels/cpu/simd_trigonometric.h"
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
    template <typename T>
    static std::uint8_t apply(T x) {
        return x == T{0};
    }
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

/// A function of vectors, of float and of double.
template <Vec<float> (*single)(Vec<float>), Vec<double> (*twice)(Vec<double>)>
struct Vectors {
    template <typename T>
    static Vec<T> apply(Vec<T> x) {
        if constexpr (sizeof(T) == sizeof(float))
            return single(x);
        else
            return twice(x);
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

template <Vec<float> (*single)(Vec<float>), Vec<double> (*twice)(Vec<double>)>
Run vectors(ElementType type) {
    return for_floats(type, []<typename T>() -> Run { return run_unary_vector<Vectors<single, twice>, T>; });
}

/// Vectors, where the level has a fused multiply-add.
template <Vec<float> (*single)(Vec<float>), Vec<double> (*twice)(Vec<double>), float (*library_single)(float),
          double (*library_twice)(double)>
Run fused_vectors(ElementType type) {
    if constexpr (has_fma)
        return vectors<single, twice>(type);
    else
        return floats<Library<library_single, library_twice>>(type);
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
        case UnaryOp::logical_not: return for_all(type, []<typename T>() -> Run { return run_unary<Not, T, std::uint8_t>; });
        case UnaryOp::sqrt: return floats<Sqrt>(type);
        case UnaryOp::rsqrt: return floats<Rsqrt>(type);
        case UnaryOp::reciprocal: return floats<Reciprocal>(type);
        case UnaryOp::floor: return floats<Floor>(type);
        case UnaryOp::ceil: return floats<Ceil>(type);
        case UnaryOp::round: return floats<Round>(type);
        case UnaryOp::trunc: return floats<Trunc>(type);
        case UnaryOp::exp: return vectors<vexp<float>, vexp<double>>(type);
        case UnaryOp::expm1: return vectors<vexpm1<float>, vexpm1<double>>(type);
        case UnaryOp::log: return vectors<vlog<float>, vlog<double>>(type);
        case UnaryOp::log1p: return vectors<vlog1p<float>, vlog1p<double>>(type);
        case UnaryOp::log2: return fused_vectors<vlog2<float>, vlog2<double>, log2f, log2>(type);
        case UnaryOp::log10: return fused_vectors<vlog10<float>, vlog10<double>, log10f, log10>(type);
        case UnaryOp::sin: return fused_vectors<vsin<float>, vsin<double>, sinf, sin>(type);
        case UnaryOp::cos: return fused_vectors<vcos<float>, vcos<double>, cosf, cos>(type);
        case UnaryOp::tan: return fused_vectors<vtan<float>, vtan<double>, tanf, tan>(type);
        case UnaryOp::asin: return fused_vectors<vasin<float>, vasin<double>, asinf, asin>(type);
        case UnaryOp::acos: return fused_vectors<vacos<float>, vacos<double>, acosf, acos>(type);
        case UnaryOp::atan: return fused_vectors<vatan<float>, vatan<double>, atanf, atan>(type);
        case UnaryOp::sinh: return fused_vectors<vsinh<float>, vsinh<double>, sinhf, sinh>(type);
        case UnaryOp::cosh: return fused_vectors<vcosh<float>, vcosh<double>, coshf, cosh>(type);
        case UnaryOp::asinh: return fused_vectors<vasinh<float>, vasinh<double>, asinhf, asinh>(type);
        case UnaryOp::acosh: return fused_vectors<vacosh<float>, vacosh<double>, acoshf, acosh>(type);
        case UnaryOp::atanh: return fused_vectors<vatanh<float>, vatanh<double>, atanhf, atanh>(type);
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
