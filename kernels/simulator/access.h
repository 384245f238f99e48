// What every load and store of a kernel goes through: bounds, alignment, initialisation, races.
#pragma once

#include <cstddef>

#include "kernels/simulator/grid.h"

namespace pyengine::simulator {

enum class AccessKind { read, write, atomic, atomic_write };

/// Ends the launch with a report unless the access is in order.
void check_access(Thread& self, const void* address, std::size_t bytes, AccessKind kind, const void* code);

[[noreturn]] void fail_misaligned(Thread& self, const void* address, std::size_t bytes, const void* code);

/// At the beginning of a function of a kernel: whether its local variables have room.
void check_stack(Thread& self, const void* code);

}  // namespace pyengine::simulator
