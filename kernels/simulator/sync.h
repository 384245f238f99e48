// Where threads wait for each other: barriers of a block, meetings of a warp. Every function is called by the threads that take part.
#pragma once

#include <cstdint>
#include <functional>

#include "kernels/simulator/grid.h"

namespace pyengine::simulator {

/// All threads of the block that have not ended, at one place of the source.
void block_barrier(const void* code);
/// Barrier 1 to 15, for `count` threads, a multiple of 32: wait for the others, or only arrive.
void named_barrier_sync(unsigned barrier, unsigned count, const void* code);
void named_barrier_arrive(unsigned barrier, unsigned count, const void* code);
/// barrier.cluster: what a thread did before others know after their wait, if its arrival releases.
void cluster_arrive(bool releases, const void* code);
void cluster_wait(const void* code);

/// The lanes of `mask` meet. The last to arrive calls finish with every lane's payload (null for lanes outside the mask).
/// With `orders` the lanes know afterwards what the others did before.
void warp_meeting(const char* what, std::uint32_t mask, void* payload, bool orders, const void* code,
                  const std::function<void(void* const (&payloads)[32])>& finish);

/// A thread has ended: those that waited for it may go on.
void leave_meetings(Thread& thread);

/// Everybody learns what everybody knows, has heard and fenced, and has done so far.
void share_knowledge(const std::vector<Thread*>& threads);

/// What the thread did before, others may learn from now on, through an atomic write that follows; and the other way round.
void memory_fence();

}  // namespace pyengine::simulator
