// reduce: out[k] = op over r of x[k, r]: sums, products, means and extremes over some axes of a strided array.
//
//   x: the axes kept and the axes reduced, each with sizes and strides; any strides, so that permuted and sliced arrays need no copy.
//      Fast where the innermost reduced or the innermost kept axis has stride 1.
//   out: element k, counted with the last kept axis fastest, at offset_of(out_axes, k); overwritten, not aliased by x
//   element types: sum, prod: any; out is int64 for booleans and signed integers, uint64 for unsigned (they wrap), x's type for floats.
//      mean: floats. min, max: any, out has x's type; there must be at least one element to reduce. any, all: booleans.
//      count_nonzero: any; out is int64. NaN is not 0, and -0 is.
//   An empty sum or count is 0, product 1, mean NaN, any false, all true. NaN propagates, through min and max too.
//   float16 and bfloat16 accumulate in float32 and round once. Floating sums and products are pairwise: the error of a sum of n elements is
//   at most about (32 + log2 n) eps sum |x|. Their order depends on sizes, strides and level alone. (N. Higham, Accuracy and Stability of
//   Numerical Algorithms, section 4.2.)
#pragma once

#include <cstddef>

#include "kernels/axes.h"
#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

enum class ReduceOp { sum, mean, prod, min, max, any, all, count_nonzero };

struct ReduceArgs {
    ReduceOp op;
    ElementType type;
    const void* x;
    void* out;
    Axes kept, reduced;               // strides of x
    const std::int64_t* out_strides;  // of the kept axes
    void* workspace;                  // reduce_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t reduce_workspace(const ReduceArgs& args);

template <Isa isa>
void reduce(const ReduceArgs& args);

}  // namespace pyengine::kernels
