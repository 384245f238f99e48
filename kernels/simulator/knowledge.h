// What a thread knows to have happened: for every thread of its cluster, and every asynchronous operation (async.h), up to which clock.
// Barriers and their kin pass it on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace pyengine::simulator {

class Knowledge {
public:
    Knowledge() : Knowledge(0) {}
    explicit Knowledge(std::size_t threads) : clocks_(std::make_shared<Clocks>(threads)) {}

    std::uint32_t of(std::size_t thread) const { return at(*clocks_, thread); }

    void learn(std::size_t thread, std::uint32_t clock) {
        if (of(thread) >= clock) return;
        Clocks& mine = own();
        if (mine.size() <= thread) mine.resize(thread + 1);
        mine[thread] = clock;
    }

    void join(const Knowledge& other) {
        if (clocks_ != other.clocks_) take_later(own(), *other.clocks_);
        for (const auto& [cluster, clocks] : other.elsewhere_) hear_of(cluster, clocks);
    }

    /// Only what both know.
    void restrict_to(const Knowledge& other) {
        if (clocks_ == other.clocks_) return;
        Clocks& mine = own();
        for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = std::min(mine[i], other.of(i));
    }

    /// Of another cluster.
    std::uint32_t of(std::uint32_t cluster, std::size_t thread) const {
        const auto found = elsewhere_.find(cluster);
        return found == elsewhere_.end() ? 0 : at(found->second, thread);
    }

    /// What a thread of another cluster knew; `cluster` is its own.
    void join_from(std::uint32_t cluster, const Knowledge& other, std::uint32_t own_cluster) {
        hear_of(cluster, *other.clocks_);
        for (const auto& [third, clocks] : other.elsewhere_)
            if (third != own_cluster) hear_of(third, clocks);
    }

    bool same_as(const Knowledge& other) const { return clocks_ == other.clocks_ && elsewhere_ == other.elsewhere_; }

private:
    using Clocks = std::vector<std::uint32_t>;

    /// Shared until it is changed.
    Clocks& own() {
        if (clocks_.use_count() > 1) clocks_ = std::make_shared<Clocks>(*clocks_);
        return *clocks_;
    }

    static std::uint32_t at(const Clocks& clocks, std::size_t i) { return i < clocks.size() ? clocks[i] : 0; }

    static void take_later(Clocks& known, const Clocks& clocks) {
        if (known.size() < clocks.size()) known.resize(clocks.size());
        for (std::size_t i = 0; i < clocks.size(); ++i) known[i] = std::max(known[i], clocks[i]);
    }

    void hear_of(std::uint32_t cluster, const Clocks& clocks) { take_later(elsewhere_[cluster], clocks); }

    std::shared_ptr<Clocks> clocks_;
    std::map<std::uint32_t, Clocks> elsewhere_;
};

}  // namespace pyengine::simulator
