#include "tests/simulator/kernels/hopper_matmul.h"
#include "tests/simulator/kernels/testing.h"

namespace pyengine::kernels {
extern "C" const char* multiply_bf16(bfloat16* a, bfloat16* b, float* c, int rows, int columns, int k) {
    return report_of_call([&] { start_hopper_matmul(a, b, c, rows, columns, k); });
}
}  // namespace pyengine::kernels
