// What only a kernel can check, it checks in the device's memory: it leaves the position of what is wrong, or -1.
#pragma once

#include <cstdint>
#include <type_traits>

#include "csrc/ops.h"
#if defined(PYENGINE_HAS_cuda)
#include "csrc/cuda/stream.h"
#endif

namespace pyengine {

/// Calls fail(position, arguments...), which raises, unless -1 stands at `place`. Waits for the kernel; in work that is being recorded in a
/// CUDA graph nothing can wait, and the call comes when the CPU next waits after a replay.
template <typename... Arguments>
void check_position(const std::int64_t* place, Device device, void (*fail)(std::int64_t, const Arguments&...),
                    const std::type_identity_t<Arguments>&... arguments) {
    std::int64_t position = -1;
#if defined(PYENGINE_HAS_cuda)
    if (device.type == DeviceType::cuda && cuda::capturing())
        return cuda::check_after_replays(place, [=](std::int64_t found) { fail(found, arguments...); });
#endif
    copy_bytes(&position, {}, place, device, sizeof position);
    if (position >= 0) fail(position, arguments...);
}

/// The same for the first element of x, contiguous int64, that is outside [0, n) and not `exempt`: fail(position, x, arguments...).
template <typename... Arguments>
void check_inside(const Array& x, std::int64_t n, std::int64_t exempt, void (*fail)(std::int64_t, const Array&, const Arguments&...),
                  const std::type_identity_t<Arguments>&... arguments) {
    const Array position = ops::find_outside(x, n, exempt);
    check_position<Array, Arguments...>(position.data<std::int64_t>(), x.device(), fail, x, arguments...);
}

/// Element `position` of a contiguous int64 array.
inline std::int64_t element(const Array& x, std::int64_t position) { return to_device(x, {}).data<std::int64_t>()[position]; }

}  // namespace pyengine
