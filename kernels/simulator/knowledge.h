// What a thread knows to have happened: for every thread of its cluster, and every asynchronous operation (async.h), up to which clock;
// and for threads of other clusters of which it has heard. Barriers and their kin pass it on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace pyengine::simulator {

class Knowledge {
public:
    Knowledge() = default;
    explicit Knowledge(std::size_t threads) : clocks_(std::make_shared<Clocks>(threads)) {}

    std::uint32_t of(std::size_t thread) const { return clocks_ ? at(*clocks_, thread) : 0; }

    void learn(std::size_t thread, std::uint32_t clock) {
        if (of(thread) >= clock) return;
        Clocks& mine = own(clocks_);
        if (mine.size() <= thread) mine.resize(thread + 1);
        mine[thread] = clock;
    }

    void join(const Knowledge& other) {
        take_later(clocks_, other.clocks_);
        join_elsewhere(other, 0);
    }

    /// Only what both know.
    void restrict_to(const Knowledge& other) {
        if (clocks_ == other.clocks_) return;
        Clocks& mine = own(clocks_);
        for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = std::min(mine[i], other.of(i));
    }

    /// Of another cluster.
    std::uint32_t of(std::uint32_t cluster, std::size_t thread) const {
        if (!elsewhere_) return 0;
        const auto found = elsewhere_->find(cluster);
        return found == elsewhere_->end() ? 0 : at(*found->second, thread);
    }

    /// What a thread of another cluster knew; `cluster` is its own.
    void join_from(std::uint32_t cluster, const Knowledge& other, std::uint32_t own_cluster) {
        if (other.clocks_) take_later(own(elsewhere_)[cluster], other.clocks_);
        join_elsewhere(other, own_cluster);
    }

    bool empty() const { return !clocks_ && !elsewhere_; }
    /// Of the same origin: what is not the same may still be equal.
    bool same_as(const Knowledge& other) const { return clocks_ == other.clocks_ && elsewhere_ == other.elsewhere_; }

private:
    using Clocks = std::vector<std::uint32_t>;
    using Elsewhere = std::map<std::uint32_t, std::shared_ptr<Clocks>>;

    /// Shared until it is changed.
    template <typename T>
    static T& own(std::shared_ptr<T>& shared) {
        if (!shared || shared.use_count() > 1) shared = shared ? std::make_shared<T>(*shared) : std::make_shared<T>();
        return *shared;
    }

    static std::uint32_t at(const Clocks& clocks, std::size_t i) { return i < clocks.size() ? clocks[i] : 0; }

    static void take_later(std::shared_ptr<Clocks>& known, const std::shared_ptr<Clocks>& clocks) {
        if (known == clocks || !clocks) return;
        if (!known) return void(known = clocks);
        Clocks& mine = own(known);
        if (mine.size() < clocks->size()) mine.resize(clocks->size());
        for (std::size_t i = 0; i < clocks->size(); ++i) mine[i] = std::max(mine[i], (*clocks)[i]);
    }

    void join_elsewhere(const Knowledge& other, std::uint32_t except) {
        if (elsewhere_ == other.elsewhere_ || !other.elsewhere_) return;
        if (!elsewhere_ && !other.elsewhere_->contains(except)) return void(elsewhere_ = other.elsewhere_);
        for (const auto& [cluster, clocks] : *other.elsewhere_)
            if (cluster != except) take_later(own(elsewhere_)[cluster], clocks);
    }

    std::shared_ptr<Clocks> clocks_;        // null: of nobody
    std::shared_ptr<Elsewhere> elsewhere_;  // by cluster
};

}  // namespace pyengine::simulator
