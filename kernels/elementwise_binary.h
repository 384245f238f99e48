// binary: out = op(a, b), for one of the operations below.
//
//   a and b have one type; out has that type too, boolean for comparisons
//   special values as the array API standard says for the function of that name
//   integers wrap
//   booleans: add is or, multiply is and
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

enum class BinaryOp : std::uint8_t {
    add,
    subtract,
    multiply,
    divide,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
};

/// Whether the operation means something for elements of `type`.
template <Isa isa>
bool has_binary(BinaryOp op, ElementType type);

template <Isa isa>
void binary(BinaryOp op, const ElementwiseArgs& args);

}  // namespace pyengine::kernels
