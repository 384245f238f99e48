// The simulated device's global memory: what is allocated, which bytes were written, and who touched them in the launch that runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/simulator/shadow.h"

namespace pyengine::simulator {

struct Allocation {
    std::byte* base;
    std::size_t bytes;
    Shadow shadow;
};

/// Null if there is no memory. Every byte counts as not yet written.
void* allocate(std::size_t bytes);
void deallocate(void* data);

void copy_to_device(void* to, const void* from, std::size_t bytes);
void copy_to_host(void* to, const void* from, std::size_t bytes);

/// For calls of a program: SimulatorError unless the device's memory holds so many bytes there, or if it is the device's at all.
void check_device_memory(const char* call, const void* data, std::size_t bytes);
void check_host_memory(const char* call, const void* data);

/// The allocation an address lies in, or null.
Allocation* find_allocation(const void* address);
/// What a message calls an address that lies in no allocation, and how far from one it is.
struct Nearby {
    std::size_t distance;
    std::string text;
};
Nearby nearest_allocation(const void* address);

}  // namespace pyengine::simulator
