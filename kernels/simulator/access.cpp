#include "kernels/simulator/access.h"

#include <algorithm>
#include <utility>

#include "kernels/simulator/interrupt.h"
#include "kernels/simulator/memory.h"
#include "kernels/simulator/static_shared.h"
#include "kernels/simulator/trace.h"
#include "kernels/simulator/variables.h"

namespace pyengine::simulator {
namespace {

/// The memory an address lies in.
struct Place {
    Shadow* shadow = nullptr;
    const std::byte* base = nullptr;
    std::size_t bytes = 0;
    bool shared = false, constant = false;

    const char* name() const { return shared ? "shared memory" : "global memory"; }
};

bool is_atomic(AccessKind kind) { return kind >= AccessKind::atomic; }

const char* verb(AccessKind kind) {
    switch (kind) {
        case AccessKind::read: return "reads";
        case AccessKind::write: return "writes";
        case AccessKind::atomic: return "changes atomically";
        case AccessKind::volatile_read: return "reads as volatile";
        case AccessKind::volatile_write: return "writes as volatile";
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
        return {owner->shared_shadow.get(), owner->shared, self.block->cluster->launch.shape.shared_bytes, true};
    const Range statics = static_shared_range(self.block->cluster->launch.kernel);
    if (statics.holds(address)) {
        if (!self.block->static_shadow) self.block->static_shadow = std::make_unique<Shadow>(statics.bytes);
        return {self.block->static_shadow.get(), statics.base, statics.bytes, true};
    }
    if (Allocation* array = find_allocation(address))
        return {&array->shadow, array->base, array->bytes, false, array->kind == Allocation::Kind::constant};
    return {};
}

Touch touch_of(const Thread& self, std::size_t offset, std::size_t bytes, AccessKind kind) {
    const Dim3 at = self.block->index, grid = self.block->cluster->launch.shape.grid;
    const std::uint64_t block = (std::uint64_t{at.z} * grid.y + at.y) * grid.x + at.x;
    return {block, self.rank, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(bytes), writes(kind)};
}

/// The array or the shared memory that an address is nearest to.
std::string where(const Thread& self, const std::byte* address) {
    constexpr std::size_t gap = 64;  // before each variable of the device: pyengine/simulator/translation.py
    const Nearby array = nearest_allocation(address);
    if (array.distance >= gap && is_variable_of_cpu(address))
        return "in a variable of the CPU; copy it to the device, or declare it __device__";
    const std::byte* shared = self.block->shared;
    const std::size_t bytes = self.block->cluster->launch.shape.shared_bytes;
    if (!shared) return array.text;
    if (address < shared) {
        const auto ahead = static_cast<std::size_t>(shared - address);
        return ahead < array.distance ? text(ahead, " bytes before the block's shared memory") : array.text;
    }
    const auto past = static_cast<std::size_t>(address - shared) - bytes;
    return past < array.distance ? text(past, " bytes past the end of the block's ", bytes, " bytes of shared memory") : array.text;
}

const void* code_of(const Access& access, const void* near) {
    const auto high = reinterpret_cast<std::uintptr_t>(near) & ~std::uintptr_t{0xffffffff};
    return reinterpret_cast<const void*>(high | access.code);
}

bool comes_before(const Access& access, const Actor& actor) {
    if (access.cluster != actor.thread.block->cluster->id()) return actor.knowledge.of(access.cluster, access.thread) >= access.clock;
    if (access.thread == actor.own || (access.thread == actor.id && access.clock == actor.clock)) return true;
    return actor.knowledge.of(access.thread) >= access.clock;
}

/// Whether the writer has made what it wrote visible to asynchronous operations, and this one knows of that.
bool is_proxy_fenced(const Access& write, const Actor& actor, bool shared) {
    const Cluster& cluster = *actor.thread.block->cluster;
    if (write.cluster != cluster.id() || write.thread >= cluster.thread_count()) return true;
    const Thread& writer = *cluster.threads()[write.thread];
    const auto& fences = shared ? writer.shared_proxy_fences : writer.global_proxy_fences;
    const auto fence = std::lower_bound(fences.begin(), fences.end(), write.clock);
    return fence != fences.end() && (write.thread == actor.own || actor.knowledge.of(write.thread) >= *fence);
}

bool is_asynchronous(const Access& access, const Actor& actor) {
    const Cluster& cluster = *actor.thread.block->cluster;
    return access.cluster == cluster.id() && access.thread >= cluster.thread_count();
}

std::string name_of(const Access& access, const Actor& actor) {
    const Cluster& cluster = *actor.thread.block->cluster;
    if (access.cluster != cluster.id())
        return access.thread < cluster.thread_count() ? name_of(cluster.launch.shape, access.cluster - 1, access.thread)
                                                      : "an asynchronous operation of another block";
    if (!is_asynchronous(access, actor)) return name_of(*cluster.threads()[access.thread]);
    const Operation& operation = cluster.agents.operation(access.thread);
    return text("a ", operation.what, " of ", name_of(*operation.issuer));
}

/// "writes shared memory (byte 8) at softmax.cu:41", or what does it in the thread's place.
std::string deed(const Actor& actor, const Place& place, std::size_t offset, AccessKind kind, const void* code) {
    return text(actor.what ? text("its ", actor.what, " ") : "", verb(kind), " ", place.name(), " (byte ", offset, ") at ",
                source_line(code));
}

[[noreturn]] void fail_race(const Actor& actor, const Access& earlier, bool earlier_wrote, const Place& place, std::size_t offset,
                            AccessKind kind, const void* code) {
    const bool waited = !is_asynchronous(earlier, actor), atomic = is_atomic(kind);
    const char* did = earlier_wrote ? waited ? "wrote" : "writes" : waited ? "read" : "reads";
    actor.thread.block->cluster->fail(
        actor.thread, waited ? "race" : "missing wait",
        text(deed(actor, place, offset, kind, code), ", which ", name_of(earlier, actor), ' ', did,
             earlier.atomic ? " as atomic or volatile at " : " at ", source_line(code_of(earlier, code)),
             !waited                    ? "; nothing has waited for that asynchronous operation"
             : earlier.atomic && atomic ? "; lanes of a warp do not run in step, and no __syncwarp orders the two"
             : earlier.atomic || atomic ? "; no barrier or fence orders the two, of which one is an ordinary access"
                                        : "; no barrier or fence orders the two"));
}

void keep(std::array<Access, Word::kept>& accesses, std::uint8_t& next, const Access& access) {
    for (Access& other : accesses)
        if (other.cluster == access.cluster && other.thread == access.thread && (other.atomic || !access.atomic))
            other.bytes &= static_cast<std::uint8_t>(~access.bytes);
    for (Access& other : accesses)
        if (other.bytes == 0) return void(other = access);
    accesses[next++ % Word::kept] = access;
}

/// The earlier access of the word that this one is not ordered after, or null.
const Access* conflict(const std::array<Access, Word::kept>& earlier, const Access& access, const Actor& actor) {
    for (const Access& other : earlier)
        if ((other.bytes & access.bytes) && !(other.atomic && access.atomic) && !comes_before(other, actor)) return &other;
    return nullptr;
}

/// A volatile read of another lane of the warp that no order puts before this volatile write: they rely on lanes that run in step. Not of a
/// lane that still looks there, as in a loop over a flag.
const Access* read_in_step(const Word& word, const Access& access, const Actor& actor, const std::byte* address) {
    const auto eight = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) / 8; };
    const Cluster& cluster = *actor.thread.block->cluster;
    for (const Access& read : word.reads) {
        if (!(read.bytes & access.bytes) || read.cluster != access.cluster || comes_before(read, actor)) continue;
        if (is_asynchronous(read, actor)) continue;
        const Thread& reader = *cluster.threads()[read.thread];
        if (reader.warp == actor.thread.warp && eight(reader.looked_at) != eight(address)) return &read;
    }
    return nullptr;
}

struct WordAccess {
    std::size_t offset;  // of the word
    std::uint8_t bytes;  // of it
};

enum class Fault { none, uninitialised, race_with_read, race_with_write, unfenced };

/// Keeps the access, unless there is a fault; `earlier` is then its other side.
Fault enter_access(const Actor& actor, const Place& place, std::size_t offset, AccessKind kind, const Access& access, Access& earlier) {
    Shadow::Page& page = place.shadow->page(offset, actor.thread.block->cluster->launch.number);
    const PageLock lock(page);
    Word& word = page.words[offset / 4 % Shadow::words_per_page];
    std::uint8_t& written = place.shadow->written(offset);
    if ((kind == AccessKind::atomic || !writes(kind)) && (access.bytes & ~written)) return Fault::uninitialised;
    if (const Access* other = conflict(word.writes, access, actor)) return earlier = *other, Fault::race_with_write;
    if (actor.async_proxy)
        for (const Access& write : word.writes)
            if ((write.bytes & access.bytes) && !is_proxy_fenced(write, actor, place.shared)) return earlier = write, Fault::unfenced;
    if (!writes(kind)) return keep(word.reads, word.next_read, access), Fault::none;
    if (const Access* other = conflict(word.reads, access, actor)) return earlier = *other, Fault::race_with_read;
    if (kind == AccessKind::volatile_write && place.shared)
        if (const Access* read = read_in_step(word, access, actor, place.base + offset)) return earlier = *read, Fault::race_with_read;
    written |= access.bytes;
    for (Access& other : word.writes) other.bytes &= static_cast<std::uint8_t>(~access.bytes);
    for (Access& other : word.reads) other.bytes &= static_cast<std::uint8_t>(~access.bytes);
    keep(word.writes, word.next_write, access);
    return Fault::none;
}

void check_word(const Actor& actor, const Place& place, WordAccess part, AccessKind kind, const void* code) {
    Cluster& cluster = *actor.thread.block->cluster;
    const Access access{cluster.id(), actor.clock, static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(code)),
                        actor.id,     part.bytes,  is_atomic(kind)};
    Access earlier;
    const Fault fault = enter_access(actor, place, part.offset, kind, access, earlier);
    if (fault == Fault::none) return;
    if (fault == Fault::uninitialised)
        cluster.fail(actor.thread, "uninitialised memory",
                     text(deed(actor, place, part.offset, kind, code), ", which nothing has written"));
    if (fault == Fault::unfenced)
        cluster.fail(actor.thread, "missing proxy fence",
                     text(deed(actor, place, part.offset, kind, code), ", which ", name_of(earlier, actor), " wrote at ",
                          source_line(code_of(earlier, code)),
                          "; the writer needs fence.proxy.async, and then a barrier, before asynchronous operations"));
    fail_race(actor, earlier, fault == Fault::race_with_write, place, part.offset, kind, code);
}

}  // namespace

void check_access(const Actor& actor, const void* address, std::size_t bytes, AccessKind kind, const void* code) {
    const auto* first = static_cast<const std::byte*>(address);
    const Place place = place_of(actor.thread, first);
    Cluster& cluster = *actor.thread.block->cluster;
    const auto what = [&] { return text(actor.what ? text("its ", actor.what, " ") : "", verb(kind), " ", bytes, " bytes at "); };
    if (!place.shadow) {
        if (!writes(kind) && is_constant(address)) return;
        cluster.fail(actor.thread, "out of bounds", text(what(), source_line(code), ", ", where(actor.thread, first)));
    }
    if (place.constant && writes(kind))
        cluster.fail(actor.thread, "read-only memory", text(what(), source_line(code), ", of a variable declared __constant__"));
    Block* const owner = block_of_shared(actor.thread, first);
    if (owner && owner->alive == 0)
        cluster.fail(actor.thread, "out of bounds", text(what(), source_line(code), ", in the shared memory of a block that has ended"));
    const auto offset = static_cast<std::size_t>(first - place.base);
    if (offset + bytes > place.bytes)
        cluster.fail(actor.thread, "out of bounds",
                     text(what(), source_line(code), ", of which ", offset + bytes - place.bytes, " lie past the end of ", place.bytes,
                          " bytes of ", place.name()));
    if (kind == AccessKind::write || kind == AccessKind::volatile_write) cluster.note_change();
    if (owner && writes(kind)) owner->layouts.forget(offset, bytes);
    if (tracing() && place.shared) note(touch_of(actor.thread, offset, bytes, kind));
    for (std::size_t at = offset; at < offset + bytes;) {
        const std::size_t word = at / 4 * 4, end = std::min(word + 4, offset + bytes);
        const auto mask = static_cast<std::uint8_t>(((1u << (end - at)) - 1) << (at - word));
        check_word(actor, place, {word, mask}, kind, code);
        at = end;
    }
}

void check_access(Thread& self, const void* address, std::size_t bytes, AccessKind kind, const void* code) {
    end_if_interrupted(self, code);
    if (self.fiber->holds(address)) return;
    const auto id = static_cast<std::uint16_t>(self.cluster_rank);
    check_access(Actor{self, id, self.clock, self.knowledge, id}, address, bytes, kind, code);
    const void* before = std::exchange(self.read_at, kind == AccessKind::read ? address : nullptr);
    if (before == address) look(self, code);
}

void look(Thread& self, const void* code) {
    constexpr unsigned looks_before_turn = 64;
    self.branches = 0;
    if ((self.looks + 1) % looks_before_turn == 0)
        self.block->cluster->yield(self, code);
    else
        ++self.looks;
}

void branch(Thread& self, const void* code) {
    constexpr unsigned branches_before_turn = 1 << 16;
    end_if_interrupted(self, code);
    if (++self.branches < branches_before_turn) return;
    self.branches = 0;
    self.block->cluster->note_change();  // it may as well compute
    self.block->cluster->yield(self, code);
}

Block* owner_of_shared(Thread& self, const void* address) {
    const auto* byte = static_cast<const std::byte*>(address);
    if (Block* owner = block_of_shared(self, byte)) return owner;
    return static_shared_range(self.block->cluster->launch.kernel).holds(byte) ? self.block : nullptr;
}

void fail_misaligned(Thread& self, const void* address, std::size_t bytes, const void* code) {
    self.block->cluster->fail(
        self, "misaligned access",
        text("touches ", bytes, " bytes at ", source_line(code), ", at address ", address, "; must be a multiple of ", bytes));
}

void end_if_interrupted(Thread& self, const void* code) {
    if (interrupted()) self.block->cluster->fail(self, "interrupted", text("is at ", source_line(code)));
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
