#include "kernels/cpu/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace pyengine::kernels {
namespace {

int available_cpus() {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1u, std::thread::hardware_concurrency());
}

int initial_thread_count() {
    const char* wanted = std::getenv("PYENGINE_NUM_THREADS");
    const int count = wanted ? std::atoi(wanted) : 0;
    return count > 0 ? count : available_cpus();
}

thread_local bool inside_task = false;

void pause_cpu() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Workers spin this long for the next job before they sleep: a sleeping worker costs tens of microseconds to wake.
constexpr int spins_before_sleep = 4000;

class Pool {
public:
    explicit Pool(int workers) {
        for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }

    ~Pool() {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
            ++generation_;
        }
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    void run(std::int64_t count, void (*task)(void*, std::int64_t), void* context) {
        {
            std::lock_guard lock(mutex_);
            task_ = task;
            context_ = context;
            count_ = count;
            next_.store(0, std::memory_order_relaxed);
            open_ = true;
            generation_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        take_tasks();
        {
            std::lock_guard lock(mutex_);
            open_ = false;  // a worker that wakes only now finds nothing to join, and nobody waits for it
        }
        for (int spin = 0; joined_.load(std::memory_order_acquire) != 0; ++spin)
            spin < spins_before_sleep ? pause_cpu() : std::this_thread::yield();
    }

private:
    void take_tasks() {
        inside_task = true;
        for (std::int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) task_(context_, i);
        inside_task = false;
    }

    void work() {
        std::uint64_t seen = 0;
        while (true) {
            for (int spin = 0; spin < spins_before_sleep && generation_.load(std::memory_order_acquire) == seen; ++spin) pause_cpu();
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
                seen = generation_.load(std::memory_order_relaxed);
                if (stopping_) return;
                if (!open_) continue;
                joined_.fetch_add(1, std::memory_order_relaxed);
            }
            take_tasks();
            joined_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<std::int64_t> next_{0};
    std::atomic<int> joined_{0};  // workers inside the current job
    bool open_ = false;
    bool stopping_ = false;
    void (*task_)(void*, std::int64_t) = nullptr;
    void* context_ = nullptr;
    std::int64_t count_ = 0;
};

struct State {
    std::mutex mutex;  // one job at a time; a second caller runs its job serially
    int count = initial_thread_count();
    std::unique_ptr<Pool> pool;
};

// Leaked on purpose: joining threads while the process exits can hang.
State* state = new State;

// A forked child has none of the parent's threads: it starts with a fresh state.
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, [] {
    const int count = state->count;
    state = new State;
    state->count = count;
    inside_task = false;
});

}  // namespace

int thread_count() { return state->count; }

void set_thread_count(int count) {
    std::lock_guard lock(state->mutex);
    state->pool.reset();
    state->count = std::max(1, count);
}

void parallel_run(std::int64_t count, void (*task)(void*, std::int64_t), void* context) {
    const auto serially = [&] {
        for (std::int64_t i = 0; i < count; ++i) task(context, i);
    };
    if (count <= 1 || state->count == 1 || inside_task) return serially();
    std::unique_lock lock(state->mutex, std::try_to_lock);
    if (!lock.owns_lock()) return serially();
    if (!state->pool) state->pool = std::make_unique<Pool>(state->count - 1);
    state->pool->run(count, task, context);
}

}  // namespace pyengine::kernels
