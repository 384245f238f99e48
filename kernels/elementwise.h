// What the elementwise kernels share: a loop over the elements of some operands, all of one shape.
//
//   element (i, j, ...) of an operand lies at data + (i * strides[0] + j * strides[1] + ...) elements; strides may be negative, and 0
//   broadcasts an input; every element of the output has a place of its own
//   the output is overwritten; it may be an input (same data, same strides), and overlaps no input otherwise
//   any size 0: nothing is written
//   float16 and bfloat16 compute in float32 and round once; an element's result depends on that element's inputs alone
//   booleans are bytes, 0 or 1
#pragma once

#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct Operand {
    ElementType type;
    void* data;
    const std::int64_t* strides;
};

struct ElementwiseArgs {
    static constexpr std::int64_t max_rank = 64;  // without axes of size 1 no array has more

    std::int64_t rank;  // in [1, max_rank]; fewer are faster, so the caller merges axes where it can
    const std::int64_t* shape;
    Operand out;
    Operand in[3];
};

}  // namespace pyengine::kernels
