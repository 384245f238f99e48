// Complex numbers in double, with the branch cuts and the special values of the C standard's Annex G. Where a formula would overflow,
// underflow or cancel, its operands are scaled or another formula takes over.
//
// Sources: ISO/IEC 9899:2024, Annex G (products, quotients, special values, G.6); W. Kahan: "Branch cuts for complex elementary functions,
// or much ado about nothing's sign bit", in The State of the Art in Numerical Analysis, 1987 (square root, tanh, inverse functions).
#pragma once

#include <math.h>

#include "kernels/cuda/cuda.h"

namespace pyengine::kernels {
namespace {

template <typename Real>
struct Complex {
    Real re, im;
};
using Number = Complex<double>;

constexpr double pi_half = 1.57079632679489661923, log_of_2 = 0.69314718055994530942;
constexpr double huge = 0x1p60;  // 1 beside its square is nothing

__device__ inline bool is_nan(Number z) { return isnan(z.re) || isnan(z.im); }
__device__ inline bool is_inf(Number z) { return isinf(z.re) || isinf(z.im); }
__device__ inline bool is_finite(Number z) { return isfinite(z.re) && isfinite(z.im); }
__device__ inline bool is_huge(Number z) { return fabs(z.re) > huge || fabs(z.im) > huge; }

__device__ inline Number times_i(Number z) { return {-z.im, z.re}; }
__device__ inline Number over_i(Number z) { return {z.im, -z.re}; }
/// Part by part, so that a zero stays one beside an infinity.
__device__ inline Number scaled(Number z, double factor) { return {z.re * factor, z.im * factor}; }

/// The exponent of the larger part, 0 where it has none.
__device__ inline int exponent_of(Number z) {
    const double size = fmax(fabs(z.re), fabs(z.im));
    return size == 0 || !isfinite(size) ? 0 : ilogb(size);
}

// Products and quotients ---------------------------------------------------------------------------------------------------------------

/// An infinite number as one of the corners or sides of a square, a finite one beside it as a zero where a part is NaN: what a product or
/// quotient that came out as NaN is found from again (G.5.1).
__device__ inline Number boxed(Number z) { return {copysign(isinf(z.re) ? 1.0 : 0.0, z.re), copysign(isinf(z.im) ? 1.0 : 0.0, z.im)}; }
__device__ inline Number without_nan(Number z) {
    return {isnan(z.re) ? copysign(0.0, z.re) : z.re, isnan(z.im) ? copysign(0.0, z.im) : z.im};
}

__device__ inline Number multiply(Number a, Number b) {
    const double ac = a.re * b.re, bd = a.im * b.im, ad = a.re * b.im, bc = a.im * b.re;
    const Number product{ac - bd, ad + bc};
    if (!isnan(product.re) || !isnan(product.im)) return product;
    const bool overflown = isinf(ac) || isinf(bd) || isinf(ad) || isinf(bc);
    if (!is_inf(a) && !is_inf(b) && !overflown) return product;
    const Number x = without_nan(is_inf(a) ? boxed(a) : a), y = without_nan(is_inf(b) ? boxed(b) : b);
    return {INFINITY * (x.re * y.re - x.im * y.im), INFINITY * (x.re * y.im + x.im * y.re)};
}

/// By what power of two z is divided before its products are formed: 0 unless they could leave the range.
__device__ inline int scale_of(Number z) {
    const int exponent = exponent_of(z);
    return abs(exponent) < 480 ? 0 : exponent;
}

__device__ inline Number divide(Number a, Number b) {
    const int top = scale_of(a), bottom = scale_of(b);
    const Number x{scalbn(a.re, -top), scalbn(a.im, -top)}, y{scalbn(b.re, -bottom), scalbn(b.im, -bottom)};
    const double square = y.re * y.re + y.im * y.im;
    const Number quotient{scalbn((x.re * y.re + x.im * y.im) / square, top - bottom),
                          scalbn((x.im * y.re - x.re * y.im) / square, top - bottom)};
    if (!isnan(quotient.re) || !isnan(quotient.im)) return quotient;
    if (square == 0 && (!isnan(a.re) || !isnan(a.im))) return {copysign(INFINITY, b.re) * a.re, copysign(INFINITY, b.re) * a.im};
    const bool to_infinity = is_inf(a) && is_finite(b), to_zero = is_inf(b) && is_finite(a);
    if (!to_infinity && !to_zero) return quotient;
    const Number p = to_infinity ? boxed(a) : a, q = to_zero ? boxed(b) : b;
    const double limit = to_infinity ? INFINITY : 0.0;
    return {limit * (p.re * q.re + p.im * q.im), limit * (p.im * q.re - p.re * q.im)};
}

// Roots, exponentials, logarithms ------------------------------------------------------------------------------------------------------

/// (t, b / 2t) with t = sqrt((|a| + |z|) / 2); turned where a is negative.
__device__ inline Number sqrt_of(Number z) {
    const double a = z.re, b = z.im;
    if (isinf(b)) return {INFINITY, b};
    if (isinf(a)) return a > 0 ? Number{a, copysign(b - b, b)} : Number{fabs(b - b), copysign(INFINITY, b)};
    if (a == 0 && b == 0) return {0.0, b};
    const int half = exponent_of(z) / 2;  // scaled by its square, neither the sum nor its parts can overflow, or lose digits
    const double x = scalbn(a, -2 * half), y = scalbn(b, -2 * half);
    const double t = scalbn(sqrt((fabs(x) + hypot(x, y)) / 2), half), other = b / (2 * t);
    return a >= 0 ? Number{t, other} : Number{fabs(other), copysign(t, b)};
}

/// factor e^a, where e^a alone may overflow.
__device__ inline double times_exp(double factor, double a) { return fabs(a) > 700 ? factor * exp(a / 2) * exp(a / 2) : factor * exp(a); }

__device__ inline Number exp_of(Number z) {
    const double a = z.re, b = z.im;
    if (b == 0) return {exp(a), b};
    if (isinf(a) && !isfinite(b)) return a > 0 ? Number{a, NAN} : Number{0.0, copysign(0.0, b)};
    return {times_exp(cos(b), a), times_exp(sin(b), a)};
}

/// log |z|: by log1p where |z| is near 1.
__device__ inline double log_size(Number z) {
    const double size = hypot(z.re, z.im), most = fmax(fabs(z.re), fabs(z.im)), least = fmin(fabs(z.re), fabs(z.im));
    if (size > 0.7 && size < 1.4) return log1p((most - 1) * (most + 1) + least * least) / 2;
    const int exponent = exponent_of(z);
    if (abs(exponent) < 500) return log(size);
    return log(hypot(scalbn(z.re, -exponent), scalbn(z.im, -exponent))) + exponent * log_of_2;
}
__device__ inline Number log_of(Number z) { return {log_size(z), atan2(z.im, z.re)}; }

/// e^(a + bi) - 1 = (e^a - 1) cos b - 2 sin^2(b / 2) + i e^a sin b: no digits are lost near 0.
__device__ inline Number expm1_of(Number z) {
    const double a = z.re, b = z.im;
    if (!is_finite(z) || a > 700) return {exp_of(z).re - 1, exp_of(z).im};
    const double half = sin(b / 2);
    return {expm1(a) * cos(b) - 2 * half * half + 0.0, exp(a) * sin(b)};  // never -0, as the standard has it
}

/// log|1 + z| = log1p(a (2 + a) + b^2) / 2, wherever that square is near 1.
__device__ inline Number log1p_of(Number z) {
    const double a = z.re, b = z.im;
    if (!(a > -0.5 && a < 1 && b > -1 && b < 1)) return log_of({1 + a, b});
    return {log1p(a * (2 + a) + b * b) / 2, atan2(b, 1 + a)};
}

/// a^b = exp(b log a); integer powers by repeated squaring, which loses fewer digits; 0^0 = 1.
__device__ inline Number pow_of(Number a, Number b) {
    const double n = b.re;
    if (b.im == 0 && n == rint(n) && fabs(n) < 100) {
        Number power{1.0, 0.0};
        for (int rest = static_cast<int>(fabs(n)); rest != 0; rest >>= 1) {
            if (rest & 1) power = multiply(power, a);
            if (rest > 1) a = multiply(a, a);
        }
        return n < 0 ? divide({1.0, 0.0}, power) : power;
    }
    if (a.re == 0 && a.im == 0 && n > 0) return {0.0, 0.0};
    return exp_of(multiply(b, log_of(a)));
}

// Hyperbolic and circular functions: f(z) = g(iz) / i, but for cos ------------------------------------------------------------------------

__device__ inline Number sinh_of(Number z) {
    const double a = z.re, b = z.im;
    if (b == 0) return {sinh(a), b};
    if ((a == 0 || isinf(a)) && !isfinite(b)) return {a, NAN};
    if (fabs(a) < 700) return {sinh(a) * cos(b), cosh(a) * sin(b)};
    return {copysign(1.0, a) * times_exp(cos(b) / 2, fabs(a)), times_exp(sin(b) / 2, fabs(a))};
}

__device__ inline Number cosh_of(Number z) {
    const double a = z.re, b = z.im;
    if (b == 0) return {cosh(a), copysign(1.0, a) * b};
    if (a == 0 && !isfinite(b)) return {NAN, copysign(0.0, a)};
    if (isinf(a) && !isfinite(b)) return {INFINITY, NAN};
    if (fabs(a) < 700) return {cosh(a) * cos(b), sinh(a) * sin(b)};
    return {times_exp(cos(b) / 2, fabs(a)), copysign(1.0, a) * times_exp(sin(b) / 2, fabs(a))};
}

/// With t = tan b, s = sinh a: ((1 + t^2) s sqrt(1 + s^2) + i t) / (1 + (1 + t^2) s^2).
__device__ inline Number tanh_of(Number z) {
    const double a = z.re, b = z.im;
    if (isinf(a)) return {copysign(1.0, a), isfinite(b) ? copysign(0.0, b) : 0.0};
    if (!isfinite(b)) return {a == 0 ? a : NAN, NAN};
    if (b == 0) return {tanh(a), b};
    if (fabs(a) > 22) return {copysign(1.0, a), 4 * sin(b) * cos(b) * exp(-2 * fabs(a))};
    const double t = tan(b), s = sinh(a), slope = 1 + t * t, below = 1 + slope * s * s;
    return {slope * s * sqrt(1 + s * s) / below, t / below};
}

__device__ inline Number sin_of(Number z) { return over_i(sinh_of(times_i(z))); }
__device__ inline Number cos_of(Number z) { return cosh_of(times_i(z)); }
__device__ inline Number tan_of(Number z) { return over_i(tanh_of(times_i(z))); }

// Inverse functions --------------------------------------------------------------------------------------------------------------------

/// 1 - z and 1 + z keep the sign of a zero imaginary part, which says on which side of a branch cut z lies.
__device__ inline Number one_minus(Number z) { return {1 - z.re, -z.im}; }
__device__ inline Number one_plus(Number z) { return {1 + z.re, z.im}; }
/// Im(conj(a) b), where its two terms have one sign.
__device__ inline double cross(Number a, Number b) { return a.re * b.im - a.im * b.re; }

__device__ inline Number asin_of(Number z) {
    if (is_inf(z) || is_huge(z)) return {atan2(z.re, fabs(z.im)), copysign(log_size(z) + log_of_2, z.im)};
    if (is_nan(z)) return {z.re == 0 ? z.re : NAN, NAN};
    const Number minus = sqrt_of(one_minus(z)), plus = sqrt_of(one_plus(z));
    return {atan2(z.re, minus.re * plus.re - minus.im * plus.im), asinh(cross(minus, plus))};
}

__device__ inline Number acos_of(Number z) {
    if (is_inf(z) || is_huge(z)) return {atan2(fabs(z.im), z.re), -copysign(log_size(z) + log_of_2, z.im)};
    if (is_nan(z)) return {z.re == 0 ? pi_half : NAN, NAN};
    const Number minus = sqrt_of(one_minus(z)), plus = sqrt_of(one_plus(z));
    return {2 * atan2(minus.re, plus.re), asinh(cross(plus, minus))};
}

__device__ inline Number asinh_of(Number z) { return times_i(asin_of(over_i(z))); }

/// i acos(z) or -i acos(z): the one with a positive real part.
__device__ inline Number acosh_of(Number z) { return signbit(z.im) ? over_i(acos_of(z)) : times_i(acos_of(z)); }

/// (log1p(4a / |1 - z|^2) / 4, arg((1 - a)(1 + a) - b^2 + 2bi) / 2) for a >= 0; atanh is odd.
__device__ inline Number atanh_of(Number z) {
    const double a = fabs(z.re), b = z.im;
    if (is_inf(z)) return {copysign(0.0, z.re), isnan(b) ? NAN : copysign(pi_half, b)};
    if (is_nan(z)) return {z.re == 0 ? z.re : NAN, NAN};
    if (is_huge(z)) return {divide({1.0, 0.0}, z).re, copysign(pi_half, b)};
    const double distance = hypot(1 - a, b);  // from the pole; its square underflows where it is small
    const double re = distance < 1e-100 ? (log_of_2 - log(distance)) / 2 : log1p(4 * a / (distance * distance)) / 4;
    return {copysign(re, z.re), atan2(2 * b, (1 - a) * (1 + a) - b * b) / 2};
}

__device__ inline Number atan_of(Number z) { return over_i(atanh_of(times_i(z))); }

}  // namespace
}  // namespace pyengine::kernels
