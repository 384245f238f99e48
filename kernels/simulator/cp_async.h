// See kernels/cuda/primitives/cp_async.h. The bytes land at the wait.
#pragma once

namespace pyengine::simulator {

void cp_async(void* to, const void* from, int bytes, int given);
void cp_async_commit();
void cp_async_wait(int groups);

}  // namespace pyengine::simulator
