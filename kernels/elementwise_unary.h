// unary: out = op(x), for one of the operations below.
//
//   out has the type of x; boolean for logical_not, isnan, isinf, isfinite, signbit
//   special values as the array API standard says for the function of that name; NaN in, NaN out
//   integers wrap: abs and negative of the least integer are itself
//   round goes to the nearest integer, ties to even; rsqrt(x) = 1 / sqrt(x)
//   float32, and all types that compute in it: within 3 ulp
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

enum class UnaryOp : std::uint8_t {
    // numbers
    abs,
    negative,
    square,
    sign,
    // integers and booleans
    bitwise_invert,
    // numbers and booleans to boolean
    logical_not,
    // floats
    sqrt,
    rsqrt,
    reciprocal,
    floor,
    ceil,
    round,
    trunc,
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
    asinh,
    acosh,
    atanh,
    erf,
    // floats to boolean
    isnan,
    isinf,
    isfinite,
    signbit,
};

template <Isa isa>
void unary(UnaryOp op, const ElementwiseArgs& args);

}  // namespace pyengine::kernels
