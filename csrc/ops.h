// Contents page: every op of the engine, one declaration each. Definitions: csrc/ops/<op>.cpp, or the family's file where several share
// one.
#pragma once

#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "csrc/array.h"
#include "kernels/activation.h"
#include "kernels/elementwise_binary.h"
#include "kernels/elementwise_unary.h"
#include "kernels/index.h"
#include "kernels/reduce.h"

namespace pyengine::ops {

using kernels::Activation;
using kernels::BinaryOp;
using kernels::ReduceOp;
using kernels::ScatterOp;
using kernels::UnaryOp;

// elementwise.cpp: the operations are listed in kernels/; elementwise_types.cpp has their names and the dtypes they take. With `out` the
// result is written there, converted within its kind, one in-place change is counted, and out is returned; it may overlap the inputs.
Array unary(UnaryOp op, const Array& x, const Array* out = nullptr);
Array binary(BinaryOp op, const Array& a, const Array& b, const Array* out = nullptr);
Array activation(Activation f, const Array& x, const Array* out = nullptr);
Array activation_backward(Activation f, const Array& g, const Array& saved);  // saved: f(x) or x, see kernels/activation.h
Array clip(const Array& x, const Array& low, const Array& high, const Array* out = nullptr);
Array multiply_add(const Array& a, const Array& b, const Array& c);  // a b + c, of floats
Array conj(const Array& x);
Array where(const Array& condition, const Array& a, const Array& b);

// index.cpp: by arrays of integers, negative ones from the end; what writes, writes x in place, in the order of the indices
Array index_get(const Array& x, const std::vector<Array>& indices, const Dims& axes);  // (index shape, other axes)
void index_put(const Array& x, const std::vector<Array>& indices, const Dims& axes, const Array& values, bool accumulate);
Array find_outside(const Array& x, std::int64_t n, std::int64_t exempt);  // first position outside [0, n) and not exempt, or -1
Array take(const Array& x, const Array& indices, std::int64_t axis);      // the indices' axes in the place of `axis`
void index_update(ScatterOp how, const Array& x, const Array& indices, std::int64_t axis, const Array& values);  // to where take reads
Array take_along_axis(const Array& x, const Array& indices, std::int64_t axis);
void scatter(ScatterOp how, const Array& x, const Array& indices, std::int64_t axis,
             const Array& values);                  // to where take_along_axis reads
std::vector<Array> nonzero(const Array& x);         // one array of positions for each axis
std::span<const char* const> index_update_names();  // in the order of the enumeration
std::span<const char* const> scatter_names();

// conv.cpp: x (n, c, ...), w (o, c / groups, ...), y (n, o, ...). `size`: the spatial size of the result. `padding`: the low side; what the
// high side has follows from the sizes.
struct ConvParameters {
    Dims stride, dilation, padding;
    std::int64_t groups;
};
Array conv(const Array& x, const Array& w, const std::optional<Array>& bias, const Dims& size, const ConvParameters& parameters);
Array conv_transpose(const Array& y, const Array& w, const std::optional<Array>& bias, const Dims& size, const ConvParameters& parameters);
Array conv_weight_gradient(const Array& x, const Array& y, const Dims& kernel_size, const ConvParameters& parameters);

// matmul.cpp
Array matmul(const Array& a, const Array& b, const Array* bias = nullptr);  // bias: of the result's dtype, added to every row

// random.cpp: element i depends on (seed, offset + i), dtype and distribution alone; see kernels/random.h
Array random_uniform(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, Device device);
Array random_normal(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, Device device);
Array random_integers(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, std::uint64_t low, std::uint64_t range,
                      Device device);
Array random_bernoulli(const Dims& shape, DType dtype, std::uint64_t seed, std::uint64_t offset, double p, double value, Device device);

// reduce.cpp: over the given axes; the operations are listed in kernels/reduce.h, and any and all take every dtype
Array reduce(ReduceOp op, const Array& x, const Dims& axes, bool keepdims);
std::span<const char* const> reduce_names();  // in the order of the enumeration
Array argmin(const Array& x, std::int64_t axis, bool keepdims);
Array argmax(const Array& x, std::int64_t axis, bool keepdims);

// optimizer_step.cpp: parameter and state are changed in place
struct StepOptions {
    double learning_rate, weight_decay;
    bool maximize;
};
void sgd_step(const Array& parameter, const Array& gradient, const std::optional<Array>& momentum_buffer, const StepOptions& options,
              double momentum, double dampening, bool nesterov);
void adam_step(const Array& parameter, const Array& gradient, const Array& first_moment, const Array& second_moment,
               const std::optional<Array>& max_second_moment, const StepOptions& options, double beta1, double beta2, double epsilon,
               double bias_correction1, double bias_correction2, bool decoupled_weight_decay);
void rmsprop_step(const Array& parameter, const Array& gradient, const Array& square_average, const std::optional<Array>& gradient_average,
                  const std::optional<Array>& momentum_buffer, const StepOptions& options, double alpha, double epsilon, double momentum);

// scan.cpp: with include_initial the axis is one longer, and starts from the neutral element
Array cumulative_sum(const Array& x, std::int64_t axis, bool include_initial);
Array cumulative_prod(const Array& x, std::int64_t axis, bool include_initial);

// sort.cpp
Array argsort(const Array& x, std::int64_t axis, bool descending);         // stable, NaN last
Array searchsorted(const Array& sorted, const Array& values, bool right);  // how many of the sorted lie below, or not above

// shape.cpp
Array reshape(const Array& x, const Dims& shape);  // a view where the strides allow it, a copy otherwise; one size may be -1
Array permute_dims(const Array& x, const Dims& axes);
Array slice(const Array& x, const Dims& starts, const Dims& steps, const Dims& sizes);  // on every axis; steps may be negative
Array as_strided(const Array& x, Dims shape, Dims strides, std::int64_t offset);        // offset from x's first element
Array concat(const std::vector<Array>& arrays, std::int64_t axis);

// softmax.cpp
Array softmax(const Array& x, std::int64_t axis);
Array log_softmax(const Array& x, std::int64_t axis);
Array softmax_backward(const Array& dy, const Array& y, std::int64_t axis);
Array log_softmax_backward(const Array& dy, const Array& y, std::int64_t axis);

// softmax_cross_entropy.cpp: logits (C,), (N, C) or (N, C, d1, ...); target of class indices (integers, without the class axis) or of
// probabilities (like logits). One loss for each row, and the log of its sum of exponentials; float32 for 16-bit logits.
struct CrossEntropyOptions {
    std::optional<Array> weight;  // (C,)
    std::int64_t ignore_index;
    double label_smoothing;
};
std::pair<Array, Array> softmax_cross_entropy(const Array& logits, const Array& target, const CrossEntropyOptions& options);
Array softmax_cross_entropy_backward(const Array& grad, const Array& logsumexp, const Array& logits, const Array& target,
                                     const CrossEntropyOptions& options);

// standardize.cpp: over `axes`; the others must lie next to each other. Statistics keep the axes, of size 1, in float32 for 16-bit x.
struct Standardized {
    Array y;
    std::optional<Array> mean;  // of standardize alone
    Array variance;             // rms_standardize: the mean square
};
Standardized standardize(const Array& x, const Dims& axes, double eps);
Standardized rms_standardize(const Array& x, const Dims& axes, double eps);
Array standardize_backward(const Array& dy, const Array& x, const Array& mean, const Array& variance, const Dims& axes, double eps);
Array rms_standardize_backward(const Array& dy, const Array& x, const Array& mean_square, const Dims& axes, double eps);

// pool.cpp: x (planes, depth, height, width); for each axis and output the first input it sees, how many, and what its sum is divided by
struct PoolWindows {
    Dims first[3], count[3], divisor[3];
    Dims step;
};
std::pair<Array, Array> max_pool(const Array& x, const PoolWindows& windows);  // the maxima, and where they stood in their planes
Array max_pool_gather(const Array& x, const Array& indices);
Array max_pool_scatter(const Array& y, const Array& indices, const Dims& in_size);
Array avg_pool(const Array& x, const PoolWindows& windows);
Array avg_pool_transpose(const Array& y, const Dims& in_size, const PoolWindows& windows);
// attention.cpp: q (batch, query_heads, queries, width), k and v (batch, key_heads, keys, ...); any strides. The result, and the log of
// each query's sum of exponentials.
struct AttentionOptions {
    std::optional<Array> mask;  // boolean (false hides) or added, broadcast to (batch, query_heads, queries, keys)
    bool causal;
    double scale, dropout;
    std::uint64_t seed, offset;  // of dropout
};
std::pair<Array, Array> scaled_dot_product_attention(const Array& q, const Array& k, const Array& v, const AttentionOptions& options);
std::tuple<Array, Array, Array> scaled_dot_product_attention_backward(const Array& dout, const Array& q, const Array& k, const Array& v,
                                                                      const Array& out, const Array& logsumexp,
                                                                      const AttentionOptions& options);

}  // namespace pyengine::ops
