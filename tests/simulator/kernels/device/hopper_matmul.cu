#include "tests/simulator/kernels/hopper_matmul.h"

namespace pyengine::kernels {
void multiply_bf16(bfloat16* a, bfloat16* b, float* c, int rows, int columns, int k) { start_hopper_matmul(a, b, c, rows, columns, k); }
}  // namespace pyengine::kernels
