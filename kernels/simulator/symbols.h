// What the symbols of the program or library that a kernel is part of say of it.
#pragma once

#include <cstddef>

namespace pyengine::simulator {

/// Bytes of the kernel's own variables declared __shared__, without those of functions it calls. Where symbols were stripped, 0.
std::size_t static_shared_bytes(const void* kernel);

}  // namespace pyengine::simulator
