// Who touched which byte of shared memory, in order: for pictures.
#pragma once

#include <cstdint>
#include <vector>

namespace pyengine::simulator {

struct Touch {
    std::uint64_t block;   // of the grid, x fastest
    std::uint32_t thread;  // of the block, x fastest
    std::uint32_t offset, bytes;
    bool writes;
};

/// What is noted from now on is kept, up to `most` touches.
void start_trace(std::size_t most);
std::vector<Touch> stop_trace();

bool tracing();
void note(const Touch& touch);

}  // namespace pyengine::simulator
