// The caching allocator of GPU memory. Blocks are kept by the stream they were asked on: what the stream was given before a block was freed
// runs before what it is given afterwards, so the block can go to the next array at once, without waiting.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "csrc/device.h"

namespace pyengine::cuda {

/// On the thread's current stream. Raises OutOfMemoryError with what was asked, held and free, after giving cached blocks back.
void* allocate(std::size_t bytes, int device);
void deallocate(void* data) noexcept;

/// The array is used on this stream, too: its memory is not handed out again before that work is done.
void record_stream(void* data, cudaStream_t stream);
/// The stream has done its work and ends.
void forget_stream(cudaStream_t stream);

struct MemoryStats {
    // Bytes. In use are those of arrays, and of arrays that are gone but for work of other streams; free and total: as the driver says.
    std::size_t in_use, cached, peak, free, total;
};
MemoryStats memory_stats(int device);
void reset_peak(int device);
void empty_cache(int device);

/// Memory of a graph's own: while the thread uses the pool, allocate takes from it. Pool 0 is everybody's.
std::uint64_t new_pool();
void use_pool(std::uint64_t pool);
/// Its blocks go back to the driver when their arrays are gone; until then replays of the graph may write to them.
void release_pool(std::uint64_t pool);

/// Memory of the CPU that the GPU can read and write while both go on.
void* allocate_pinned(std::size_t bytes);
void deallocate_pinned(void* data) noexcept;

/// On the current stream; waits until the CPU's memory may change, unless it is pinned and `wait` is false.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes, bool wait = true);

}  // namespace pyengine::cuda
