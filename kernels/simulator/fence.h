// See kernels/cuda/primitives/fence.h and shared.h.
#pragma once

#include <cstdint>

namespace pyengine::simulator {

std::uint32_t shared_address(const void* pointer);

void fence_proxy_async(bool shared_only);
void fence_mbarrier_init();

void barrier_sync(unsigned barrier, unsigned threads);
void barrier_arrive(unsigned barrier, unsigned threads);

void cluster_barrier_arrive(bool releases);
void cluster_barrier_wait();
unsigned cluster_rank();
unsigned cluster_size();
void* map_to_rank(const void* pointer, unsigned rank);

/// Registers of each thread; more than it has: `takes`. A block is launched with as many as 65536 allow.
void set_registers(unsigned count, bool takes);

}  // namespace pyengine::simulator
