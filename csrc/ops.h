// Contents page: every op of the engine, one declaration each. Definitions: csrc/ops/<op>.cpp, or the family's file where several share one.
#pragma once

#include "csrc/array.h"

namespace pyengine::ops {

// matmul.cpp
Array matmul(const Array& a, const Array& b);

}  // namespace pyengine::ops
