#include "kernels/cuda/primitives/tensor_layout.h"

std::uint32_t bytes_of(const pyengine::kernels::TensorLayout& layout) {
    pyengine::kernels::check_layout(layout);
    return pyengine::kernels::copied_bytes(layout);
}
