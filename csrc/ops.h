// Contents page: every op of the engine, one declaration each. Definitions: csrc/ops/<op>.cpp, or the family's file where several share one.
#pragma once

#include <vector>

#include "csrc/array.h"

namespace pyengine::ops {

// matmul.cpp
Array matmul(const Array& a, const Array& b);

// shape.cpp
Array reshape(const Array& x, const Dims& shape);  // a view where the strides allow it, a copy otherwise; one size may be -1
Array permute_dims(const Array& x, const Dims& axes);
Array slice(const Array& x, const Dims& starts, const Dims& steps, const Dims& sizes);  // on every axis; steps may be negative
Array as_strided(const Array& x, Dims shape, Dims strides, std::int64_t offset);        // offset from x's first element
Array concat(const std::vector<Array>& arrays, std::int64_t axis);

}  // namespace pyengine::ops
