// The element types that kernels and engine agree on. The order is part of the Python binding (pyengine/dtypes.py).
#pragma once

#include <cstdint>

namespace pyengine {

enum class ElementType : std::uint8_t {
    boolean,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
};

}  // namespace pyengine
