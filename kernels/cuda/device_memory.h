// Small writes to the memory of a device that runs CUDA kernels, in the order of its stream. A CUDA graph records them with what they write.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace pyengine::kernels {

/// Copies bytes from the CPU's memory, which may change or go afterwards.
template <Isa isa>
void upload_bytes(const void* from, std::int64_t bytes, void* to);

/// *to = *from, where *to is negative and *from is not: of what is found from time to time, the first. `to`: the device's, or pinned.
template <Isa isa>
void keep_first(const std::int64_t* from, std::int64_t* to);

}  // namespace pyengine::kernels
