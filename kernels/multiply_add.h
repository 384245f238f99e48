// multiply_add: out = a b + c, in one pass over memory.
//
//   in[0] is a, in[1] b, in[2] c, all of out's floating type. The product is rounded or not, as the level has it; 16-bit floats round once.
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

template <Isa isa>
void multiply_add(const ElementwiseArgs& args);

}  // namespace pyengine::kernels
