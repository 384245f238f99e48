#include "kernels/simulator/trace.h"

#include <atomic>
#include <mutex>

namespace pyengine::simulator {
namespace {

std::atomic<bool> on{false};
std::mutex mutex;
std::vector<Touch> touches;
std::size_t limit = 0;

}  // namespace

void start_trace(std::size_t most) {
    std::lock_guard lock(mutex);
    touches.clear();
    limit = most;
    on = true;
}

std::vector<Touch> stop_trace() {
    on = false;
    std::lock_guard lock(mutex);
    return std::move(touches);
}

bool tracing() { return on.load(std::memory_order_relaxed); }

void note(const Touch& touch) {
    std::lock_guard lock(mutex);
    if (touches.size() < limit) touches.push_back(touch);
}

}  // namespace pyengine::simulator
