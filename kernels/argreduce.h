// argreduce: out[k] = the first r for which x[k, r] is smallest, or largest; a NaN counts as more extreme than any number.
//
//   x: the axes kept and one axis reduced, of at least one element; any strides. Fast where that axis, or the innermost kept one, has
//      stride 1.
//   out: int64, element k, counted with the last kept axis fastest, at offset_of(out_axes, k); overwritten, not aliased by x
//   any element type
#pragma once

#include <cstddef>

#include "kernels/axes.h"
#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct ArgReduceArgs {
    bool largest;
    ElementType type;
    const void* x;
    std::int64_t* out;
    Axes kept;                        // strides of x
    const std::int64_t* out_strides;  // of the kept axes
    std::int64_t size, stride;        // of the reduced axis
    void* workspace;                  // argreduce_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t argreduce_workspace(const ArgReduceArgs& args);

template <Isa isa>
void argreduce(const ArgReduceArgs& args);

}  // namespace pyengine::kernels
