// Static shared memory: variables declared __shared__, which are thread_local to the machine's thread that runs a block. Where several
// blocks take turns on one thread, what each has written there is put away and brought back.
#pragma once

#include <cstddef>

#include "kernels/simulator/grid.h"

namespace pyengine::simulator {

struct Range {
    std::byte* base = nullptr;
    std::size_t bytes = 0;
    bool holds(const void* address) const { return address >= base && address < base + bytes; }
};

/// The machine's thread-local variables, for this thread, of the program or library that the kernel is part of.
Range static_shared_range(const void* kernel);

/// Before a thread of the block runs.
void enter_static_shared(Block& block);
/// The block has ended.
void forget_static_shared(const Block& block);

}  // namespace pyengine::simulator
