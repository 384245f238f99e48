#include "kernels/simulator/interrupt.h"

#include <atomic>
#include <csignal>
#include <mutex>

namespace pyengine::simulator {
namespace {

std::atomic<bool> noted{false};
std::mutex mutex;
int watches = 0;
struct sigaction before{};

void note(int signal) {
    if (noted.exchange(true) || before.sa_handler == SIG_DFL) {
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    } else if (before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    }
}

}  // namespace

InterruptWatch::InterruptWatch() {
    const std::lock_guard lock(mutex);
    if (watches++ > 0) return;
    noted = false;
    struct sigaction ours{};
    ours.sa_handler = note;
    sigaction(SIGINT, nullptr, &before);
    if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler != SIG_IGN) sigaction(SIGINT, &ours, nullptr);
}

InterruptWatch::~InterruptWatch() {
    const std::lock_guard lock(mutex);
    if (--watches == 0) sigaction(SIGINT, &before, nullptr);
}

bool interrupted() { return noted.load(std::memory_order_relaxed); }

}  // namespace pyengine::simulator
