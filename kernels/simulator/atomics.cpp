#include "kernels/simulator/atomics.h"

#include "kernels/simulator/access.h"

namespace pyengine::simulator {
namespace {

void check(const void* address, std::size_t bytes, AccessKind kind, const void* code) {
    Thread* self = current_thread();
    if (!self) return;
    check_access(*self, address, bytes, kind, code);
    Launch& launch = self->block->cluster->launch;
    if (writes(kind)) launch.tell(*self, address);
    if (kind == AccessKind::volatile_write) return;
    if (self->listens_at != address) launch.listen(*self);
    self->listens_at = self->looked_at = address;
    look(*self, code);
}

}  // namespace

void check_atomic(const void* address, std::size_t bytes, const void* code) { check(address, bytes, AccessKind::atomic, code); }
void check_volatile_read(const void* address, std::size_t bytes, const void* code) {
    check(address, bytes, AccessKind::volatile_read, code);
}
void check_volatile_write(const void* address, std::size_t bytes, const void* code) {
    check(address, bytes, AccessKind::volatile_write, code);
}

void note_atomic_change() {
    if (Thread* self = current_thread()) self->block->cluster->note_change();
}

}  // namespace pyengine::simulator
