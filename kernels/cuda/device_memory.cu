#include "kernels/cuda/device_memory.h"
#include "kernels/cuda/upload.h"

namespace pyengine::kernels {
namespace {

__global__ void keep_first_position(const std::int64_t* from, std::int64_t* to) {
    if (*to < 0 && *from >= 0) *to = *from;
}

}  // namespace

template <>
void upload_bytes<level>(const void* from, std::int64_t bytes, void* to) {
    upload_bytes(from, bytes, to);
}

template <>
void keep_first<level>(const std::int64_t* from, std::int64_t* to) {
    launch(keep_first_position, {{1}, {1}}, from, to);
}

}  // namespace pyengine::kernels
