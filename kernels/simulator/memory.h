// The simulated device's global memory: what is allocated, which bytes were written, and who touched them in the launch that runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/simulator/shadow.h"

namespace pyengine::simulator {

struct Allocation {
    enum class Kind { allocated, variable, constant };

    std::byte* base;
    std::size_t bytes;
    Shadow shadow;
    Kind kind = Kind::allocated;
};

/// Null if there is no memory. Every byte counts as not yet written.
void* allocate(std::size_t bytes);
void deallocate(void* data);
/// Memory that is there already, and written: a variable of a program.
void adopt(std::byte* base, std::size_t bytes, Allocation::Kind kind);

void copy_to_device(void* to, const void* from, std::size_t bytes);
void copy_to_host(void* to, const void* from, std::size_t bytes);
/// What was not written is not written in the copy either.
void copy_on_device(void* to, const void* from, std::size_t bytes);
void mark_written(void* data, std::size_t bytes);

/// For calls of a program: SimulatorError unless the device's memory holds so many bytes there, or if it is the device's at all.
void check_device_memory(const char* call, const void* data, std::size_t bytes);
void check_host_memory(const char* call, const void* data);
/// SimulatorError unless it is what an allocation gave.
void check_allocated(const char* call, const void* data);
/// SimulatorError if nothing has written any byte of a word there; words, for structures have padding.
void check_written(const char* call, const void* data, std::size_t bytes);

/// The allocation an address lies in, or null.
Allocation* find_allocation(const void* address);
/// What a message calls an address that lies in no allocation, and how far from one it is.
struct Nearby {
    std::size_t distance;
    std::string text;
};
Nearby nearest_allocation(const void* address);

}  // namespace pyengine::simulator
