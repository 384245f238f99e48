#include "kernels/conv.h"
#include "kernels/cuda/conv_problem.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {

template <>
std::size_t conv_weight_gradient_workspace<level>(const ConvArgs& args) {
    return with_float_type(args.type, [&]<typename E> { return gemm_workspace(WeightGradientProblem<E>(args)); });
}

template <>
void conv_weight_gradient<level>(const ConvArgs& args) {
    check_sizes("conv_weight_gradient", args);
    with_float_type(args.type, [&]<typename E> { gemm(WeightGradientProblem<E>(args), args.workspace); });
}

}  // namespace pyengine::kernels
