#include "csrc/device.h"

#include <cstring>
#include <ostream>

#include "csrc/check.h"
#include "kernels/cuda/device_memory.h"
#if defined(PYENGINE_HAS_cuda)
#include "csrc/cuda/allocator.h"
#include "csrc/cuda/stream.h"
#endif
#if defined(PYENGINE_HAS_simulator)
#include "kernels/simulator/memory.h"
#endif

namespace pyengine {
namespace {

constexpr const char* type_names[] = {"cpu", "cuda", "simulator"};

/// So many bytes go to a device as parameters of a kernel: nobody waits, and CUDA graphs take them.
constexpr std::size_t uploaded_at_most = 4000;

void upload(void* to, Device device, const void* from, std::size_t bytes) {
    on_device(device, [&]<Isa level> {
        if constexpr (level == Isa::cuda || level == Isa::simulator)
            kernels::upload_bytes<level>(from, static_cast<std::int64_t>(bytes), to);
    });
}

std::string names(const std::vector<Device>& devices) {
    std::string joined;
    for (Device device : devices) joined += (joined.empty() ? "'" : ", '") + name_of(device) + "'";
    return joined;
}

}  // namespace

std::string name_of(Device device) {
    const std::string type = type_names[static_cast<int>(device.type)];
    return device.index == 0 ? type : type + ":" + std::to_string(device.index);
}

std::ostream& operator<<(std::ostream& out, Device device) { return out << name_of(device); }

Device device_named(const std::string& name) {
    const std::vector<Device> devices = available_devices();
    for (Device device : devices)
        if (name == name_of(device) || (device.index == 0 && name == name_of(device) + ":0")) return device;
    fail_value("device: not available: '", name, "'; this build and machine have ", names(devices));
}

std::vector<Device> available_devices() {
    std::vector<Device> devices{{DeviceType::cpu}};
#if defined(PYENGINE_HAS_cuda)
    for (int index = 0; index < cuda::device_count(); ++index) devices.push_back({DeviceType::cuda, static_cast<std::uint8_t>(index)});
#endif
#if defined(PYENGINE_HAS_simulator)
    devices.push_back({DeviceType::simulator});
#endif
    return devices;
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) {
    if (bytes == 0) return;
    if (from_device == Device{} && to_device != Device{} && bytes <= uploaded_at_most) return upload(to, to_device, from, bytes);
#if defined(PYENGINE_HAS_cuda)
    if (to_device.type == DeviceType::cuda || from_device.type == DeviceType::cuda)
        return cuda::copy_bytes(to, to_device, from, from_device, bytes);
#endif
#if defined(PYENGINE_HAS_simulator)
    if (to_device.type == DeviceType::simulator) return simulator::copy_to_device(to, from, bytes);
#endif
    (void)to_device, (void)from_device;
    std::memcpy(to, from, bytes);
}

const std::int64_t* replays(Device device) {
#if defined(PYENGINE_HAS_cuda)
    if (device.type == DeviceType::cuda) return cuda::replays();
#endif
    (void)device;
    return nullptr;
}

}  // namespace pyengine
