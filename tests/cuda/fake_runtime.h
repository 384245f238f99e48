// What fake_runtime.cpp lets its tests set and see.
#pragma once

#include <cuda_runtime.h>

#include <ostream>
#include <set>
#include <vector>

#include "csrc/device.h"
#include "kernels/cuda/device_memory.h"

namespace fake {

struct Launch {
    cudaStream_t stream;
    bool captured;
};

extern bool busy;  // whether the work given to streams is not done yet
extern std::set<void*> freed;
extern std::vector<Launch> launches;

}  // namespace fake
