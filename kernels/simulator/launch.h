// Starts kernels on the simulated device.
#pragma once

#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>

#include "kernels/simulator/report.h"

namespace pyengine::simulator {

struct LaunchShape {
    Dim3 grid, block;
    std::size_t shared_bytes = 0;  // dynamic shared memory
    Dim3 cluster{};
};

/// What every thread does.
struct Body {
    void (*run)(const void* arguments);
    const void* arguments;
};

/// Runs the grid to its end. Raises SimulatorError with the report of the first block that has one.
void run_grid(const void* kernel, const LaunchShape& shape, Body body);

/// How many bytes of dynamic shared memory a program grants a kernel: cudaFuncSetAttribute.
void allow_shared_memory(const void* kernel, std::size_t bytes);
/// SimulatorError where a program launches a kernel with more than that, or, where it granted nothing, than the 48 KiB that all may have.
void check_allowed_shared_memory(const void* kernel, const LaunchShape& shape);

/// Of what the CPU does to prepare launches, which must not throw: the next launch of this thread raises it.
void report_at_next_launch(const std::string& message);

/// Each thread has its own copy of the arguments, as in the parameter memory of a device.
template <typename... Parameters>
__attribute__((no_sanitize("thread"))) void launch(void (*kernel)(Parameters...), const LaunchShape& shape,
                                                   std::type_identity_t<Parameters>... arguments) {
    static_assert((std::is_trivially_copyable_v<std::remove_cvref_t<Parameters>> && ...));
    struct Call {
        void (*kernel)(Parameters...);
        std::tuple<std::remove_cvref_t<Parameters>...> arguments;
    };
    const Call call{kernel, {arguments...}};
    const auto run = [](const void* data) __attribute__((no_sanitize("thread"))) {
        const Call& self = *static_cast<const Call*>(data);
        [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((no_sanitize("thread"), always_inline)) {
            self.kernel(__builtin_bit_cast(std::remove_cvref_t<Parameters>, std::get<i>(self.arguments))...);
        }(std::index_sequence_for<Parameters...>());
    };
    run_grid(reinterpret_cast<const void*>(kernel), shape, {run, &call});
}

}  // namespace pyengine::simulator
