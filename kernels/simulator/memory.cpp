#include "kernels/simulator/memory.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "kernels/simulator/report.h"

namespace pyengine::simulator {
namespace {

constexpr std::size_t alignment = 256;  // as cudaMalloc
constexpr std::size_t margin = 4096;    // after every allocation, so that an access just past one lies in none

struct Memory {
    std::shared_mutex mutex;
    std::map<const std::byte*, std::unique_ptr<Allocation>> allocations;
    std::atomic<std::uint64_t> changes{0};
};

Memory& memory() {
    static Memory* instance = new Memory;  // leaked: arrays may outlive static destruction
    return *instance;
}

std::size_t offset_in(const Allocation& allocation, const void* address) {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - allocation.base);
}

bool inside(const Allocation& allocation, const std::byte* address) {
    return address >= allocation.base && address < allocation.base + allocation.bytes;
}

void enter(std::unique_ptr<Allocation> allocation) {
    Memory& m = memory();
    std::unique_lock lock(m.mutex);
    const std::byte* base = allocation->base;
    m.allocations.emplace(base, std::move(allocation));
    ++m.changes;
}

}  // namespace

void* allocate(std::size_t bytes) {
    const std::size_t room = (bytes + margin + alignment - 1) / alignment * alignment;
    auto* base = static_cast<std::byte*>(std::aligned_alloc(alignment, room));
    if (!base) return nullptr;
    enter(std::unique_ptr<Allocation>(new Allocation{base, bytes, Shadow(bytes)}));
    return base;
}

void adopt(std::byte* base, std::size_t bytes, Allocation::Kind kind) {
    std::unique_ptr<Allocation> allocation(new Allocation{base, bytes, Shadow(bytes), kind});
    allocation->shadow.mark_written(0, bytes);
    enter(std::move(allocation));
}

void deallocate(void* data) {
    Memory& m = memory();
    {
        std::unique_lock lock(m.mutex);
        m.allocations.erase(static_cast<std::byte*>(data));
        ++m.changes;
    }
    std::free(data);
}

Allocation* find_allocation(const void* address) {
    thread_local Allocation* last = nullptr;
    thread_local std::uint64_t last_changes = 0;
    Memory& m = memory();
    const auto* byte = static_cast<const std::byte*>(address);
    if (last && last_changes == m.changes && inside(*last, byte)) return last;
    std::shared_lock lock(m.mutex);
    auto after = m.allocations.upper_bound(byte);
    if (after == m.allocations.begin()) return nullptr;
    Allocation* found = std::prev(after)->second.get();
    if (!inside(*found, byte)) return nullptr;
    last = found;
    last_changes = m.changes;
    return found;
}

Nearby nearest_allocation(const void* address) {
    Memory& m = memory();
    std::shared_lock lock(m.mutex);
    const auto* byte = static_cast<const std::byte*>(address);
    const auto after = m.allocations.upper_bound(byte);
    Nearby nearest{margin, "in no array of the device"};
    if (after != m.allocations.begin()) {
        const Allocation& before = *std::prev(after)->second;
        const auto past = static_cast<std::size_t>(byte - (before.base + before.bytes));
        if (past < nearest.distance) nearest = {past, text(past, " bytes past the end of an array of ", before.bytes, " bytes")};
    }
    if (after != m.allocations.end()) {
        const auto ahead = static_cast<std::size_t>(after->first - byte);
        if (ahead < nearest.distance) nearest = {ahead, text(ahead, " bytes before an array of ", after->second->bytes, " bytes")};
    }
    return nearest;
}

void copy_to_device(void* to, const void* from, std::size_t bytes) {
    if (bytes == 0) return;
    std::memcpy(to, from, bytes);
    mark_written(to, bytes);
}

void mark_written(void* data, std::size_t bytes) {
    if (Allocation* allocation = find_allocation(data)) allocation->shadow.mark_written(offset_in(*allocation, data), bytes);
}

void copy_on_device(void* to, const void* from, std::size_t bytes) {
    if (bytes == 0) return;
    std::memmove(to, from, bytes);
    Allocation *target = find_allocation(to), *source = find_allocation(from);
    const std::size_t first = offset_in(*target, to), begin = offset_in(*source, from);
    target->shadow.copy_written(first, source->shadow, begin, bytes);
}

void copy_to_host(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
}

void check_device_memory(const char* call, const void* data, std::size_t bytes) {
    const Allocation* array = find_allocation(data);
    if (!array) throw SimulatorError(text("simulator: not in the device's memory: ", call, " of ", bytes, " bytes at address ", data));
    const std::size_t room = array->bytes - offset_in(*array, data);
    if (bytes > room)
        throw SimulatorError(text("simulator: out of bounds: ", call, " of ", bytes, " bytes, with ", room, " left in the array"));
}

void check_host_memory(const char* call, const void* data) {
    if (find_allocation(data))
        throw SimulatorError(text("simulator: not in the CPU's memory: ", call, " is given the device's for it; is the direction wrong?"));
}

void check_allocated(const char* call, const void* data) {
    const Allocation* array = find_allocation(data);
    if (!array || array->base != data || array->kind != Allocation::Kind::allocated)
        throw SimulatorError(text("simulator: not in the device's memory: ", call, " of address ", data, ", which no allocation gave"));
}

void check_written(const char* call, const void* data, std::size_t bytes) {
    Allocation* array = find_allocation(data);
    if (!array) return;
    const std::size_t first = offset_in(*array, data);
    for (std::size_t at = first; at < first + bytes; at = at / 4 * 4 + 4)
        if (array->shadow.written(at) == 0)
            throw SimulatorError(text("simulator: uninitialised memory: ", call, " of ", bytes, " bytes to the CPU: byte ", at,
                                      " of an array of ", array->bytes, " bytes is one that nothing has written"));
}

}  // namespace pyengine::simulator
