#include "kernels/cast.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {

template <>
void cast<Isa::reference>(const ElementwiseArgs& args) {
    apply_unary_any(args, [](auto x) { return x; });
}

}  // namespace pyengine::kernels
