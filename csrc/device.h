// Where arrays live, and where ops on them run: "cpu", "cuda" (of several "cuda:1"), "simulator" (the CUDA kernels, on the CPU).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "csrc/isa.h"
#if defined(PYENGINE_HAS_cuda)
#include "csrc/cuda/runtime.h"
#endif

namespace pyengine {

enum class DeviceType : std::uint8_t { cpu, cuda, simulator };

struct Device {
    DeviceType type = DeviceType::cpu;
    std::uint8_t index = 0;  // of the GPUs

    bool operator==(const Device&) const = default;
};

/// ValueError for a name that is none, or of a device that this build and machine do not have.
Device device_named(const std::string& name);
std::string name_of(Device device);
std::ostream& operator<<(std::ostream& out, Device device);
std::vector<Device> available_devices();

/// How many bytes may be read, written and copied on a device is its allocator's business; these copy between and within devices.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes);

/// Where the number of replays will stand of the CUDA graph that is being recorded; without one, null.
const std::int64_t* replays(Device device);

/// Calls a kernel where the device runs it: on_device(x.device(), [&]<Isa level> { kernels::matmul<level>(args); });
template <typename Call>
decltype(auto) on_device(Device device, Call&& call) {
    switch (device.type) {
#if defined(PYENGINE_HAS_simulator)
        case DeviceType::simulator: return call.template operator()<Isa::simulator>();
#endif
#if defined(PYENGINE_HAS_cuda)
        case DeviceType::cuda: {
            const cuda::DeviceGuard guard(device.index);
            return call.template operator()<Isa::cuda>();
        }
#endif
        default: return at_isa(call);
    }
}

}  // namespace pyengine
