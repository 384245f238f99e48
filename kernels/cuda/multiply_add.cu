#include "kernels/cuda/elementwise.h"
#include "kernels/multiply_add.h"

namespace pyengine::kernels {
namespace {

struct MultiplyAdd {
    template <typename A>
    __device__ A operator()(A a, A b, A c) const {
        return a * b + c;
    }
};

}  // namespace

template <>
void multiply_add<level>(const ElementwiseArgs& args) {
    with_float_type(args.out.type, [&]<typename T> { map<T, T, T, T>(args, Computed<T, MultiplyAdd>()); });
}

}  // namespace pyengine::kernels
