#include "csrc/storage.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <vector>

#include "csrc/check.h"
#if defined(PYENGINE_HAS_cuda)
#include "csrc/cuda/allocator.h"
#endif
#if defined(PYENGINE_HAS_simulator)
#include "kernels/simulator/memory.h"
#endif

namespace pyengine {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t cache_limit = std::size_t{1} << 30;

/// Blocks come in size classes, four to an octave, so that a freed block fits the next request of about its size.
std::size_t size_class(std::size_t bytes) {
    if (bytes <= alignment) return alignment;
    const std::size_t step = std::max(alignment, std::bit_floor(bytes) / 4);
    return (bytes + step - 1) / step * step;
}

/// Of a size class, counted from the smallest that could be.
std::size_t class_index(std::size_t size) {
    const auto octave = static_cast<std::size_t>(std::bit_width(size) - 1);
    return 4 * octave + ((size >> (octave - 2)) & 3);
}

struct Cache {
    std::mutex mutex;
    std::array<std::vector<void*>, 4 * std::numeric_limits<std::size_t>::digits> free_blocks;  // by class_index
    MemoryStats stats{};
};

Cache& cache() {
    static Cache* instance = new Cache;  // leaked: arrays may outlive static destruction
    return *instance;
}

void release_all(Cache& c) {
    for (auto& blocks : c.free_blocks) {
        for (void* block : blocks) std::free(block);
        blocks = {};
    }
    c.stats.cached = 0;
}

}  // namespace

void* cpu_allocator::allocate(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(PTRDIFF_MAX) - alignment * 1024)
        fail<OutOfMemoryError>("allocate: request exceeds the address space: ", bytes, " bytes; use smaller arrays");
    const std::size_t size = size_class(bytes);
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    void* block = nullptr;
    if (auto& blocks = c.free_blocks[class_index(size)]; !blocks.empty()) {
        block = blocks.back();
        blocks.pop_back();
        c.stats.cached -= size;
    } else {
        block = std::aligned_alloc(alignment, size);
        if (!block) {
            release_all(c);
            block = std::aligned_alloc(alignment, size);
        }
        if (!block)
            fail<OutOfMemoryError>("allocate: out of memory: asked for ", bytes, " bytes, arrays hold ", c.stats.in_use,
                                   " bytes; free some of them or use smaller ones");
    }
    c.stats.in_use += size;
    c.stats.peak = std::max(c.stats.peak, c.stats.in_use);
    return block;
}

void cpu_allocator::deallocate(void* data, std::size_t bytes) noexcept {
    const std::size_t size = size_class(bytes);
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    c.stats.in_use -= size;
    if (c.stats.cached + size > cache_limit) return std::free(data);
    c.free_blocks[class_index(size)].push_back(data);
    c.stats.cached += size;
}

MemoryStats cpu_allocator::stats() {
    std::lock_guard lock(cache().mutex);
    return cache().stats;
}

void cpu_allocator::empty_cache() {
    std::lock_guard lock(cache().mutex);
    release_all(cache());
}

namespace {

std::byte* allocate(std::size_t bytes, Device device) {
    switch (device.type) {
#if defined(PYENGINE_HAS_simulator)
        case DeviceType::simulator: {
            void* data = simulator::allocate(bytes);
            if (!data) fail<OutOfMemoryError>("allocate: out of memory: asked for ", bytes, " bytes on the simulator; use smaller arrays");
            return static_cast<std::byte*>(data);
        }
#endif
#if defined(PYENGINE_HAS_cuda)
        case DeviceType::cuda: return static_cast<std::byte*>(cuda::allocate(bytes, device.index));
#endif
        default: return static_cast<std::byte*>(cpu_allocator::allocate(bytes));
    }
}

void deallocate(std::byte* data, std::size_t bytes, Device device) {
    switch (device.type) {
#if defined(PYENGINE_HAS_simulator)
        case DeviceType::simulator: return simulator::deallocate(data);
#endif
#if defined(PYENGINE_HAS_cuda)
        case DeviceType::cuda: return cuda::deallocate(data);
#endif
        default: return cpu_allocator::deallocate(data, bytes);
    }
}

}  // namespace

Storage::Storage(std::size_t bytes, Device device) : data_(allocate(bytes, device)), bytes_(bytes), device_(device) {}

Storage::Storage(void* data, std::size_t bytes, std::function<void()> release, bool readonly, Device device)
    : data_(static_cast<std::byte*>(data)), bytes_(bytes), release_(std::move(release)), readonly_(readonly), device_(device) {}

Storage::~Storage() {
    if (release_)
        release_();
    else
        deallocate(data_, bytes_, device_);
}

}  // namespace pyengine
