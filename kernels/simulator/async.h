// Asynchronous operations: copies and matrix products that run beside the thread that started them.
//
// To the race detector each is an agent, a thread of its own: what it touches is entered when it starts, as done by somebody who knows what
// its issuer knew then, and whom nobody knows until a wait for its completion. Its effects on memory happen as late as the rules allow, so
// that what reads too early finds the old bytes; with PYENGINE_SIMULATOR_SEED at any moment in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <vector>

namespace pyengine::simulator {

struct Thread;
class Knowledge;
struct CopyGroups;    // cp_async.cpp
struct Mbarrier;      // mbarrier.h
struct BulkGroups;    // tma_store.cpp
struct Accumulators;  // wgmma.cpp
struct WarpGroup;     // wgmma.cpp

/// Who an operation belongs to, for reports.
struct Operation {
    const char* what = nullptr;  // "cp.async"
    const Thread* issuer = nullptr;
    const void* code = nullptr;
};

/// One operation of an agent. Operations of the same agent end in the order of their clocks.
struct Agent {
    std::uint16_t id = 0;
    std::uint32_t clock = 0;
};

/// The agents of a cluster; their numbers follow those of its threads.
class Agents {
public:
    explicit Agents(std::size_t threads) : first_(threads) {}

    /// An agent for operations that end in order: one call, then next() for each operation.
    std::uint16_t add();
    Agent next(std::uint16_t id, const Operation& operation);

    /// An agent for one operation, until done(): one that is idle, and whose past `knows`, if there is such.
    Agent take(const Knowledge& knows, const Operation& operation);
    void done(const Agent& agent);

    const Operation& operation(std::uint16_t id) const { return states_[id - first_].operation; }

private:
    struct State {
        std::uint32_t clock = 0;
        bool idle = false;
        Operation operation;
    };

    std::size_t first_;
    std::vector<State> states_;
};

/// Operations that nobody needs to wait for: they end by themselves.
class InFlight {
public:
    void add(const void* completes_at, const Operation& operation, std::function<void()> land) {
        pending_.push_back({completes_at, operation, std::move(land)});
    }
    bool empty() const { return pending_.empty(); }
    const Operation* first() const { return pending_.empty() ? nullptr : &pending_.front().operation; }

    /// Ends the one that began first, or any one.
    void land_one(std::mt19937_64* random);
    /// Ends those that complete at this barrier.
    void land_at(const void* barrier);

private:
    struct Pending {
        const void* completes_at;
        Operation operation;
        std::function<void()> land;
    };

    std::deque<Pending> pending_;
};

}  // namespace pyengine::simulator
