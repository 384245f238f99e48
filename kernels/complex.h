// complex_unary, complex_binary: functions of complex numbers, element by element.
//
//   an element is its real part followed by its imaginary part
//   in and out: complex64 or complex128, all of one type; out is of the real type for abs, boolean for isnan, isinf, isfinite, equal and
//   not_equal
//   pow(z, 0) = 1
//   branch cuts and special values as the array API standard says; products and quotients recover infinities (C standard, Annex G.5.1)
//   the functions of complex64 compute in double and round once
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

enum class ComplexUnary : std::uint8_t {
    abs,
    negative,
    conj,
    square,
    reciprocal,
    sqrt,
    exp,
    expm1,
    log,
    log1p,
    log2,
    log10,
    sin,
    cos,
    tan,
    asin,
    acos,
    atan,
    sinh,
    cosh,
    tanh,
    asinh,
    acosh,
    atanh,
    isnan,
    isinf,
    isfinite,
};

enum class ComplexBinary : std::uint8_t { add, subtract, multiply, divide, pow, equal, not_equal };

template <Isa isa>
void complex_unary(ComplexUnary op, const ElementwiseArgs& args);

template <Isa isa>
void complex_binary(ComplexBinary op, const ElementwiseArgs& args);

}  // namespace pyengine::kernels
