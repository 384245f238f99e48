// unary: out = op(x), for one of the operations below.
//
//   out has the type of x, boolean for isnan, isinf, isfinite, signbit, logical_not
//   special values as the array API standard says for the function of that name; NaN in, NaN out
//   integers wrap; the negative of the least integer is itself
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

enum class UnaryOp : std::uint8_t {
    negative,
    exp,
    log,
    sqrt,
};

/// Whether the operation means something for elements of `type`.
template <Isa isa>
bool has_unary(UnaryOp op, ElementType type);

template <Isa isa>
void unary(UnaryOp op, const ElementwiseArgs& args);

}  // namespace pyengine::kernels
