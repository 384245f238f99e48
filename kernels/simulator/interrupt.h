// Ctrl-C while a kernel runs: the launch ends at a thread's next access, with a report of where it was; a second one ends the process.
#pragma once

namespace pyengine::simulator {

/// While one lives, SIGINT is noted here, and handed on to who handled it before.
class InterruptWatch {
public:
    InterruptWatch();
    ~InterruptWatch();
    InterruptWatch(const InterruptWatch&) = delete;
    InterruptWatch& operator=(const InterruptWatch&) = delete;
};

/// Whether there was one since the first watch that lives now.
bool interrupted();

}  // namespace pyengine::simulator
