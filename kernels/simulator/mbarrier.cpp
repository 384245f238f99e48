#include "kernels/simulator/mbarrier.h"

#include <algorithm>
#include <cstring>

#include "kernels/simulator/access.h"

namespace pyengine::simulator {

struct Mbarrier {
    const Thread* initialiser;
    std::uint32_t initialised;  // that thread's clock then
    const void* code;
    unsigned arrivals, pending;
    std::int64_t bytes = 0;  // expected, less those that landed, which may be first
    unsigned phase = 0;
    Knowledge learned, completed;  // of those that arrived, until now and until the last phase was over
    std::vector<Thread*> waiting;
};

namespace {

constexpr unsigned most = (1u << 20) - 1;              // arrivals, and bytes of a phase
constexpr std::uint64_t content = 0x6d62617272696572;  // of the memory where a barrier is

[[noreturn]] void refuse(Thread& self, const void* code, const std::string& why) {
    self.block->cluster->fail(self, "wrong mbarrier", text("the one used at ", source_line(code), " ", why));
}

void check_known(Thread& self, const Mbarrier& barrier, const Block& owner, bool asynchronous, const void* code) {
    const Thread& initialiser = *barrier.initialiser;
    const std::uint32_t known = &initialiser == &self ? self.clock : self.knowledge.of(initialiser.cluster_rank);
    const auto from = [&] { return text("was initialised by ", name_of(initialiser), " at ", source_line(barrier.code)); };
    if (known < barrier.initialised) refuse(self, code, text(from(), "; no barrier orders the two"));
    if (!asynchronous && &owner == self.block) return;
    const auto fenced = [&](const std::vector<std::uint32_t>& fences) {
        const auto fence = std::lower_bound(fences.begin(), fences.end(), barrier.initialised);
        return fence != fences.end() && *fence <= known;
    };
    if (!fenced(initialiser.mbarrier_fences) && !fenced(initialiser.shared_proxy_fences))
        refuse(self, code,
               text(from(), ", without fence.mbarrier_init before the barrier, which ",
                    asynchronous ? "asynchronous copies" : "other blocks of the cluster", " need"));
}

Mbarrier& find(Thread& self, const void* address, bool asynchronous, const void* code) {
    if (reinterpret_cast<std::uintptr_t>(address) % 8 != 0) fail_misaligned(self, address, 8, code);
    Block* owner = owner_of_shared(self, address);
    if (!owner) refuse(self, code, "does not lie in shared memory");
    if (owner->alive == 0) refuse(self, code, "belongs to a block that has ended");
    const auto found = owner->mbarriers.find(address);
    if (found == owner->mbarriers.end()) refuse(self, code, "has not been initialised");
    check_known(self, *found->second, *owner, asynchronous, code);
    if (std::memcmp(address, &content, 8) != 0) refuse(self, code, "has been overwritten by an ordinary store");
    return *found->second;
}

void end_phase_if_complete(Mbarrier& barrier, Cluster& cluster) {
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    ++barrier.phase;
    barrier.pending = barrier.arrivals;
    barrier.completed = barrier.learned;
    for (Thread* thread : barrier.waiting) cluster.wake(*thread);
    barrier.waiting.clear();
}

void expect(Thread& self, Mbarrier& barrier, unsigned bytes, const void* code) {
    barrier.bytes += bytes;
    if (bytes > most || barrier.bytes > most) refuse(self, code, text("expects ", barrier.bytes, " bytes; the most are ", most));
}

/// True, with what that teaches, if the phase of this parity is over.
bool is_over(Thread& self, Mbarrier& barrier, unsigned parity) {
    if ((barrier.phase & 1) == parity) return false;
    self.knowledge.join(barrier.completed);
    return true;
}

std::string state_of(const Mbarrier& barrier, unsigned parity) {
    return text("parity ", parity, " of an mbarrier in phase ", barrier.phase, ", with ", barrier.arrivals - barrier.pending, " of ",
                barrier.arrivals, " arrivals and ", barrier.bytes, " bytes outstanding");
}

Mbarrier& find_for_wait(Thread& self, const void* address, unsigned parity, const void* code) {
    Mbarrier& barrier = find(self, address, false, code);
    if (parity > 1) refuse(self, code, text("is waited for with parity ", parity, "; a parity is 0 or 1"));
    if (owner_of_shared(self, address) != self.block) refuse(self, code, "belongs to another block, and can only be arrived at from here");
    return barrier;
}

}  // namespace

void mbarrier_init(void* address, unsigned arrivals) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    if (reinterpret_cast<std::uintptr_t>(address) % 8 != 0) fail_misaligned(self, address, 8, code);
    if (owner_of_shared(self, address) != self.block) refuse(self, code, "does not lie in the block's shared memory");
    if (arrivals == 0 || arrivals > most) refuse(self, code, text("would wait for ", arrivals, " arrivals; 1 to ", most, " are possible"));
    auto& barrier = self.block->mbarriers[address];
    if (barrier) refuse(self, code, text("is initialised already, at ", source_line(barrier->code), "; invalidate it first"));
    check_access(self, address, 8, AccessKind::write, code);
    std::memcpy(address, &content, 8);
    barrier = std::make_shared<Mbarrier>(Mbarrier{&self, self.clock++, code, arrivals, arrivals, 0, 0, {}, {}, {}});
}

void mbarrier_invalidate(void* address) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    const Mbarrier& barrier = find(self, address, false, code);
    if (!barrier.waiting.empty()) refuse(self, code, text("is invalidated while ", name_of(*barrier.waiting.front()), " waits"));
    check_access(self, address, 8, AccessKind::write, code);
    self.block->mbarriers.erase(address);
}

void mbarrier_arrive(void* address, unsigned bytes) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    Mbarrier& barrier = find(self, address, false, code);
    expect(self, barrier, bytes, code);
    if (barrier.pending == 0)
        refuse(self, code,
               text("has all ", barrier.arrivals, " arrivals of its phase ", barrier.phase, " already, and waits for ", barrier.bytes,
                    " bytes"));
    --barrier.pending;
    barrier.learned.join(self.knowledge);
    barrier.learned.learn(self.cluster_rank, self.clock++);
    end_phase_if_complete(barrier, *self.block->cluster);
}

void mbarrier_expect_bytes(void* address, unsigned bytes) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    expect(self, find(self, address, false, code), bytes, code);
}

bool mbarrier_try_wait(void* address, unsigned parity) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    Mbarrier& barrier = find_for_wait(self, address, parity, code);
    if (is_over(self, barrier, parity)) return true;
    self.block->cluster->in_flight.land_at(address);
    if (is_over(self, barrier, parity)) return true;
    self.block->cluster->yield(self, code);
    return is_over(self, barrier, parity);
}

void mbarrier_wait(void* address, unsigned parity) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    Mbarrier& barrier = find_for_wait(self, address, parity, code);
    if (is_over(self, barrier, parity)) return;
    self.block->cluster->in_flight.land_at(address);
    while (!is_over(self, barrier, parity)) {
        barrier.waiting.push_back(&self);
        self.block->cluster->sleep(self, [&barrier, parity] { return state_of(barrier, parity); }, code);
    }
}

void check_mbarrier_of_copy(Thread& self, const void* address, const void* code) { find(self, address, true, code); }

void complete_bytes(Block& block, const void* address, unsigned bytes, const Agent& agent) {
    const auto found = block.mbarriers.find(address);
    if (found == block.mbarriers.end()) return;
    Mbarrier& barrier = *found->second;
    barrier.bytes -= bytes;
    barrier.learned.learn(agent.id, agent.clock);
    end_phase_if_complete(barrier, *block.cluster);
}

}  // namespace pyengine::simulator
