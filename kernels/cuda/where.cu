#include "kernels/cuda/elementwise.h"
#include "kernels/where.h"

namespace pyengine::kernels {
namespace {

struct Select {
    template <typename T>
    __device__ T operator()(bool condition, T a, T b) const {
        return condition ? a : b;
    }
};

}  // namespace

template <>
void where<level>(const ElementwiseArgs& args) {
    with_size(args.out.type, [&]<typename T> { map<T, bool, T, T>(args, Select()); });
}

}  // namespace pyengine::kernels
