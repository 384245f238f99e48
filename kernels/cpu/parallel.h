// The one threading primitive of the CPU kernels: a fixed pool that runs numbered tasks.
//
// What a task computes must depend on its number and the shape alone, never on the thread count: that is what makes every result the same
// for any number of threads. Tasks are handed out dynamically, so uneven ones balance.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyengine::kernels {

/// Runs task(context, i) once for every i in [0, count), in any order, on up to thread_count() threads; returns when all are done.
/// A call from inside a task runs serially on that thread.
void parallel_run(std::int64_t count, void (*task)(void* context, std::int64_t i), void* context);

/// Threads in use, the caller included: PYENGINE_NUM_THREADS, or the CPUs this process may run on.
int thread_count();
void set_thread_count(int count);

namespace {  // one copy per translation unit: see "ISA-level code" in docs/architecture.md

/// Runs body(i) for every i in [0, count).
template <typename Body>
[[maybe_unused]] void parallel_for(std::int64_t count, Body body) {
    if (count == 1) return body(0);
    parallel_run(count, [](void* context, std::int64_t i) { (*static_cast<Body*>(context))(i); }, &body);
}

/// Cuts [0, n) into blocks of `grain` and runs body(begin, end) for each.
template <typename Body>
[[maybe_unused]] void parallel_blocks(std::int64_t n, std::int64_t grain, Body body) {
    parallel_for((n + grain - 1) / grain, [&](std::int64_t block) {
        const std::int64_t begin = block * grain;
        body(begin, n - begin < grain ? n : begin + grain);
    });
}

/// Runs body(i, scratch) for every i in [0, count), up to `lanes` at a time, each with `bytes` of its own from the workspace
/// (lanes * bytes). What scratch holds at the start of a task is undefined. Size the workspace with the same `lanes`, once:
/// thread_count() may change meanwhile.
template <typename Body>
[[maybe_unused]] void parallel_with_scratch(std::int64_t count, int lanes, void* workspace, std::size_t bytes, Body body) {
    std::int64_t next = 0;
    parallel_for(count < lanes ? count : lanes, [&](std::int64_t lane) {
        std::byte* scratch = static_cast<std::byte*>(workspace) + static_cast<std::size_t>(lane) * bytes;
        for (std::int64_t i; (i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < count;) body(i, scratch);
    });
}

}  // namespace
}  // namespace pyengine::kernels
