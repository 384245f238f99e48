// matmul: C[b] = A[b] B[b] + bias for every b of a batch.
//
//   A[b] (m, k) at a + a_offsets[b], element (i, p) at i * a_strides[0] + p * a_strides[1]; any strides, so a transpose is free
//   B[b] (k, n) likewise;  C (batch, m, n) contiguous, overwritten, not aliased by A or B
//   bias (n), contiguous, is added to every row, to its sums or to what they are rounded to, as the level has it; null: nothing is.
//   element types: all but boolean; A, B, C and bias share one. float16 and bfloat16 accumulate in float32 and round once; integers wrap.
//   tf32: float32 factors may be rounded to 11 bits of significand, to the nearest, before they are multiplied; sums are float32 all the
//   same. Levels without such products multiply exactly.
//   m, n or batch 0: nothing is written; k 0: C is the bias, or zero. NaN and Inf propagate as in plain sums.
//   The order of summation depends on (m, n, k), the strides and the level alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct MatmulArgs {
    ElementType type;
    bool tf32;
    std::int64_t batch, m, n, k;
    const void* a;
    const void* b;
    const void* bias;
    void* c;
    const std::int64_t* a_offsets;  // batch elements
    const std::int64_t* b_offsets;  // batch elements
    std::int64_t a_strides[2], b_strides[2];
    void* workspace;  // matmul_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t matmul_workspace(const MatmulArgs& args);

template <Isa isa>
void matmul(const MatmulArgs& args);

}  // namespace pyengine::kernels
