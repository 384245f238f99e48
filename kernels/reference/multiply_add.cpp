#include "kernels/multiply_add.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {

template <>
void multiply_add<Isa::reference>(const ElementwiseArgs& args) {
    for_each_element<3>(args, [&](auto out, auto i, auto j, auto k) {
        store(args.out, out, load<double>(args.in[0], i) * load<double>(args.in[1], j) + load<double>(args.in[2], k));
    });
}

}  // namespace pyengine::kernels
