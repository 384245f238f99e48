// GCC's and clang's own complex numbers: arithmetic without calls into templates that other units share, and the C library's functions.
#include "kernels/complex.h"

#include <math.h>

#include "kernels/cpu/elementwise.h"

namespace pyengine::kernels {
namespace {

using Single = _Complex float;
using Double = _Complex double;

template <typename Complex, typename Real>
inline Complex make(Real re, Real im) {
    Complex z;
    __real__ z = re;
    __imag__ z = im;
    return z;
}

inline float hypot_of(float a, float b) { return hypotf(a, b); }
inline double hypot_of(double a, double b) { return hypot(a, b); }

// Functions of one number ------------------------------------------------------------------------------------------------------------

struct Abs {
    template <typename Complex>
    static auto apply(Complex z) {
        return hypot_of(__real__ z, __imag__ z);
    }
};

struct Negative {
    template <typename Complex>
    static Complex apply(Complex z) {
        return make<Complex>(-__real__ z, -__imag__ z);
    }
};

struct Conj {
    template <typename Complex>
    static Complex apply(Complex z) {
        return make<Complex>(__real__ z, -__imag__ z);
    }
};

struct Square {
    template <typename Complex>
    static Complex apply(Complex z) {
        return z * z;
    }
};

struct Reciprocal {
    template <typename Complex>
    static Complex apply(Complex z) {
        return make<Complex>(decltype(Abs::apply(z)){1}, decltype(Abs::apply(z)){0}) / z;
    }
};

struct IsNan {
    template <typename Complex>
    static std::uint8_t apply(Complex z) {
        return __builtin_isnan(__real__ z) || __builtin_isnan(__imag__ z);
    }
};

struct IsInf {
    template <typename Complex>
    static std::uint8_t apply(Complex z) {
        return __builtin_isinf(__real__ z) || __builtin_isinf(__imag__ z);
    }
};

struct IsFinite {
    template <typename Complex>
    static std::uint8_t apply(Complex z) {
        return __builtin_isfinite(__real__ z) && __builtin_isfinite(__imag__ z);
    }
};

inline Double exp_of(Double z) { return __builtin_cexp(z); }
inline Double log_of(Double z) { return __builtin_clog(z); }
inline Double sqrt_of(Double z) { return __builtin_csqrt(z); }
inline Double sin_of(Double z) { return __builtin_csin(z); }
inline Double cos_of(Double z) { return __builtin_ccos(z); }
inline Double tan_of(Double z) { return __builtin_ctan(z); }
inline Double asin_of(Double z) { return __builtin_casin(z); }
inline Double acos_of(Double z) { return __builtin_cacos(z); }
inline Double atan_of(Double z) { return __builtin_catan(z); }
inline Double sinh_of(Double z) { return __builtin_csinh(z); }
inline Double cosh_of(Double z) { return __builtin_ccosh(z); }
/// At the infinities 1 or -1, with a zero of the imaginary part's sign (array API standard; the C library has that of sin(2 b)).
inline Double tanh_of(Double z) {
    const double a = __real__ z, b = __imag__ z;
    if (__builtin_isinf(a) && __builtin_isfinite(b)) return make<Double>(__builtin_copysign(1.0, a), __builtin_copysign(0.0, b));
    return __builtin_ctanh(z);
}
inline Double asinh_of(Double z) { return __builtin_casinh(z); }
inline Double acosh_of(Double z) { return __builtin_cacosh(z); }
inline Double atanh_of(Double z) { return __builtin_catanh(z); }

/// e^(a + bi) - 1 = (e^a - 1) cos b - 2 sin^2(b / 2) + i e^a sin b: no digits are lost near 0.
inline Double expm1_of(Double z) {
    const double a = __real__ z, b = __imag__ z;
    if (!IsFinite::apply(z) || a > 700) return make<Double>(__real__ exp_of(z) - 1, __imag__ exp_of(z));
    const double half = sin(b / 2);
    return make<Double>(expm1(a) * cos(b) - 2 * half * half + 0.0, exp(a) * sin(b));  // never -0, as the standard has it
}

/// log|1 + z| = log1p(a (2 + a) + b^2) / 2, wherever that square is near 1.
inline Double log1p_of(Double z) {
    const double a = __real__ z, b = __imag__ z;
    if (!(a > -0.5 && a < 1 && b > -1 && b < 1)) return log_of(make<Double>(1 + a, b));
    return make<Double>(0.5 * log1p(a * (2 + a) + b * b), atan2(b, 1 + a));
}

template <Double (*f)(Double)>
struct Library {
    static Double apply(Double z) { return f(z); }
    static Single apply(Single z) { return static_cast<Single>(f(static_cast<Double>(z))); }
};

/// The logarithm to another base. A part that is zero or infinite stays so, whatever the other is.
template <int base>
inline Double log_to(Double z) {
    const Double y = log_of(z);
    const double scale = base == 2 ? 1.4426950408889634 : 0.4342944819032518;  // 1 / log(base)
    return make<Double>(__real__ y * scale, __imag__ y * scale);
}

// Of two -----------------------------------------------------------------------------------------------------------------------------

struct Add {
    template <typename Complex>
    static Complex apply(Complex a, Complex b) {
        return a + b;
    }
};

struct Subtract {
    template <typename Complex>
    static Complex apply(Complex a, Complex b) {
        return a - b;
    }
};

struct Multiply {
    template <typename Complex>
    static Complex apply(Complex a, Complex b) {
        return a * b;
    }
};

struct Divide {
    template <typename Complex>
    static Complex apply(Complex a, Complex b) {
        return a / b;
    }
};

struct Equal {
    template <typename Complex>
    static std::uint8_t apply(Complex a, Complex b) {
        return a == b;
    }
};

struct NotEqual {
    template <typename Complex>
    static std::uint8_t apply(Complex a, Complex b) {
        return a != b;
    }
};

/// a^b = exp(b log a); integer powers by repeated squaring, which loses fewer digits; 0^0 = 1.
struct Pow {
    static Single apply(Single a, Single b) { return static_cast<Single>(apply(static_cast<Double>(a), static_cast<Double>(b))); }
    static Double apply(Double a, Double b) {
        const double n = __real__ b;
        if (__imag__ b == 0 && n == __builtin_rint(n) && n > -100 && n < 100) return integer_power(a, static_cast<int>(n));
        if (a == Double{} && n > 0) return Double{};
        return __builtin_cpow(a, b);
    }
    static Double integer_power(Double a, int n) {
        Double power = make<Double>(1.0, 0.0);
        for (int rest = n < 0 ? -n : n; rest != 0; rest >>= 1) {
            if (rest & 1) power = power * a;
            if (rest > 1) a = a * a;
        }
        return n < 0 ? Reciprocal::apply(power) : power;
    }
};

// Which is meant ---------------------------------------------------------------------------------------------------------------------

template <typename Op>
Run to_complex(ElementType type) {
    return type == ElementType::complex64 ? run_unary<Op, Single, Single> : run_unary<Op, Double, Double>;
}

template <typename Op>
Run to_boolean(ElementType type) {
    return type == ElementType::complex64 ? run_unary<Op, Single, std::uint8_t> : run_unary<Op, Double, std::uint8_t>;
}

template <Double (*f)(Double)>
Run library(ElementType type) {
    return to_complex<Library<f>>(type);
}

Run find(ComplexUnary op, ElementType type) {
    switch (op) {
        case ComplexUnary::abs: return type == ElementType::complex64 ? run_unary<Abs, Single, float> : run_unary<Abs, Double, double>;
        case ComplexUnary::negative: return to_complex<Negative>(type);
        case ComplexUnary::conj: return to_complex<Conj>(type);
        case ComplexUnary::square: return to_complex<Square>(type);
        case ComplexUnary::reciprocal: return to_complex<Reciprocal>(type);
        case ComplexUnary::sqrt: return library<sqrt_of>(type);
        case ComplexUnary::exp: return library<exp_of>(type);
        case ComplexUnary::expm1: return library<expm1_of>(type);
        case ComplexUnary::log: return library<log_of>(type);
        case ComplexUnary::log1p: return library<log1p_of>(type);
        case ComplexUnary::log2: return library<log_to<2>>(type);
        case ComplexUnary::log10: return library<log_to<10>>(type);
        case ComplexUnary::sin: return library<sin_of>(type);
        case ComplexUnary::cos: return library<cos_of>(type);
        case ComplexUnary::tan: return library<tan_of>(type);
        case ComplexUnary::asin: return library<asin_of>(type);
        case ComplexUnary::acos: return library<acos_of>(type);
        case ComplexUnary::atan: return library<atan_of>(type);
        case ComplexUnary::sinh: return library<sinh_of>(type);
        case ComplexUnary::cosh: return library<cosh_of>(type);
        case ComplexUnary::tanh: return library<tanh_of>(type);
        case ComplexUnary::asinh: return library<asinh_of>(type);
        case ComplexUnary::acosh: return library<acosh_of>(type);
        case ComplexUnary::atanh: return library<atanh_of>(type);
        case ComplexUnary::isnan: return to_boolean<IsNan>(type);
        case ComplexUnary::isinf: return to_boolean<IsInf>(type);
        case ComplexUnary::isfinite: return to_boolean<IsFinite>(type);
    }
    return nullptr;
}

template <typename Op>
Run of_two(ElementType type) {
    return type == ElementType::complex64 ? run_binary<Op, Single, Single> : run_binary<Op, Double, Double>;
}

template <typename Op>
Run of_two_to_boolean(ElementType type) {
    return type == ElementType::complex64 ? run_binary<Op, Single, std::uint8_t> : run_binary<Op, Double, std::uint8_t>;
}

Run find(ComplexBinary op, ElementType type) {
    switch (op) {
        case ComplexBinary::add: return of_two<Add>(type);
        case ComplexBinary::subtract: return of_two<Subtract>(type);
        case ComplexBinary::multiply: return of_two<Multiply>(type);
        case ComplexBinary::divide: return of_two<Divide>(type);
        case ComplexBinary::pow: return of_two<Pow>(type);
        case ComplexBinary::equal: return of_two_to_boolean<Equal>(type);
        case ComplexBinary::not_equal: return of_two_to_boolean<NotEqual>(type);
    }
    return nullptr;
}

}  // namespace

template <>
void complex_unary<level>(ComplexUnary op, const ElementwiseArgs& args) {
    elementwise<1>(find(op, args.in[0].type), args);
}

template <>
void complex_binary<level>(ComplexBinary op, const ElementwiseArgs& args) {
    elementwise<2>(find(op, args.in[0].type), args);
}

}  // namespace pyengine::kernels
