// Small arrays from the CPU's memory to the device, in the order of the stream.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/cuda/cuda.h"

namespace pyengine::kernels {
namespace {

/// What the parameters of one kernel hold.
struct UploadChunk {
    static constexpr std::int64_t most = 500;
    std::int64_t values[most];
};

__global__ void write_chunk(const __grid_constant__ UploadChunk chunk, std::int64_t count, std::int64_t* to) {
    each_index(count, [&](std::int64_t i) { to[i] = chunk.values[i]; });
}

/// As parameters of kernels, so that a captured CUDA graph holds the values themselves.
[[maybe_unused]] void upload(const std::int64_t* from, std::int64_t count, std::int64_t* to) {
    for (std::int64_t done = 0; done < count; done += UploadChunk::most) {
        const std::int64_t now = std::min(count - done, UploadChunk::most);
        UploadChunk chunk{};
        std::memcpy(chunk.values, from + done, static_cast<std::size_t>(now) * sizeof *from);
        launch(write_chunk, shape_for(now, 128), chunk, now, to + done);
    }
}

}  // namespace
}  // namespace pyengine::kernels
