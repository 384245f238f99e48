// What the compiler calls for every load and store of a kernel, instead of the thread sanitizer's library: -fsanitize=thread puts the
// calls there, and this file is what they reach.
#include "kernels/simulator/access.h"
#include "kernels/simulator/atomics.h"
#include "kernels/simulator/wgmma.h"

namespace {

using pyengine::simulator::AccessKind;
using pyengine::simulator::Thread;

void enter(const void* address, std::size_t bytes, AccessKind kind, const void* code, bool aligned) {
    Thread* self = pyengine::simulator::current_thread();
    if (!self) return;
    if (self->fiber->holds(address)) {
        if (self->accumulators) pyengine::simulator::touch_registers(*self, address, bytes, code);
        return;
    }
    if (aligned && reinterpret_cast<std::uintptr_t>(address) % bytes != 0)
        pyengine::simulator::fail_misaligned(*self, address, bytes, code);
    pyengine::simulator::check_access(*self, address, bytes, kind, code);
}

}  // namespace

#define ACCESS(bytes)                                                                                                              \
    void __tsan_read##bytes(void* a) { enter(a, bytes, AccessKind::read, __builtin_return_address(0), true); }                     \
    void __tsan_write##bytes(void* a) { enter(a, bytes, AccessKind::write, __builtin_return_address(0), true); }                   \
    void __tsan_unaligned_read##bytes(void* a) { enter(a, bytes, AccessKind::read, __builtin_return_address(0), false); }          \
    void __tsan_unaligned_write##bytes(void* a) { enter(a, bytes, AccessKind::write, __builtin_return_address(0), false); }        \
    void __tsan_volatile_read##bytes(void* a) { pyengine::simulator::check_volatile_read(a, bytes, __builtin_return_address(0)); } \
    void __tsan_volatile_write##bytes(void* a) { pyengine::simulator::check_volatile_write(a, bytes, __builtin_return_address(0)); }

extern "C" {
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(void* a, unsigned long n) { enter(a, n, AccessKind::read, __builtin_return_address(0), false); }
void __tsan_write_range(void* a, unsigned long n) { enter(a, n, AccessKind::write, __builtin_return_address(0), false); }

/// -fsanitize-coverage=trace-pc, of users' programs: at every branch, for loops that touch no memory.
void __sanitizer_cov_trace_pc() {
    Thread* self = pyengine::simulator::current_thread();
    if (self) pyengine::simulator::branch(*self, __builtin_return_address(0));
}

void __tsan_init() {}
void __tsan_func_exit() {}
void __tsan_func_entry(void*) {
    Thread* self = pyengine::simulator::current_thread();
    if (self) pyengine::simulator::check_stack(*self, __builtin_return_address(0));
}
}

// -fsanitize=bounds: an index into an array whose size the compiler knows, of registers, local or shared memory.
// -fsanitize=alignment: an address that is not what its type needs.

namespace {

struct SourceLocation {
    const char* file;
    std::uint32_t line, column;
};

struct TypeName {
    std::uint16_t kind, info;
    char name[1];  // as long as it is
};

struct IndexFault {
    SourceLocation at;
    const TypeName* array;
    const TypeName* index;
};

struct AlignmentFault {
    SourceLocation at;
    const TypeName* type;
    unsigned char log_alignment, kind;
};

}  // namespace

extern "C" void __ubsan_handle_type_mismatch_v1(AlignmentFault* fault, const void* address) {
    Thread* self = pyengine::simulator::current_thread();
    if (self) pyengine::simulator::fail_misaligned(*self, address, std::size_t{1} << fault->log_alignment, __builtin_return_address(0));
}

extern "C" void __ubsan_handle_out_of_bounds(IndexFault* fault, std::uintptr_t index) {
    Thread* self = pyengine::simulator::current_thread();
    const std::string file = fault->at.file;
    const std::string details =
        pyengine::simulator::text("index ", static_cast<std::intptr_t>(index), " at ", file.substr(file.rfind('/') + 1), ":",
                                  fault->at.line, " of an array of type ", fault->array->name);
    if (!self)
        return pyengine::simulator::report_at_next_launch(
            pyengine::simulator::text("simulator: out of bounds: before a launch: ", details));
    self->block->cluster->fail(*self, "out of bounds", details);
}
