// The ops that do not run on GPUs yet: they say so.
#include <stdexcept>
#include <string>

#include "kernels/conv.h"
#include "kernels/level.h"
#include "kernels/matmul.h"

namespace pyengine::kernels {
namespace {

[[noreturn]] void pending(const char* op) {
    throw std::runtime_error(std::string(op) + ": does not run on this device yet; use device='cpu'");
}

}  // namespace

template <>
std::size_t conv_workspace<level>(const ConvArgs&) {
    return 0;
}
template <>
std::size_t conv_transpose_workspace<level>(const ConvArgs&) {
    return 0;
}
template <>
std::size_t conv_weight_gradient_workspace<level>(const ConvArgs&) {
    return 0;
}
template <>
void conv<level>(const ConvArgs&) {
    pending("conv");
}
template <>
void conv_transpose<level>(const ConvArgs&) {
    pending("conv_transpose");
}
template <>
void conv_weight_gradient<level>(const ConvArgs&) {
    pending("conv_weight_gradient");
}
template <>
std::size_t matmul_workspace<level>(const MatmulArgs&) {
    return 0;
}
template <>
void matmul<level>(const MatmulArgs&) {
    pending("matmul");
}

}  // namespace pyengine::kernels
