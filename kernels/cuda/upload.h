// Bytes from the CPU's memory to the device, in the order of the stream.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/cuda/cuda.h"

namespace pyengine::kernels {
namespace {

/// What the parameters of one kernel bring along.
template <int most>
struct UploadChunk {
    unsigned char bytes[most];
};

template <int most>
__global__ void write_chunk(const __grid_constant__ UploadChunk<most> chunk, std::int64_t count, unsigned char* to) {
    each_index(count, [&](std::int64_t i) { to[i] = chunk.bytes[i]; });
}

template <int most>
void upload_chunks(const unsigned char* from, std::int64_t bytes, unsigned char* to) {
    for (std::int64_t done = 0; done < bytes; done += most) {
        const std::int64_t now = std::min<std::int64_t>(bytes - done, most);
        UploadChunk<most> chunk{};
        std::memcpy(chunk.bytes, from + done, static_cast<std::size_t>(now));
        launch(write_chunk<most>, shape_for(now), chunk, now, to + done);
    }
}

/// As parameters of kernels, so that a captured CUDA graph holds the bytes themselves.
[[maybe_unused]] void upload_bytes(const void* from, std::int64_t bytes, void* to) {
    const auto* source = static_cast<const unsigned char*>(from);
    auto* target = static_cast<unsigned char*>(to);
    if (bytes <= 16)
        upload_chunks<16>(source, bytes, target);  // a number
    else
        upload_chunks<4000>(source, bytes, target);
}

[[maybe_unused]] void upload(const std::int64_t* from, std::int64_t count, std::int64_t* to) {
    upload_bytes(from, count * static_cast<std::int64_t>(sizeof *from), to);
}

}  // namespace
}  // namespace pyengine::kernels
