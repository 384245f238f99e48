// What every load and store of a kernel goes through: bounds, alignment, initialisation, races.
#pragma once

#include <cstddef>

#include "kernels/simulator/grid.h"

namespace pyengine::simulator {

enum class AccessKind { read, write, atomic, volatile_read, volatile_write };

constexpr bool writes(AccessKind kind) { return kind != AccessKind::read && kind != AccessKind::volatile_read; }

/// Who touches memory: a thread, or an asynchronous operation that it starts.
struct Actor {
    Thread& thread;
    std::uint16_t id;
    std::uint32_t clock;
    const Knowledge& knowledge;
    std::uint32_t own;           // the thread whose accesses all came before; none: no_thread
    const char* what = nullptr;  // of an asynchronous operation
    bool async_proxy = false;

    static constexpr std::uint32_t no_thread = UINT32_MAX;
};

/// Ends the launch with a report unless the access is in order.
void check_access(const Actor& actor, const void* address, std::size_t bytes, AccessKind kind, const void* code);
/// The same for a thread, whose registers and local memory are its own.
void check_access(Thread& self, const void* address, std::size_t bytes, AccessKind kind, const void* code);

/// The thread looks at memory that others may change. Now and then they get a turn: they may be what it waits for.
void look(Thread& self, const void* code);
/// At every branch of a user's program: after very many, which may be a loop that waits, others get a turn as well.
void branch(Thread& self, const void* code);

/// The block whose shared memory this is; null where it is none.
Block* owner_of_shared(Thread& self, const void* address);

[[noreturn]] void fail_misaligned(Thread& self, const void* address, std::size_t bytes, const void* code);

/// At the beginning of a function of a kernel: whether its local variables have room.
void check_stack(Thread& self, const void* code);
/// After Ctrl-C: a report of where the thread is.
void end_if_interrupted(Thread& self, const void* code);

}  // namespace pyengine::simulator
