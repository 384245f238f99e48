#include "kernels/cuda/primitives/tensor_map.h"

pyengine::kernels::TensorMap map_of(const pyengine::kernels::TensorLayout& layout) { return pyengine::kernels::make_tensor_map(layout); }
