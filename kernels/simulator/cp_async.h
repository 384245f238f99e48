// See kernels/cuda/primitives/cp_async.h. The bytes land at the wait.
#pragma once

#include <optional>
#include <string>

namespace pyengine::simulator {

struct Thread;

void cp_async(void* to, const void* from, int bytes, int given);
void cp_async_commit();
void cp_async_wait(int groups);

/// A report if a thread that has ended has not waited for all its copies.
std::optional<std::string> unfinished_copies(const Thread& thread);

}  // namespace pyengine::simulator
