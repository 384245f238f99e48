// See kernels/cuda/primitives/mbarrier.h.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/simulator/fence.h"

namespace pyengine::simulator {

void mbarrier_init(void* address, unsigned arrivals);
void mbarrier_invalidate(void* address);
/// Expects the bytes first.
void mbarrier_arrive(void* address, unsigned bytes);
void mbarrier_expect_bytes(void* address, unsigned bytes);
bool mbarrier_try_wait(void* address, unsigned parity);
void mbarrier_wait(void* address, unsigned parity);

struct Agent;
struct Block;
struct Thread;

/// The barrier there, which an asynchronous copy that the thread starts will complete; ends the launch if it cannot be used so.
void check_mbarrier_of_copy(Thread& self, const void* address, const void* code);
/// Bytes have landed.
void complete_bytes(Block& block, const void* address, unsigned bytes, const Agent& agent);

}  // namespace pyengine::simulator
