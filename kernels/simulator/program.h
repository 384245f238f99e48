// What a program with CUDA kernels of its own needs beside them, where the simulator is the GPU: launches, and the runtime. Included by
// pyengine.simulator in front of the program, whose name<<<grid, block>>>(...) has become configured(name, grid, block)(...).
#pragma once

#include <cassert>
#include <cstdio>

#include "kernels/simulator/cuda.h"
#include "kernels/simulator/launch.h"
#include "kernels/simulator/runtime.h"
#include "kernels/simulator/variables.h"

namespace pyengine::simulator {

struct Size : Dim3 {
    Size(int x) : Dim3{static_cast<unsigned>(x)} {}
    Size(unsigned x) : Dim3{x} {}
    Size(std::size_t x) : Dim3{static_cast<unsigned>(x)} {}
    Size(Dim3 size) : Dim3(size) {}
};

template <typename... Parameters>
auto configured(void (*kernel)(Parameters...), Size grid, Size block, std::size_t shared_bytes = 0, cudaStream_t = nullptr) {
    return [=](std::type_identity_t<Parameters>... arguments) {
        const LaunchShape shape{grid, block, shared_bytes, {}};
        check_allowed_shared_memory(reinterpret_cast<const void*>(kernel), shape);
        launch(kernel, shape, arguments...);
    };
}
/// The same for a template whose arguments follow from the launch's: `kernel_for(arguments...)` is the kernel.
template <typename KernelFor>
auto deduced(KernelFor kernel_for, Size grid, Size block, std::size_t shared_bytes = 0, cudaStream_t = nullptr) {
    return [=](auto... arguments) { configured(kernel_for(arguments...), grid, block, shared_bytes)(arguments...); };
}

/// extern __shared__ T name[]; outside of kernels: in each, the block's dynamic shared memory.
template <typename T>
struct DynamicShared {
    operator T*() const { return static_cast<T*>(shared_memory()); }
};

/// Before the program's own variables are made.
static const bool adopted = (adopt_variables(&adopted), true);

}  // namespace pyengine::simulator

/// What assert calls: in a kernel, a report.
extern "C" [[noreturn]] inline __attribute__((visibility("hidden"))) void __assert_fail(const char* condition, const char* file,
                                                                                        unsigned line, const char*) noexcept {
    ::pyengine::simulator::fail_assertion(condition, file, line);
}
