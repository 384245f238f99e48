// What a launch may ask for: the limits of sm_90 (CUDA C++ Programming Guide 13.0, section 20.2).
#pragma once

#include "kernels/simulator/launch.h"

namespace pyengine::simulator {

/// SimulatorError where a launch is beyond them.
void check_limits(const void* kernel, const LaunchShape& shape);

}  // namespace pyengine::simulator
