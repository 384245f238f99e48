// One launch: which clusters run when, on which of the machine's threads, what they tell each other through memory, and what is reported.
#include <algorithm>
#include <utility>

#include "kernels/cpu/parallel.h"
#include "kernels/simulator/grid.h"

namespace pyengine::simulator {
namespace {

// Of a deadlock: in each every thread looks at memory 128 times, with more than 1024 threads for fewer rounds.
constexpr std::uint64_t fewest_quiet_rounds = 2, most_quiet_rounds = 32, threads_of_most = 1024;
constexpr std::uint64_t resident_threads = 132 * 2048, least_block = 64;  // of an H100: the blocks that run beside each other

std::uint64_t next_launch() {
    static std::atomic<std::uint64_t> count{0};
    return ++count;
}

}  // namespace

Launch::Launch(const void* kernel, const LaunchShape& shape, Body body)
    : kernel(kernel),
      shape(shape),
      body(body),
      number(next_launch()),
      clusters_(shape.grid.count() / shape.cluster.count()),
      most_resident_(resident_threads / (std::max(shape.block.count(), least_block) * shape.cluster.count())) {}

void Launch::tell(Thread& self, const void* address) {
    if (self.fenced.empty() || self.told_at == address) return;
    std::lock_guard lock(mutex_);
    Told& told = told_[address];
    told.by[self.block->cluster->id()].join(self.fenced);
    ++told.count;
    self.told_at = address;
}

void Launch::listen(Thread& self) {
    const void* address = std::exchange(self.listens_at, nullptr);
    if (!address) return;
    const std::uint32_t own = self.block->cluster->id();
    std::lock_guard lock(mutex_);
    const auto found = told_.find(address);
    if (found == told_.end() || self.heard_at == std::pair{address, found->second.count}) return;
    for (const auto& [who, what] : found->second.by) who == own ? self.heard.join(what) : self.heard.join_from(who, what, own);
    self.heard_at = {address, found->second.count};
}

void Launch::report(std::uint64_t cluster, const std::string& message) {
    std::lock_guard lock(mutex_);
    if (cluster >= first_failed_) return;
    first_failed_ = cluster;
    message_ = message;
}

bool Launch::may_admit() const { return next_ < clusters_ && !obsolete(next_) && resident_ < most_resident_; }

std::optional<std::uint64_t> Launch::admit(Worker& worker, bool has_others) {
    std::lock_guard lock(mutex_);
    if (next_ >= clusters_ || obsolete(next_) || (has_others && !may_admit())) {
        worker.runs = has_others;
        return {};
    }
    worker.runs = true;
    ++resident_;
    return next_++;
}

/// True where no thread of the launch will ever go on: for many rounds all have looked at memory, and nothing has changed.
bool Launch::waits_forever(Worker& worker, bool changed) {
    std::lock_guard lock(mutex_);
    ++worker.quiet_rounds;
    if (changed)
        for (Worker& any : workers_) any.quiet_rounds = 0;
    const std::uint64_t threads = std::max<std::uint64_t>(resident_ * shape.cluster.count() * shape.block.count(), 1);
    const std::uint64_t enough = std::clamp(most_quiet_rounds * threads_of_most / threads, fewest_quiet_rounds, most_quiet_rounds);
    const auto waits = [enough](const Worker& any) { return !any.runs || any.quiet_rounds >= enough; };
    if (!stopped_ && !may_admit() && std::all_of(workers_.begin(), workers_.end(), waits)) {
        stopped_ = true;
        deadlock_ = first_failed_ == UINT64_MAX;  // or they may wait for what the block of the report would have done
    }
    return stopped_;
}

/// Each until it has ended or can only look. True if something has changed.
bool Launch::run_round(std::list<Cluster>& resident, bool all) {
    bool changed = false;
    for (auto cluster = resident.begin(); cluster != resident.end();) {
        const std::uint64_t changes = changes_, before = cluster->changes();
        if (!all && cluster->has_seen == changes) {
            ++cluster;
            continue;
        }
        cluster->has_seen = changes;
        const bool finished = cluster->run() == Cluster::State::finished;
        if (finished || cluster->changes() != before) {
            ++changes_;
            changed = true;
        }
        cluster = finished ? resident.erase(cluster) : std::next(cluster);
    }
    return changed;
}

/// Takes clusters in order. Where those at hand only look at memory, another one starts beside them, which they may be waiting for.
void Launch::work(Worker& worker) {
    std::list<Cluster> resident;
    while (true) {
        const auto admitted = admit(worker, !resident.empty());
        if (admitted) resident.emplace_back(*this, *admitted);
        if (resident.empty()) return;
        const std::size_t before = resident.size();
        const bool changed = run_round(resident, !admitted);
        {
            std::lock_guard lock(mutex_);
            resident_ -= before - resident.size();
        }
        if (!waits_forever(worker, changed)) continue;
        if (deadlock_) resident.front().report_deadlock();
        return;
    }
}

void Launch::run() {
    workers_.resize(std::min<std::uint64_t>(static_cast<std::uint64_t>(kernels::thread_count()), clusters_));
    kernels::parallel_for(static_cast<std::int64_t>(workers_.size()), [&](std::int64_t i) { work(workers_[static_cast<std::size_t>(i)]); });
    if (!message_.empty()) throw SimulatorError(message_);
}

}  // namespace pyengine::simulator
