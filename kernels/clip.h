// clip: out = min(max(x, low), high).
//
//   in[0] is x, in[1] low, in[2] high, all of out's type; numbers and booleans. NaN in any gives NaN; low > high gives high.
#pragma once

#include "kernels/elementwise.h"

namespace pyengine::kernels {

template <Isa isa>
void clip(const ElementwiseArgs& args);

}  // namespace pyengine::kernels
