#include "csrc/cuda/allocator.h"

#include <bit>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "csrc/cuda/runtime.h"
#include "csrc/cuda/stream.h"

namespace pyengine::cuda {
namespace {

/// Where a block may be used again: a stream on a GPU, and for everybody or in one graph.
struct Place {
    int device;
    cudaStream_t stream;
    std::uint64_t pool;
    auto operator<=>(const Place&) const = default;
};

struct Block {
    Place place;
    std::size_t size;
    std::set<cudaStream_t> other_streams;
};

/// Freed, but work of other streams may still touch it.
struct Awaited {
    void* data;
    Block block;
    std::vector<std::unique_ptr<Event>> events;
};

struct Usage {
    std::size_t in_use = 0, cached = 0, peak = 0;
};

struct Cache {
    std::mutex mutex;
    std::unordered_map<void*, Block> used;
    std::map<Place, std::multimap<std::size_t, void*>> free_blocks;  // by size
    std::vector<Awaited> awaited;
    std::map<int, Usage> usage;
    std::set<std::uint64_t> released_pools;
    std::uint64_t pools = 0;
};

Cache& cache() {
    static Cache* instance = new Cache;  // leaked: arrays may outlive static destruction
    return *instance;
}

thread_local std::uint64_t pool_in_use = 0;

/// Without a cache every array has memory of its own, of exactly its size, so that compute-sanitizer sees where and when it ends. Graphs keep
/// theirs all the same: they run again in it.
bool caching() {
    static const bool result = [] {
        const char* wanted = std::getenv("PYENGINE_CUDA_CACHE");
        return !wanted || std::string_view(wanted) != "OFF";
    }();
    return result;
}

/// Blocks come in size classes, eight to an octave, multiples of 512 bytes, so that a freed block fits the next request of about its size.
std::size_t size_class(std::size_t bytes) {
    constexpr std::size_t least = 512;
    if (!caching()) return std::max<std::size_t>(bytes, 1);
    if (bytes <= least) return least;
    const std::size_t step = std::max(least, std::bit_floor(bytes) / 8);
    return (bytes + step - 1) / step * step;
}

cudaError_t allocate_from_driver(void** data, std::size_t size) {
    const NotCaptured allocation;
    const cudaError_t status = cudaMalloc(data, size);
    if (status == cudaErrorMemoryAllocation)
        cudaGetLastError();
    else
        check(status, "cudaMalloc");
    return status;
}

void give_back(Cache& c, int device, void* data, std::size_t size) {
    const NotCaptured release;
    cudaFree(data);
    c.usage[device].cached -= size;
}

void keep(Cache& c, void* data, const Block& block) {
    const auto& [device, stream, pool] = block.place;
    Usage& usage = c.usage[device];
    usage.in_use -= block.size;
    usage.cached += block.size;
    if (pool == 0 ? !caching() : c.released_pools.contains(pool)) return give_back(c, device, data, block.size);
    c.free_blocks[block.place].emplace(block.size, data);
}

void collect_awaited(Cache& c) {
    std::erase_if(c.awaited, [&](Awaited& a) {
        for (const auto& event : a.events)
            if (!event->query()) return false;
        keep(c, a.data, a.block);
        return true;
    });
}

void release_cached(Cache& c, int device) {
    for (auto& [place, blocks] : c.free_blocks) {
        if (place.device != device || place.pool != 0) continue;  // a graph runs again in its own blocks
        for (const auto& [size, data] : blocks) give_back(c, device, data, size);
        blocks.clear();
    }
}

[[noreturn]] void fail_out_of_memory(Cache& c, std::size_t bytes, int device) {
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    const Usage& usage = c.usage[device];
    fail<OutOfMemoryError>("allocate: out of memory on cuda:", device, ": asked for ", bytes, " bytes; arrays hold ", usage.in_use,
                           ", the cache ", usage.cached, ", free are ", free, " of ", total, "; free some arrays or use smaller ones");
}

void* take_cached(Cache& c, const Place& place, std::size_t size) {
    auto& blocks = c.free_blocks[place];
    const auto found = blocks.find(size);
    if (found == blocks.end()) return nullptr;
    void* data = found->second;
    blocks.erase(found);
    c.usage[place.device].cached -= size;
    return data;
}

}  // namespace

void* allocate(std::size_t bytes, int device) {
    const DeviceGuard guard(device);
    const std::size_t size = size_class(bytes);
    const cudaStream_t stream = current_stream();
    const Place place{device, stream, stream ? pool_in_use : 0};  // the default stream is never recorded
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    if (!capturing()) collect_awaited(c);
    void* data = take_cached(c, place, size);
    if (!data && allocate_from_driver(&data, size) != cudaSuccess) {
        if (capturing()) fail_out_of_memory(c, bytes, device);
        cudaDeviceSynchronize();
        collect_awaited(c);
        release_cached(c, device);
        if (allocate_from_driver(&data, size) != cudaSuccess) fail_out_of_memory(c, bytes, device);
    }
    Usage& usage = c.usage[device];
    usage.in_use += size;
    usage.peak = std::max(usage.peak, usage.in_use);
    c.used.emplace(data, Block{place, size, {}});
    return data;
}

void deallocate(void* data) noexcept {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    const auto found = c.used.find(data);
    if (found == c.used.end()) return;
    Block block = std::move(found->second);
    c.used.erase(found);
    if (block.other_streams.empty()) return keep(c, data, block);
    if (pool_in_use != 0) {  // nothing waits for recorded work: no recorded stream gets the block, and it goes with the graph
        block.place = {block.place.device, nullptr, pool_in_use};
        return keep(c, data, block);
    }
    try {
        Awaited waiting{data, block, {}};
        for (cudaStream_t stream : block.other_streams) {
            waiting.events.push_back(std::make_unique<Event>(false));
            waiting.events.back()->record(stream, block.place.device);
        }
        waiting.block.other_streams.clear();
        c.awaited.push_back(std::move(waiting));
    } catch (const std::exception&) {
        // The GPU has failed, and whoever asks it for anything is told so; the block is not used again.
    }
}

void forget_stream(cudaStream_t stream) {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    for (auto& [data, block] : c.used) block.other_streams.erase(stream);
}

void record_stream(void* data, cudaStream_t stream) {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    const auto found = c.used.find(data);
    if (found != c.used.end() && found->second.place.stream != stream) found->second.other_streams.insert(stream);
}

MemoryStats memory_stats(int device) {
    const DeviceGuard guard(device);
    MemoryStats stats{};
    check(cudaMemGetInfo(&stats.free, &stats.total), "cudaMemGetInfo");
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    const Usage& usage = c.usage[device];
    stats.in_use = usage.in_use;
    stats.cached = usage.cached;
    stats.peak = usage.peak;
    return stats;
}

void reset_peak(int device) {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    c.usage[device].peak = c.usage[device].in_use;
}

void empty_cache(int device) {
    synchronize(device);
    const DeviceGuard guard(device);
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    collect_awaited(c);
    release_cached(c, device);
}

std::uint64_t new_pool() {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    return ++c.pools;
}

void use_pool(std::uint64_t pool) { pool_in_use = pool; }

void release_pool(std::uint64_t pool) {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    c.released_pools.insert(pool);
    for (auto& [place, blocks] : c.free_blocks) {
        if (place.pool != pool) continue;
        for (const auto& [size, data] : blocks) give_back(c, place.device, data, size);
        blocks.clear();
    }
}

void* allocate_pinned(std::size_t bytes) {
    const NotCaptured allocation;
    void* data = nullptr;
    const cudaError_t status = cudaHostAlloc(&data, std::max<std::size_t>(bytes, 1), cudaHostAllocDefault);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        fail<OutOfMemoryError>("pin_memory: out of memory: asked for ", bytes, " bytes of pinned memory; use less");
    }
    check(status, "cudaHostAlloc");
    return data;
}

void deallocate_pinned(void* data) noexcept {
    const NotCaptured release;
    cudaFreeHost(data);
}

namespace {

/// Memory of the CPU that the driver copies out of before cudaMemcpyAsync returns.
bool pageable(const void* data) {
    cudaPointerAttributes where{};
    check(cudaPointerGetAttributes(&where, data), "cudaPointerGetAttributes");
    return where.type == cudaMemoryTypeUnregistered;
}

}  // namespace

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes, bool wait) {
    const bool between_gpus = to_device.type == from_device.type, within = to_device == from_device;
    if (wait && !within && capturing())
        fail<CudaError>("graph: a copy from ", from_device, " to ", to_device, " cannot be recorded: ", bytes,
                        " bytes; nothing inside pe.cuda.graph may wait");
    if (between_gpus && !within) synchronize(from_device.index);
    const DeviceGuard guard(to_device.type == DeviceType::cuda ? to_device.index : from_device.index);
    const cudaStream_t stream = current_stream();
    const bool done_on_return = to_device.type == DeviceType::cuda && !between_gpus && pageable(from);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
    if (!wait || within || done_on_return) return;
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    raise_faults_of_replays();
}

}  // namespace pyengine::cuda
