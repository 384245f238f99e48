#include "kernels/clip.h"
#include "kernels/cuda/elementwise.h"

namespace pyengine::kernels {
namespace {

struct Clamp {
    template <typename T>
    __device__ T operator()(T x, T low, T high) const {
        using A = Comparable<T>;
        const A value = convert<A>(x), least = convert<A>(low), most = convert<A>(high);
        const A raised = value > least || value != value ? value : least;
        return convert<T>(raised < most || raised != raised ? raised : most);
    }
};

}  // namespace

template <>
void clip<level>(const ElementwiseArgs& args) {
    with_type(args.out.type, [&]<typename T> { map<T, T, T, T>(args, Clamp()); });
}

}  // namespace pyengine::kernels
