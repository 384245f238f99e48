#include "kernels/simulator/async.h"

#include "kernels/simulator/knowledge.h"

namespace pyengine::simulator {

std::uint16_t Agents::add() {
    states_.emplace_back();
    return static_cast<std::uint16_t>(first_ + states_.size() - 1);
}

Agent Agents::next(std::uint16_t id, const Operation& operation) {
    State& state = states_[id - first_];
    state.operation = operation;
    return {id, ++state.clock};
}

Agent Agents::take(const Knowledge& knows, const Operation& operation) {
    // Who waits for an operation learns of all that its agent did before, so these must be known to whoever starts it.
    std::size_t found = states_.size();
    for (std::size_t i = 0; i < states_.size() && found == states_.size(); ++i)
        if (states_[i].idle && knows.of(first_ + i) >= states_[i].clock) found = i;
    const auto id = static_cast<std::uint16_t>(first_ + found);
    if (found == states_.size()) add();
    states_[found].idle = false;
    return next(id, operation);
}

void Agents::done(const Agent& agent) { states_[agent.id - first_].idle = true; }

void InFlight::land_one(std::mt19937_64* random) {
    if (pending_.empty()) return;
    const std::size_t chosen = random ? (*random)() % pending_.size() : 0;
    const Pending operation = std::move(pending_[chosen]);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(chosen));
    operation.land();
}

void InFlight::land_at(const void* barrier) {
    std::deque<Pending> due;
    for (std::size_t i = 0; i < pending_.size();) {
        if (pending_[i].completes_at == barrier) {
            due.push_back(std::move(pending_[i]));
            pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
            ++i;
        }
    }
    for (const Pending& operation : due) operation.land();
}

}  // namespace pyengine::simulator
