#include "kernels/simulator/access.h"

#include <dlfcn.h>

#include "kernels/simulator/memory.h"
#include "kernels/simulator/static_shared.h"

namespace pyengine::simulator {
namespace {

/// The memory an address lies in.
struct Place {
    Shadow* shadow = nullptr;
    const std::byte* base = nullptr;
    std::size_t bytes = 0;
    const char* name = nullptr;
};

const char* verb(AccessKind kind) {
    switch (kind) {
        case AccessKind::read: return "reads";
        case AccessKind::write: return "writes";
        case AccessKind::atomic: return "changes atomically";
        case AccessKind::atomic_write: return "sets atomically";
    }
    return "";
}

Block* block_of_shared(Thread& self, const std::byte* address) {
    const std::size_t bytes = self.block->cluster->launch.shape.shared_bytes;
    for (auto& block : self.block->cluster->blocks)
        if (block->shared && address >= block->shared && address < block->shared + bytes) return block.get();
    return nullptr;
}

Place place_of(Thread& self, const std::byte* address) {
    if (Block* owner = block_of_shared(self, address))
        return {owner->shared_shadow.get(), owner->shared, self.block->cluster->launch.shape.shared_bytes, "shared memory"};
    const Range statics = static_shared_range(self.block->cluster->launch.kernel);
    if (statics.holds(address)) {
        if (!self.block->static_shadow) self.block->static_shadow = std::make_unique<Shadow>(statics.bytes);
        return {self.block->static_shadow.get(), statics.base, statics.bytes, "shared memory"};
    }
    if (Allocation* allocation = find_allocation(address))
        return {&allocation->shadow, allocation->base, allocation->bytes, "global memory"};
    return {};
}

/// Tables in the program itself, as __constant__ memory is.
bool is_constant(const void* address) {
    Dl_info info;
    return dladdr(const_cast<void*>(address), &info) != 0;
}

std::string where(const Thread& self, const std::byte* address) {
    const std::byte* shared = self.block->shared;
    const std::size_t bytes = self.block->cluster->launch.shape.shared_bytes;
    if (shared && address >= shared + bytes && address < shared + bytes + 65536)
        return text(address - shared - static_cast<std::ptrdiff_t>(bytes), " bytes past the end of the block's ", bytes,
                    " bytes of shared memory");
    if (shared && address < shared && address + 65536 >= shared) return text(shared - address, " bytes before the block's shared memory");
    return nearest_allocation(address);
}

const void* code_of(const Access& access, const void* near) {
    const auto high = reinterpret_cast<std::uintptr_t>(near) & ~std::uintptr_t{0xffffffff};
    return reinterpret_cast<const void*>(high | access.code);
}

bool comes_before(const Access& access, const Thread& self) {
    if (access.cluster != self.block->cluster->id()) return self.knowledge.of(access.cluster, access.thread) >= access.clock;
    return access.thread == self.cluster_rank || self.knowledge.of(access.thread) >= access.clock;
}

std::string name_of(const Access& access, const Thread& self) {
    if (access.cluster == self.block->cluster->id()) return name_of(*self.block->cluster->threads()[access.thread]);
    return text("a thread of another block");
}

[[noreturn]] void fail_race(Thread& self, const Access& earlier, bool earlier_wrote, const Place& place, std::size_t offset,
                            AccessKind kind, const void* code) {
    self.block->cluster->fail(
        self, "race",
        text(verb(kind), " ", place.name, " (byte ", offset, ") at ", source_line(code), ", which ", name_of(earlier, self),
             earlier_wrote ? " wrote" : " read", " at ", source_line(code_of(earlier, code)), "; no barrier or fence orders the two"));
}

void keep(std::array<Access, Word::kept>& accesses, std::uint8_t& next, const Access& access) {
    for (Access& other : accesses)
        if (other.cluster == access.cluster && other.thread == access.thread) other.bytes &= static_cast<std::uint8_t>(~access.bytes);
    for (Access& other : accesses)
        if (other.bytes == 0) return void(other = access);
    accesses[next++ % Word::kept] = access;
}

/// The earlier access of the word that this one is not ordered after, or null.
const Access* conflict(const std::array<Access, Word::kept>& earlier, const Access& access, const Thread& self) {
    for (const Access& other : earlier)
        if ((other.bytes & access.bytes) && !(other.atomic && access.atomic) && !comes_before(other, self)) return &other;
    return nullptr;
}

struct WordAccess {
    std::size_t offset;  // of the word
    std::uint8_t bytes;  // of it
};

enum class Fault { none, uninitialised, race_with_read, race_with_write };

/// Keeps the access, unless there is a fault; `earlier` is then the other side of a race.
Fault enter_access(const Thread& self, Shadow& shadow, Shadow::Page& page, std::size_t offset, AccessKind kind, const Access& access,
                   Access& earlier) {
    const PageLock lock(page);
    Word& word = page.words[offset / 4 % Shadow::words_per_page];
    std::uint8_t& written = shadow.written(offset);
    const bool reads = kind == AccessKind::read || kind == AccessKind::atomic;
    if (reads && (access.bytes & ~written)) return Fault::uninitialised;
    if (const Access* other = conflict(word.writes, access, self)) return earlier = *other, Fault::race_with_write;
    if (kind == AccessKind::read) return keep(word.reads, word.next_read, access), Fault::none;
    if (const Access* other = conflict(word.reads, access, self)) return earlier = *other, Fault::race_with_read;
    written |= access.bytes;
    for (Access& other : word.writes) other.bytes &= static_cast<std::uint8_t>(~access.bytes);
    for (Access& other : word.reads) other.bytes &= static_cast<std::uint8_t>(~access.bytes);
    keep(word.writes, word.next_write, access);
    return Fault::none;
}

void check_word(Thread& self, const Place& place, WordAccess part, AccessKind kind, const void* code) {
    Cluster& cluster = *self.block->cluster;
    const Access access{cluster.id(),
                        self.clock,
                        static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(code)),
                        static_cast<std::uint16_t>(self.cluster_rank),
                        part.bytes,
                        kind >= AccessKind::atomic};
    Access earlier;
    const Fault fault =
        enter_access(self, *place.shadow, place.shadow->page(part.offset, cluster.launch.number), part.offset, kind, access, earlier);
    if (fault == Fault::none) return;
    if (fault == Fault::uninitialised)
        cluster.fail(self, "uninitialised memory",
                     text(verb(kind), " ", place.name, " (byte ", part.offset, ") at ", source_line(code), ", which nothing has written"));
    fail_race(self, earlier, fault == Fault::race_with_write, place, part.offset, kind, code);
}

}  // namespace

void check_access(Thread& self, const void* address, std::size_t bytes, AccessKind kind, const void* code) {
    if (self.fiber->holds(address)) return;  // its own registers and local memory
    const auto* first = static_cast<const std::byte*>(address);
    const Place place = place_of(self, first);
    Cluster& cluster = *self.block->cluster;
    if (!place.shadow) {
        if (kind == AccessKind::read && is_constant(address)) return;
        cluster.fail(self, "out of bounds", text(verb(kind), " ", bytes, " bytes at ", source_line(code), ", ", where(self, first)));
    }
    const auto offset = static_cast<std::size_t>(first - place.base);
    if (offset + bytes > place.bytes)
        cluster.fail(self, "out of bounds",
                     text(verb(kind), " ", bytes, " bytes at ", source_line(code), ", of which ", offset + bytes - place.bytes,
                          " lie past the end of ", place.bytes, " bytes of ", place.name));
    for (std::size_t at = offset; at < offset + bytes;) {
        const std::size_t word = at / 4 * 4, end = std::min(word + 4, offset + bytes);
        const auto mask = static_cast<std::uint8_t>(((1u << (end - at)) - 1) << (at - word));
        check_word(self, place, {word, mask}, kind, code);
        at = end;
    }
}

void fail_misaligned(Thread& self, const void* address, std::size_t bytes, const void* code) {
    self.block->cluster->fail(
        self, "misaligned access",
        text("touches ", bytes, " bytes at ", source_line(code), ", at address ", address, "; must be a multiple of ", bytes));
}

void check_stack(Thread& self, const void* code) {
    constexpr std::size_t reserve = 64 << 10;  // for the simulator's own calls
    const void* here = __builtin_frame_address(0);
    if (!self.fiber->holds(here) || self.fiber->room_below(here) > reserve) return;
    self.block->cluster->fail(
        self, "local memory",
        text("has no room left for local variables, at ", source_line(code), "; use smaller arrays, or less recursion"));
}

}  // namespace pyengine::simulator
