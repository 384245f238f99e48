// The ops that do not run on GPUs yet: they say so.
#include <stdexcept>
#include <string>

#include "kernels/activation.h"
#include "kernels/argreduce.h"
#include "kernels/attention.h"
#include "kernels/complex.h"
#include "kernels/conv.h"
#include "kernels/elementwise_binary.h"
#include "kernels/elementwise_unary.h"
#include "kernels/index.h"
#include "kernels/level.h"
#include "kernels/matmul.h"
#include "kernels/optimizer_step.h"
#include "kernels/pool.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/scan.h"
#include "kernels/softmax.h"
#include "kernels/softmax_cross_entropy.h"
#include "kernels/sort.h"
#include "kernels/standardize.h"

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
void argreduce<level>(const ArgReduceArgs&) {
    pending("argreduce");
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
std::int64_t index_offsets<level>(const IndexOffsetsArgs&) {
    pending("index_offsets");
}
template <>
void gather<level>(const GatherArgs&) {
    pending("gather");
}
template <>
void scatter<level>(const ScatterArgs&) {
    pending("scatter");
}
template <>
void nonzero<level>(const NonzeroArgs&) {
    pending("nonzero");
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
std::size_t pool_transpose_workspace<level>(const PoolArgs&) {
    return 0;
}
template <>
void max_pool<level>(const PoolArgs&) {
    pending("max_pool");
}
template <>
void max_pool_gather<level>(const PoolArgs&) {
    pending("max_pool_gather");
}
template <>
void max_pool_scatter<level>(const PoolArgs&) {
    pending("max_pool_scatter");
}
template <>
void avg_pool<level>(const PoolArgs&) {
    pending("avg_pool");
}
template <>
void avg_pool_transpose<level>(const PoolArgs&) {
    pending("avg_pool_transpose");
}
template <>
void random<level>(const RandomArgs&) {
    pending("random");
}
template <>
std::size_t reduce_workspace<level>(const ReduceArgs&) {
    return 0;
}
template <>
void reduce<level>(const ReduceArgs&) {
    pending("reduce");
}
template <>
void scan<level>(const ScanArgs&) {
    pending("scan");
}
template <>
void softmax<level>(const SoftmaxArgs&) {
    pending("softmax");
}
template <>
void log_softmax<level>(const SoftmaxArgs&) {
    pending("log_softmax");
}
template <>
void softmax_backward<level>(const SoftmaxBackwardArgs&) {
    pending("softmax_backward");
}
template <>
void log_softmax_backward<level>(const SoftmaxBackwardArgs&) {
    pending("log_softmax_backward");
}
template <>
void softmax_cross_entropy<level>(const SoftmaxCrossEntropyArgs&) {
    pending("softmax_cross_entropy");
}
template <>
void softmax_cross_entropy_backward<level>(const SoftmaxCrossEntropyBackwardArgs&) {
    pending("softmax_cross_entropy_backward");
}
template <>
std::size_t argsort_workspace<level>(const ArgsortArgs&) {
    return 0;
}
template <>
void argsort<level>(const ArgsortArgs&) {
    pending("argsort");
}
template <>
void searchsorted<level>(const SearchsortedArgs&) {
    pending("searchsorted");
}
template <>
void standardize<level>(const StandardizeArgs&) {
    pending("standardize");
}
template <>
void rms_standardize<level>(const StandardizeArgs&) {
    pending("rms_standardize");
}
template <>
void standardize_backward<level>(const StandardizeBackwardArgs&) {
    pending("standardize_backward");
}
template <>
void rms_standardize_backward<level>(const StandardizeBackwardArgs&) {
    pending("rms_standardize_backward");
}

}  // namespace pyengine::kernels
