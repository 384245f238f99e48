// A fiber: a call with a stack of its own, which can stop in the middle and go on later. Simulated threads run on them.
#pragma once

#include <cstddef>

namespace pyengine::simulator {

class Fiber {
public:
    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// The next resume() calls entry(argument) from its beginning; what ran here before is forgotten.
    void start(void (*entry)(void*), void* argument);
    /// Runs the call until it suspends or ends.
    void resume();
    /// From inside the call: back to where it was resumed.
    void suspend();

    bool holds(const void* address) const { return address >= lowest_ && address < highest_; }
    /// What is left of the stack below this address.
    std::size_t room_below(const void* address) const;

private:
    static void enter();

    std::byte *lowest_, *highest_;  // of the stack; below it lies a page that nothing may touch
    void* inside_ = nullptr;        // stack pointers, while the other side runs
    void* outside_ = nullptr;
    void (*entry_)(void*) = nullptr;
    void* argument_ = nullptr;
};

}  // namespace pyengine::simulator
