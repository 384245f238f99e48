// binary: out = op(a, b), for one of the operations below.
//
//   a and b have one type; out has that type too, boolean for comparisons
//   special values as the array API standard says for the function of that name; maximum and minimum of a NaN are NaN
//   integers wrap. floor_divide and remainder by 0 give 0; floor_divide of a finite number by an infinity is a zero with the
//   sign of the quotient. pow to a negative exponent gives the power truncated: 0, but for bases 1 and -1;
//   0 there, too. Shifts by a negative count, or by the width or more, move every bit out.
//   booleans: add is or, multiply is and. For logical_and, logical_or and logical_xor a number is true if it is not 0.
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

enum class BinaryOp : std::uint8_t {
    // numbers
    add,
    subtract,
    multiply,
    floor_divide,
    remainder,
    pow,
    // numbers and booleans
    maximum,
    minimum,
    // floats
    divide,
    atan2,
    hypot,
    copysign,
    nextafter,
    logaddexp,
    // numbers and booleans to boolean
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    logical_and,
    logical_or,
    logical_xor,
    // integers and booleans
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    // integers
    bitwise_left_shift,
    bitwise_right_shift,
};

template <Isa isa>
void binary(BinaryOp op, const ElementwiseArgs& args);

}  // namespace pyengine::kernels
