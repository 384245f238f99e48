#include "kernels/simulator/sync.h"

#include <algorithm>
#include <utility>

namespace pyengine::simulator {
namespace {

void arrive(Meeting& meeting, Thread& self, const void* code) {
    if (meeting.arrived.empty()) meeting.code = code;
    meeting.arrived.push_back(&self);
}

/// Everybody that waits goes on, but for `self`, which did not stop.
void release(Meeting& meeting, const Thread* self, Cluster& cluster) {
    const Meeting over = std::exchange(meeting, {});
    for (Thread* thread : over.waiting)
        if (thread != self) cluster.wake(*thread);
}

void wait_in(Meeting& meeting, Thread& self, std::function<std::string()> what, const void* code) {
    meeting.waiting.push_back(&self);
    self.block->cluster->sleep(self, std::move(what), code);
}

void check_same_place(const Meeting& meeting, Thread& self, const char* what, const void* code) {
    if (meeting.arrived.empty() || same_call(meeting.code, code)) return;
    const Thread& other = *meeting.arrived.front();
    self.block->cluster->fail(self, "divergent barrier",
                              text("is in ", what, " at ", source_line(code), ", while ", name_of(other), " waits in another, at ",
                                   source_line(meeting.code), "; all threads must reach the same one"));
}

/// What a thread that arrives passes on; what it does later is not part of that.
Passed said_by(Thread& self) {
    self.block->cluster->launch.listen(self);
    Passed said{self.knowledge, self.fenced};
    said.known.join(self.heard);
    said.known.learn(self.cluster_rank, self.clock++);
    return said;
}

void learn(Thread& self, const Passed& passed) {
    self.knowledge.join(passed.known);
    self.fenced.join(passed.fenced);
    self.told_at = nullptr;
}

void complete(Meeting& barrier, const Thread* self, Cluster& cluster) {
    share_knowledge(barrier.arrived);
    release(barrier, self, cluster);
}

}  // namespace

void share_knowledge(const std::vector<Thread*>& threads) {
    Knowledge all = threads.front()->knowledge, fenced = threads.front()->fenced;
    for (Thread* thread : threads) {
        thread->block->cluster->launch.listen(*thread);
        all.join(thread->knowledge);
        all.join(thread->heard);
        fenced.join(thread->fenced);
    }
    for (const Thread* thread : threads) all.learn(thread->cluster_rank, thread->clock);
    for (Thread* thread : threads) {
        thread->knowledge = all;
        thread->heard = {};
        if (!thread->fenced.same_as(fenced)) thread->told_at = nullptr;
        thread->fenced = fenced;
        ++thread->clock;
    }
}

void block_barrier(const void* code) {
    Thread& self = *current_thread();
    Meeting& barrier = self.block->barriers[0];
    check_same_place(barrier, self, "__syncthreads", code);
    arrive(barrier, self, code);
    if (barrier.arrived.size() == self.block->alive) return complete(barrier, &self, *self.block->cluster);
    wait_in(barrier, self, [] { return std::string("__syncthreads"); }, code);
}

// The barrier of the cluster -----------------------------------------------------------------------------------------------------------------

namespace {

std::size_t arrived_alive(const Meeting& barrier) {
    return static_cast<std::size_t>(
        std::count_if(barrier.arrived.begin(), barrier.arrived.end(), [](const Thread* t) { return !t->done; }));
}

/// Those that wait go on; those that have only arrived find `passed` when they come to wait.
void complete_cluster_barrier(Cluster& cluster) {
    cluster.barrier_passed = cluster.barrier.passed;
    for (Thread* thread : cluster.barrier.arrived) thread->at_cluster_barrier = false;
    release(cluster.barrier, nullptr, cluster);
}

}  // namespace

void cluster_arrive(bool releases, const void* code) {
    Thread& self = *current_thread();
    Cluster& cluster = *self.block->cluster;
    if (self.owes_cluster_wait)
        cluster.fail(self, "wrong barrier",
                     text("arrives at the barrier of the cluster twice, at ", source_line(code), ", without waiting"));
    self.at_cluster_barrier = self.owes_cluster_wait = true;
    arrive(cluster.barrier, self, code);
    if (releases) cluster.barrier.passed.join(said_by(self));
    if (arrived_alive(cluster.barrier) == cluster.alive()) complete_cluster_barrier(cluster);
}

void cluster_wait(const void* code) {
    Thread& self = *current_thread();
    Cluster& cluster = *self.block->cluster;
    if (!self.owes_cluster_wait)
        cluster.fail(self, "wrong barrier",
                     text("waits at the barrier of the cluster, at ", source_line(code), ", without arriving first"));
    if (self.at_cluster_barrier)
        wait_in(
            cluster.barrier, self,
            [&cluster] { return text("the barrier of the cluster (", cluster.barrier.arrived.size(), " threads arrived)"); }, code);
    self.owes_cluster_wait = false;
    learn(self, cluster.barrier_passed);
}

// Named barriers -----------------------------------------------------------------------------------------------------------------------------

namespace {

void check_named_barrier(const Meeting& barrier, Thread& self, unsigned number, unsigned count, const void* code) {
    Cluster& cluster = *self.block->cluster;
    if (number == 0 || number > 15 || count == 0 || count % 32 != 0)
        cluster.fail(
            self, "wrong barrier",
            text("barrier ", number, " for ", count, " threads, at ", source_line(code), "; numbers are 1 to 15, counts multiples of 32"));
    if (!barrier.arrived.empty() && barrier.expected != count)
        cluster.fail(self, "wrong barrier",
                     text("barrier ", number, " for ", count, " threads at ", source_line(code), ", for ", barrier.expected, " at ",
                          source_line(barrier.code), "; the counts must be equal"));
}

/// True if that completed the barrier.
bool arrive_at_named(unsigned number, unsigned count, bool waits, const void* code) {
    Thread& self = *current_thread();
    Meeting& barrier = self.block->barriers[number <= 15 ? number : 0];
    check_named_barrier(barrier, self, number, count, code);
    barrier.expected = count;
    arrive(barrier, self, code);
    barrier.passed.join(said_by(self));
    if (barrier.arrived.size() < count) return false;
    if (waits) learn(self, barrier.passed);
    for (Thread* thread : barrier.waiting) learn(*thread, barrier.passed);
    release(barrier, &self, *self.block->cluster);
    return true;
}

}  // namespace

void named_barrier_arrive(unsigned number, unsigned count, const void* code) { arrive_at_named(number, count, false, code); }

void named_barrier_sync(unsigned number, unsigned count, const void* code) {
    if (arrive_at_named(number, count, true, code)) return;
    Thread& self = *current_thread();
    Meeting& barrier = self.block->barriers[number];
    wait_in(
        barrier, self,
        [&barrier, number] {
            return text("barrier ", number, " (", barrier.arrived.size(), " of ", barrier.expected, " threads arrived)");
        },
        code);
}

// Warps --------------------------------------------------------------------------------------------------------------------------------------

namespace {

std::uint32_t lanes_of(const std::vector<Thread*>& threads) {
    std::uint32_t lanes = 0;
    for (const Thread* thread : threads) lanes |= 1u << thread->lane();
    return lanes;
}

Meeting& meeting_of(Thread& self, std::uint32_t mask, const char* what, const void* code) {
    auto& meetings = self.warp->meetings;
    Cluster& cluster = *self.block->cluster;
    if (!(mask >> self.lane() & 1))
        cluster.fail(self, "wrong mask", text(what, " at ", source_line(code), ": lane ", self.lane(), " is not in its own mask ", mask));
    Meeting* found = nullptr;
    for (Meeting& meeting : meetings) {
        if (meeting.mask == mask && meeting.what == what && same_call(meeting.code, code)) {
            found = &meeting;
        } else if ((meeting.mask >> self.lane() & 1) && (mask & lanes_of(meeting.arrived))) {  // each waits for lanes of the other
            const Thread& other = *meeting.arrived.front();
            cluster.fail(self, "divergent warp",
                         text(what, " with mask ", mask, " at ", source_line(code), ", while ", name_of(other), " is in ", meeting.what,
                              " with mask ", meeting.mask, " at ", source_line(meeting.code), "; lanes of one mask must do the same"));
        }
    }
    if (found) return *found;
    meetings.emplace_back();
    meetings.back().mask = mask;
    meetings.back().what = what;
    return meetings.back();
}

unsigned lanes_alive(const Warp& warp, std::uint32_t mask) {
    unsigned count = 0;
    for (const Thread* lane : warp.lanes) count += (mask >> lane->lane() & 1) && !lane->done;
    return count;
}

void complete_meeting(Warp& warp, Meeting& meeting, const Thread* self, Cluster& cluster) {
    void* payloads[32] = {};
    for (std::size_t i = 0; i < meeting.arrived.size(); ++i) payloads[meeting.arrived[i]->lane()] = meeting.payloads[i];
    meeting.finish(payloads);
    if (meeting.orders) share_knowledge(meeting.arrived);
    Meeting over = std::move(meeting);
    warp.meetings.erase(warp.meetings.begin() + (&meeting - warp.meetings.data()));
    release(over, self, cluster);
}

}  // namespace

void warp_meeting(const char* what, std::uint32_t mask, void* payload, bool orders, const void* code,
                  const std::function<void(void* const (&payloads)[32])>& finish) {
    Thread& self = *current_thread();
    Cluster& cluster = *self.block->cluster;
    Meeting& meeting = meeting_of(self, mask, what, code);
    arrive(meeting, self, code);
    meeting.payloads.push_back(payload);
    meeting.orders = orders;
    meeting.finish = finish;
    const unsigned expected = lanes_alive(*self.warp, mask);
    if (meeting.arrived.size() == expected) return complete_meeting(*self.warp, meeting, &self, cluster);
    wait_in(meeting, self, [=] { return text(what, " with mask ", mask); }, code);
}

void leave_meetings(Thread& thread) {
    Block& block = *thread.block;
    Cluster& cluster = *block.cluster;
    Meeting& barrier = block.barriers[0];
    if (!barrier.arrived.empty() && barrier.arrived.size() == block.alive) complete(barrier, nullptr, cluster);
    if (!cluster.barrier.arrived.empty() && arrived_alive(cluster.barrier) == cluster.alive()) complete_cluster_barrier(cluster);
    for (std::size_t i = thread.warp->meetings.size(); i-- > 0;) {
        Meeting& meeting = thread.warp->meetings[i];
        if (meeting.arrived.size() == lanes_alive(*thread.warp, meeting.mask)) complete_meeting(*thread.warp, meeting, nullptr, cluster);
    }
}

void memory_fence() {
    Thread& self = *current_thread();
    self.block->cluster->launch.listen(self);
    self.knowledge.join(std::exchange(self.heard, {}));
    self.fenced = self.knowledge;
    self.fenced.learn(self.cluster_rank, self.clock++);
    self.told_at = nullptr;
}

}  // namespace pyengine::simulator
