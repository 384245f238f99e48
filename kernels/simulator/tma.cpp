#include "kernels/simulator/tma.h"

#include "kernels/simulator/access.h"
#include "kernels/simulator/mbarrier.h"

namespace pyengine::simulator {
namespace {

struct Load {
    const char* what;
    const void* code;
    Box box;
    std::size_t alignment;  // in shared memory
    bool lays_out;          // as a tensor map says
};

[[noreturn]] void refuse(Thread& self, const Load& load, const std::string& why) {
    self.block->cluster->fail(self, "wrong copy", text("its ", load.what, " at ", source_line(load.code), " ", why));
}

/// Where in whose dynamic shared memory.
struct Target {
    Block* block;
    std::size_t offset;
};

Target target_of(Thread& self, const Load& load, const void* to) {
    Block* owner = owner_of_shared(self, to);
    const auto* byte = static_cast<const std::byte*>(to);
    const bool dynamic =
        owner && owner->shared && byte >= owner->shared && byte < owner->shared + self.block->cluster->launch.shape.shared_bytes;
    if (!dynamic) refuse(self, load, "is to or from memory that is not dynamic shared memory of the cluster");
    return {owner, static_cast<std::size_t>(byte - owner->shared)};
}

std::vector<Target> targets_of(Thread& self, const Load& load, const void* to, unsigned blocks) {
    const Target own = target_of(self, load, to);
    if (blocks == 0) return {own};
    const auto& all = self.block->cluster->blocks;
    if (blocks >> all.size() != 0) refuse(self, load, text("is for blocks of mask ", blocks, ", of a cluster of ", all.size()));
    std::vector<Target> targets;
    for (std::size_t rank = 0; rank < all.size(); ++rank)
        if (blocks >> rank & 1) targets.push_back({all[rank].get(), own.offset});
    return targets;
}

void start(Load load, void* to, void* barrier, unsigned blocks) {
    Thread& self = *current_thread();
    Cluster& cluster = *self.block->cluster;
    const auto targets = targets_of(self, load, to, blocks);
    const std::size_t counted = blocks == 0 ? 0 : target_of(self, load, barrier).offset;
    if (blocks == 0 && owner_of_shared(self, barrier) != targets.front().block)
        refuse(self, load, "completes at an mbarrier that is not in the shared memory of the block it is to");
    if (targets.front().offset % load.alignment != 0) fail_misaligned(self, to, load.alignment, load.code);
    const Operation operation{load.what, &self, load.code};
    const Agent agent = cluster.agents.take(self.knowledge, operation);
    const Actor actor{self, agent.id, agent.clock, self.knowledge, self.cluster_rank, load.what, true};
    for (const BoxRow& row : load.box.rows) check_access(actor, row.data, row.bytes, AccessKind::read, load.code);
    const auto box = std::make_shared<Box>(std::move(load.box));
    const auto remaining = std::make_shared<std::size_t>(targets.size());
    for (const Target& target : targets) {
        const void* const completes = blocks == 0 ? barrier : target.block->shared + counted;
        check_mbarrier_of_copy(self, completes, load.code);
        check_access(actor, target.block->shared + target.offset, box->bytes, AccessKind::write, load.code);
        if (load.lays_out) target.block->layouts.set(target.offset, box->bytes, box->swizzle);
        cluster.in_flight.add(completes, operation, [=, &cluster] {
            load_box(*box, target.block->shared, target.offset);
            if (--*remaining == 0) cluster.agents.done(agent);
            complete_bytes(*target.block, completes, static_cast<unsigned>(box->bytes), agent);
        });
    }
}

Load plain(const char* what, const void* from, std::uint32_t bytes, const void* code) {
    auto* data = static_cast<std::byte*>(const_cast<void*>(from));
    const Load load{what, code, {{{0, data, bytes}}, bytes}, 16, false};
    Thread& self = *current_thread();
    if (bytes % 16 != 0) refuse(self, load, text("has ", bytes, " bytes; must be a multiple of 16"));
    if (reinterpret_cast<std::uintptr_t>(from) % 16 != 0) fail_misaligned(self, from, 16, code);
    return load;
}

}  // namespace

void tma_load(void* to, const kernels::TensorLayout& map, void* barrier, const Coordinates& at, unsigned blocks) {
    Load load{"TMA load", __builtin_return_address(0), {}, 128, true};
    if (map.rank != at.rank || map.im2col != (at.by != nullptr))
        refuse(*current_thread(), load,
               text("takes ", at.rank, " coordinates, tiled or im2col; the map has ", map.rank, ", or is the other"));
    load.box = box_of(map, at);
    start(std::move(load), to, barrier, blocks);
}

void bulk_load(void* to, const void* from, std::uint32_t bytes, void* barrier) {
    start(plain("bulk load", from, bytes, __builtin_return_address(0)), to, barrier, 0);
}

void bulk_send(void* to, const void* from, std::uint32_t bytes, void* barrier) {
    const Load load = plain("bulk copy", from, bytes, __builtin_return_address(0));
    target_of(*current_thread(), load, from);
    start(load, to, barrier, 0);
}

}  // namespace pyengine::simulator
