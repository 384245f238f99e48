// The ops that do not run on GPUs yet: they say so.
#include <stdexcept>
#include <string>

#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/complex.h"
#include "kernels/conv.h"
#include "kernels/elementwise_binary.h"
#include "kernels/elementwise_unary.h"
#include "kernels/level.h"
#include "kernels/matmul.h"
#include "kernels/optimizer_step.h"
#include "kernels/random.h"

namespace pyengine::kernels {
namespace {

[[noreturn]] void pending(const char* op) {
    throw std::runtime_error(std::string(op) + ": does not run on this device yet; use device='cpu'");
}

}  // namespace

template <>
void activation<level>(Activation, const ElementwiseArgs&) {
    pending("activation");
}
template <>
void activation_backward<level>(Activation, const ElementwiseArgs&) {
    pending("activation_backward");
}
template <>
std::size_t scaled_dot_product_attention_workspace<level>(const AttentionProblem&) {
    return 0;
}
template <>
void scaled_dot_product_attention<level>(const AttentionArgs&) {
    pending("scaled_dot_product_attention");
}
template <>
std::size_t scaled_dot_product_attention_backward_workspace<level>(const AttentionProblem&) {
    return 0;
}
template <>
void scaled_dot_product_attention_backward<level>(const AttentionBackwardArgs&) {
    pending("scaled_dot_product_attention_backward");
}
template <>
void complex_unary<level>(ComplexUnary, const ElementwiseArgs&) {
    pending("complex_unary");
}
template <>
void complex_binary<level>(ComplexBinary, const ElementwiseArgs&) {
    pending("complex_binary");
}
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
void binary<level>(BinaryOp, const ElementwiseArgs&) {
    pending("binary");
}
template <>
void unary<level>(UnaryOp, const ElementwiseArgs&) {
    pending("unary");
}
template <>
std::size_t matmul_workspace<level>(const MatmulArgs&) {
    return 0;
}
template <>
void matmul<level>(const MatmulArgs&) {
    pending("matmul");
}
template <>
void sgd_step<level>(const SgdStepArgs&) {
    pending("sgd_step");
}
template <>
void adam_step<level>(const AdamStepArgs&) {
    pending("adam_step");
}
template <>
void rmsprop_step<level>(const RmspropStepArgs&) {
    pending("rmsprop_step");
}
template <>
void random<level>(const RandomArgs&) {
    pending("random");
}

}  // namespace pyengine::kernels
