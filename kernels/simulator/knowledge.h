// What a thread knows to have happened: for every thread of its cluster, up to which clock. Barriers and their kin pass it on.
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

    std::uint32_t of(std::size_t thread) const { return (*clocks_)[thread]; }

    void learn(std::size_t thread, std::uint32_t clock) {
        if (of(thread) < clock) own()[thread] = clock;
    }

    void join(const Knowledge& other) {
        if (clocks_ != other.clocks_) {
            Clocks& mine = own();
            for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = std::max(mine[i], (*other.clocks_)[i]);
        }
        for (const auto& [cluster, clocks] : other.elsewhere_) hear_of(cluster, clocks);
    }

    /// Of another cluster.
    std::uint32_t of(std::uint32_t cluster, std::size_t thread) const {
        const auto found = elsewhere_.find(cluster);
        return found == elsewhere_.end() ? 0 : found->second[thread];
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

    void hear_of(std::uint32_t cluster, const Clocks& clocks) {
        Clocks& known = elsewhere_[cluster];
        if (known.size() < clocks.size()) known.resize(clocks.size());
        for (std::size_t i = 0; i < clocks.size(); ++i) known[i] = std::max(known[i], clocks[i]);
    }

    std::shared_ptr<Clocks> clocks_;
    std::map<std::uint32_t, Clocks> elsewhere_;
};

}  // namespace pyengine::simulator
