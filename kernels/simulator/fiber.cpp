#include "kernels/simulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>

// Saves the registers that a call must preserve, and goes on on another stack: *saved = stack pointer; stack pointer = next.
extern "C" void pyengine_switch_stack(void** saved, void* next);

#if defined(__x86_64__)
asm(R"(
.text
.globl pyengine_switch_stack
.hidden pyengine_switch_stack
.type pyengine_switch_stack, @function
pyengine_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size pyengine_switch_stack, . - pyengine_switch_stack
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl pyengine_switch_stack
.hidden pyengine_switch_stack
.type pyengine_switch_stack, %function
pyengine_switch_stack:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size pyengine_switch_stack, . - pyengine_switch_stack
)");
#endif

namespace pyengine::simulator {
namespace {

constexpr std::size_t stack_bytes = std::size_t{256} << 10;
constexpr unsigned most_guarded = 1 << 14;  // by a page below: each is two mappings, of which Linux allows a process 65530
#if defined(__x86_64__)
constexpr std::size_t saved_words = 6, return_word = 6;
#else
constexpr std::size_t saved_words = 20, return_word = 11;  // x30
#endif

thread_local Fiber* entering = nullptr;

}  // namespace

Fiber::Fiber() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* memory = mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    static std::atomic<unsigned> fibers{0};
    if (fibers++ < most_guarded) mprotect(memory, page, PROT_NONE);
    lowest_ = static_cast<std::byte*>(memory) + page;
    highest_ = lowest_ + stack_bytes;
}

Fiber::~Fiber() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    munmap(lowest_ - page, page + stack_bytes);
}

void Fiber::enter() {
    Fiber& self = *entering;
    self.entry_(self.argument_);
    self.suspend();  // for good
}

void Fiber::start(void (*entry)(void*), void* argument) {
    entry_ = entry;
    argument_ = argument;
    auto* top = reinterpret_cast<void**>(highest_) - 2 - saved_words - 2;  // keeps the alignment that a call expects
    for (std::size_t word = 0; word < saved_words + 2; ++word) top[word] = nullptr;
    top[return_word] = reinterpret_cast<void*>(&Fiber::enter);
    inside_ = top;
}

void Fiber::resume() {
    entering = this;
    pyengine_switch_stack(&outside_, inside_);
}

void Fiber::suspend() { pyengine_switch_stack(&inside_, outside_); }

std::size_t Fiber::room_below(const void* address) const {
    return holds(address) ? static_cast<std::size_t>(static_cast<const std::byte*>(address) - lowest_) : 0;
}

}  // namespace pyengine::simulator
