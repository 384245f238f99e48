// where: out = condition ? a : b.
//
//   in[0] the condition, boolean; in[1] a and in[2] b, of out's type, any real one
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

template <Isa isa>
void where(const ElementwiseArgs& args);

}  // namespace pyengine::kernels
