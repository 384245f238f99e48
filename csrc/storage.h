// A counted block of memory, and the caching allocator it comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "csrc/device.h"

namespace pyengine {

class Storage {
public:
    /// Owned memory, 64-byte aligned, uninitialised. Raises OutOfMemoryError.
    Storage(std::size_t bytes, Device device);
    /// Foreign memory; `release` runs when the last array over it goes.
    Storage(void* data, std::size_t bytes, std::function<void()> release, bool readonly, Device device = {});
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    std::byte* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }
    Device device() const { return device_; }
    bool readonly() const { return readonly_; }

    /// Counts in-place changes; every view of the storage sees the same number.
    std::uint64_t version() const { return version_; }
    void bump_version() { ++version_; }

private:
    std::byte* data_;
    std::size_t bytes_;
    std::function<void()> release_;
    bool readonly_ = false;
    Device device_;
    std::uint64_t version_ = 0;
};

/// Scratch for one kernel call, from the same cache; of no bytes, none.
class Workspace {
public:
    Workspace(std::size_t bytes, Device device) {
        if (bytes > 0) storage_.emplace(bytes, device);
    }
    void* data() const { return storage_ ? storage_->data() : nullptr; }

private:
    std::optional<Storage> storage_;
};

struct MemoryStats {
    std::size_t in_use, cached, peak;
};

namespace cpu_allocator {

void* allocate(std::size_t bytes);
void deallocate(void* data, std::size_t bytes) noexcept;
MemoryStats stats();
void empty_cache();

}  // namespace cpu_allocator
}  // namespace pyengine
