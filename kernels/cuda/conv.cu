#include "kernels/conv.h"
#include "kernels/cuda/conv_problem.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
template <>
std::size_t conv_workspace<level>(const ConvArgs&) {
    return 0;
}
template <>
std::size_t conv_transpose_workspace<level>(const ConvArgs&) {
    return 0;
}

template <>
void conv<level>(const ConvArgs& args) {
    check_sizes("conv", args);
    with_float_type(args.type, [&]<typename E> { gemm(ConvProblem<E>(args, false), nullptr); });
}

template <>
void conv_transpose<level>(const ConvArgs& args) {
    check_sizes("conv_transpose", args);
    with_float_type(args.type, [&]<typename E> { gemm(ConvProblem<E>(args, true), nullptr); });
}

}  // namespace pyengine::kernels
