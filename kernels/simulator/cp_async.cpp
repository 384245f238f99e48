#include "kernels/simulator/cp_async.h"

#include <cstring>

#include "kernels/simulator/access.h"

namespace pyengine::simulator {

struct Copy {
    std::byte* to;
    const std::byte* from;
    std::size_t bytes, given;
    const void* code;
};

struct CopyGroups {
    std::uint16_t agent = 0;
    std::deque<std::vector<Copy>> committed;
    std::deque<Agent> agents;  // of those
    std::vector<Copy> open;
    Agent current;
};

namespace {

CopyGroups& groups_of(Thread& self) {
    if (self.copies) return *self.copies;
    self.copies = std::make_shared<CopyGroups>();
    self.copies->agent = self.block->cluster->agents.add();
    self.copies->current = self.block->cluster->agents.next(self.copies->agent, {"cp.async", &self, nullptr});
    return *self.copies;
}

void check(Thread& self, const Copy& copy) {
    Cluster& cluster = *self.block->cluster;
    const auto misplaced = [&](const void* address) { return reinterpret_cast<std::uintptr_t>(address) % copy.bytes != 0; };
    if (misplaced(copy.to)) fail_misaligned(self, copy.to, copy.bytes, copy.code);
    if (misplaced(copy.from)) fail_misaligned(self, copy.from, copy.bytes, copy.code);
    if (copy.given > copy.bytes)
        cluster.fail(self, "wrong copy", text("cp.async of ", copy.given, " of ", copy.bytes, " bytes at ", source_line(copy.code)));
    if (owner_of_shared(self, copy.to) != self.block)
        cluster.fail(self, "out of bounds", text("cp.async at ", source_line(copy.code), " writes outside the block's shared memory"));
}

/// From here on it is as if the thread itself had written the bytes.
void land(Thread& self, const Copy& copy) {
    if (copy.given > 0) std::memcpy(copy.to, copy.from, copy.given);
    std::memset(copy.to + copy.given, 0, copy.bytes - copy.given);
    check_access(self, copy.to, copy.bytes, AccessKind::write, copy.code);
}

}  // namespace

void cp_async(void* to, const void* from, int bytes, int given) {
    Thread& self = *current_thread();
    CopyGroups& groups = groups_of(self);
    const Copy copy{static_cast<std::byte*>(to), static_cast<const std::byte*>(from), static_cast<std::size_t>(bytes),
                    static_cast<std::size_t>(given), __builtin_return_address(0)};
    check(self, copy);
    const Actor actor{self, groups.current.id, groups.current.clock, self.knowledge, self.cluster_rank, "cp.async"};
    if (copy.given > 0) check_access(actor, copy.from, copy.given, AccessKind::read, copy.code);
    check_access(actor, copy.to, copy.bytes, AccessKind::write, copy.code);
    groups.open.push_back(copy);
}

void cp_async_commit() {
    Thread& self = *current_thread();
    CopyGroups& groups = groups_of(self);
    groups.committed.push_back(std::move(groups.open));
    groups.open.clear();
    groups.agents.push_back(groups.current);
    groups.current = self.block->cluster->agents.next(groups.agent, {"cp.async", &self, nullptr});
}

void cp_async_wait(int count) {
    Thread& self = *current_thread();
    CopyGroups& groups = groups_of(self);
    while (groups.committed.size() > static_cast<std::size_t>(count)) {
        self.knowledge.learn(groups.agents.front().id, groups.agents.front().clock);
        for (const Copy& copy : groups.committed.front()) land(self, copy);
        groups.committed.pop_front();
        groups.agents.pop_front();
    }
}

std::optional<std::string> unfinished_copies(const Thread& thread) {
    if (!thread.copies) return {};
    const CopyGroups& groups = *thread.copies;
    const std::vector<Copy>* unfinished = groups.open.empty() ? nullptr : &groups.open;
    for (const auto& group : groups.committed)
        if (!group.empty()) unfinished = &group;
    if (!unfinished) return {};
    return text("simulator: missing wait: kernel ", function_name(thread.block->cluster->launch.kernel), ", ", name_of(thread),
                ": ends before its cp.async at ", source_line(unfinished->front().code), " is done; commit it, and wait for it");
}

}  // namespace pyengine::simulator
