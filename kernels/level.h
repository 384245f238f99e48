// The level this translation unit is compiled for; CMake defines PYENGINE_LEVEL as one enumerator of Isa.
#pragma once

#include "kernels/isa.h"

namespace pyengine::kernels {
namespace {

constexpr Isa level = Isa::PYENGINE_LEVEL;

}  // namespace
}  // namespace pyengine::kernels
