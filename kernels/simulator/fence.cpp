#include "kernels/simulator/fence.h"

#include <algorithm>

#include "kernels/simulator/access.h"
#include "kernels/simulator/sync.h"

namespace pyengine::simulator {
namespace {

/// Where in its block's dynamic shared memory.
std::uint32_t offset_of(const void* pointer, const void* code) {
    Thread& self = *current_thread();
    const auto offset = static_cast<const std::byte*>(pointer) - self.block->shared;
    if (self.block->shared && offset >= 0 && static_cast<std::size_t>(offset) < self.block->cluster->launch.shape.shared_bytes)
        return static_cast<std::uint32_t>(offset);
    self.block->cluster->fail(
        self, "out of bounds",
        text("takes the shared address of a pointer that is not into the block's dynamic shared memory, at ", source_line(code)));
}

unsigned launched_registers(const Block& block) {
    constexpr unsigned all = 65536, most = 248;
    const auto threads = static_cast<unsigned>(block.threads.size());
    return std::min(all / threads / 8 * 8, most);
}

}  // namespace

std::uint32_t shared_address(const void* pointer) { return offset_of(pointer, __builtin_return_address(0)); }

void fence_proxy_async(bool shared_only) {
    Thread& self = *current_thread();
    self.shared_proxy_fences.push_back(self.clock);
    if (!shared_only) self.global_proxy_fences.push_back(self.clock);
    ++self.clock;
}

void fence_mbarrier_init() {
    Thread& self = *current_thread();
    self.mbarrier_fences.push_back(self.clock++);
}

void barrier_sync(unsigned barrier, unsigned threads) { named_barrier_sync(barrier, threads, __builtin_return_address(0)); }
void barrier_arrive(unsigned barrier, unsigned threads) { named_barrier_arrive(barrier, threads, __builtin_return_address(0)); }

void cluster_barrier_arrive(bool releases) { cluster_arrive(releases, __builtin_return_address(0)); }
void cluster_barrier_wait() { cluster_wait(__builtin_return_address(0)); }

unsigned cluster_rank() { return current_thread()->block->rank; }
unsigned cluster_size() { return static_cast<unsigned>(current_thread()->block->cluster->blocks.size()); }

void* map_to_rank(const void* pointer, unsigned rank) {
    Thread& self = *current_thread();
    const void* code = __builtin_return_address(0);
    const auto& blocks = self.block->cluster->blocks;
    if (rank >= blocks.size())
        self.block->cluster->fail(self, "out of bounds",
                                  text("block ", rank, " of a cluster of ", blocks.size(), " blocks, at ", source_line(code)));
    return blocks[rank]->shared + offset_of(pointer, code);
}

void set_registers(unsigned count, bool takes) {
    Thread& self = *current_thread();
    Block& block = *self.block;
    const void* code = __builtin_return_address(0);
    warp_meeting("setmaxnreg", 0xffffffffu, nullptr, false, code, [](void* const(&)[32]) {});
    const unsigned has = self.registers ? self.registers : launched_registers(block);
    if (takes ? count < has : count > has)
        block.cluster->fail(self, "wrong register count",
                            text(takes ? "takes" : "gives up", " registers at ", source_line(code), " to have ", count, " of ", has));
    const int more = static_cast<int>(count) - static_cast<int>(has);
    while (block.free_registers < more) {
        block.register_waiters.push_back(&self);
        block.cluster->sleep(
            self, [&block, more] { return text(more, " more registers a thread (", block.free_registers, " are free in all)"); }, code);
    }
    block.free_registers -= more;
    self.registers = count;
    if (more >= 0) return;
    for (Thread* thread : block.register_waiters) block.cluster->wake(*thread);
    block.register_waiters.clear();
}

}  // namespace pyengine::simulator
