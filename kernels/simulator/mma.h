// The matrix instructions of a warp: see kernels/cuda/primitives/mma.h. Products are exact and summed in double, with one rounding to float
// for each instruction; hardware rounds in an order that is not documented.
#pragma once

#include <cstdint>

namespace pyengine::simulator {

enum class Factor { bfloat16, float16, tf32 };

/// Element i of a row of factors that lies in words.
double factor(Factor type, const std::uint32_t* words, int i);

void mma(Factor type, int k, float* d, const std::uint32_t* a, const std::uint32_t* b);
void load_matrices(std::uint32_t* words, const void* row, int count, bool transposed);
void store_matrices(void* row, const std::uint32_t* words, int count, bool transposed);

}  // namespace pyengine::simulator
