#include "kernels/simulator/atomics.h"

#include "kernels/simulator/access.h"

namespace pyengine::simulator {

constexpr unsigned looks_before_turn = 64;  // others get a turn then: they may be what this thread waits for

void check_atomic(const void* address, std::size_t bytes, const void* code) {
    Thread* self = current_thread();
    if (!self) return;
    Cluster& cluster = *self->block->cluster;
    check_access(*self, address, bytes, AccessKind::atomic, code);
    cluster.launch.exchange(*self, address);
    if (++self->looks % looks_before_turn == 0) cluster.yield(*self);
}

void check_volatile_write(const void* address, std::size_t bytes, const void* code) {
    Thread* self = current_thread();
    if (!self) return;
    check_access(*self, address, bytes, AccessKind::atomic_write, code);
    self->block->cluster->launch.exchange(*self, address);
}

}  // namespace pyengine::simulator
