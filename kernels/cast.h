// cast: out = in, converted to out's element type; between equal types a copy.
//
//   any pair of real types
//   to boolean: x != 0, so NaN is true; from boolean: 0 or 1
//   integer to integer: modulo 2^bits
//   floating to integer: truncated towards zero, clamped to the type's range, NaN gives 0
//   to floating: rounded once, to nearest, ties to even; beyond the range Inf
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

template <Isa isa>
void cast(const ElementwiseArgs& args);

}  // namespace pyengine::kernels
