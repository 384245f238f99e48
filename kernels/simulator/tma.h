// See kernels/cuda/primitives/tma.h. A load lands when somebody waits for its mbarrier, or nobody else can go on; a store is read and
// written at the waits for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/simulator/fence.h"
#include "kernels/simulator/tma_box.h"

namespace pyengine::simulator {

struct Thread;

/// `blocks`: one bit for each of the cluster; 0: the thread's own.
void tma_load(void* to, const kernels::TensorLayout& map, void* barrier, const Coordinates& at, unsigned blocks);
void bulk_load(void* to, const void* from, std::uint32_t bytes, void* barrier);
void bulk_send(void* to, const void* from, std::uint32_t bytes, void* barrier);

void tma_store(const kernels::TensorLayout& map, const void* from, const Coordinates& at, bool adds);
void bulk_store(void* to, const void* from, std::uint32_t bytes, bool adds);
void bulk_commit();
void bulk_wait(int groups, bool reads_only);

/// A thread has ended: its stores are written, but what is wrong if one may not have been read yet.
std::optional<std::string> finish_stores(Thread& thread);

}  // namespace pyengine::simulator
