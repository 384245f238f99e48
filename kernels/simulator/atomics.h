// Atomic operations as kernels call them: the access is checked, done, and passes on what the thread had fenced.
#pragma once

#include <cstddef>
#include <type_traits>

namespace pyengine::simulator {

/// Before the operation: whether it may touch the memory, and what it passes on.
void check_atomic(const void* address, std::size_t bytes, const void* code);

/// After it, where the value there is another than before.
void note_atomic_change();

/// Volatile loads and stores, which is how kernels wait for flags, and set them.
void check_volatile_read(const void* address, std::size_t bytes, const void* code);
void check_volatile_write(const void* address, std::size_t bytes, const void* code);

/// *address = f(*address), undivided; gives what was there before.
template <typename T, typename F>
__attribute__((no_sanitize("thread"))) T change_atomically(T* address, F f, const void* code) {
    static_assert(std::is_trivially_copyable_v<T>);
    check_atomic(address, sizeof(T), code);
    T before, after;
    __atomic_load(address, &before, __ATOMIC_SEQ_CST);
    do after = f(before);
    while (!__atomic_compare_exchange(address, &before, &after, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (__builtin_memcmp(&before, &after, sizeof(T)) != 0) note_atomic_change();
    return before;
}

}  // namespace pyengine::simulator
