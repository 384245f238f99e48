// Checks that the ops on floating-point arrays share.
#pragma once

#include "csrc/array.h"
#include "csrc/check.h"

namespace pyengine {

inline void check_floating(const char* op, const char* name, const Array& x) {
    if (!is_floating(x.dtype()))
        fail_type(op, ": ", name, " is not floating: ", x.dtype(), "; must be float16, bfloat16, float32 or float64");
}

inline void check_same_dtype(const char* op, const char* name, const Array& x, const char* other_name, const Array& other) {
    if (x.dtype() != other.dtype())
        fail_type(op, ": dtypes differ: ", name, " ", x.dtype(), ", ", other_name, " ", other.dtype(),
                  "; they must be equal, convert one with astype");
}

inline void check_same_shape(const char* op, const char* name, const Array& x, const char* other_name, const Array& other) {
    if (!(x.shape() == other.shape()))
        fail_value(op, ": shapes differ: ", name, " ", x.shape(), ", ", other_name, " ", other.shape(), "; they must be equal");
}

/// What sums over `dtype` are kept in: float32 for the 16-bit floats.
inline DType accumulation_type(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16 ? DType::float32 : dtype; }

/// Product of shape[begin, end).
inline std::int64_t count_between(const Dims& shape, std::int64_t begin, std::int64_t end) {
    std::int64_t count = 1;
    for (std::int64_t i = begin; i < end; ++i) count *= shape[static_cast<std::size_t>(i)];
    return count;
}

}  // namespace pyengine
