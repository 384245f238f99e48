// What a program or library keeps in memory of its own: constants, which kernels may read, and variables declared __device__ or __constant__.
#pragma once

namespace pyengine::simulator {

/// Whether the address lies in memory that nothing can write: tables and literals.
bool is_constant(const void* address);
/// Whether it lies in a variable of the program.
bool is_variable_of_cpu(const void* address);

/// Makes the variables in the sections pyengine_device and pyengine_constant of the library around `inside` arrays of the device.
void adopt_variables(const void* inside);

}  // namespace pyengine::simulator
