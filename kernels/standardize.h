// standardize: every group of elements is brought to mean 0 and variance 1, what batch, layer, group and instance normalisation share;
// rms_standardize only divides by the root of the mean square.
//
// Group k of x (outer, groups, inner) holds the count = outer * inner elements x[:, k, :]:
//
//     standardize      mean = sum x / count,  variance = sum (x - mean)^2 / count
//     rms_standardize  mean = 0,              variance = sum x^2 / count
//     y = (x - mean) r,   r = 1 / sqrt(variance + eps)
//
//     standardize_backward      dx = r (dy - sum dy / count - y sum(dy y) / count)
//     rms_standardize_backward  dx = r (dy - y sum(dy y) / count)
//
//   x, y, dy, dx (outer, groups, inner), contiguous, of one floating type; mean, variance (groups): float32 for 16-bit x, else x's type
//   Two passes: the mean first, so that a large mean does not drown the variance. 16-bit floats compute in float32.
//   Outputs are overwritten and alias no input. count = 0: mean and variance are NaN. Any size 0: y and dx have no elements.
//   The order of summation depends on the shape and the level alone.
#pragma once

#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct StandardizeArgs {
    ElementType type;
    std::int64_t outer, groups, inner;
    double eps;
    const void* x;
    void* y;
    void* mean;  // null for rms_standardize
    void* variance;
};

struct StandardizeBackwardArgs {
    ElementType type;
    std::int64_t outer, groups, inner;
    double eps;
    const void* x;
    const void* mean;  // null for rms_standardize
    const void* variance;
    const void* dy;
    void* dx;
};

template <Isa isa>
void standardize(const StandardizeArgs& args);
template <Isa isa>
void rms_standardize(const StandardizeArgs& args);
template <Isa isa>
void standardize_backward(const StandardizeBackwardArgs& args);
template <Isa isa>
void rms_standardize_backward(const StandardizeBackwardArgs& args);

}  // namespace pyengine::kernels
