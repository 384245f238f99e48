#include "kernels/simulator/cuda.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "kernels/simulator/access.h"
#include "kernels/simulator/sync.h"

using pyengine::simulator::Cluster;
using pyengine::simulator::current_thread;
using pyengine::simulator::Thread;
namespace simulator = pyengine::simulator;

namespace pyengine::simulator {

Dim3 thread_index() { return current_thread()->index; }
Dim3 block_index() { return current_thread()->block->index; }
Dim3 block_size() { return current_thread()->block->cluster->launch.shape.block; }
void* shared_memory() { return current_thread()->block->shared; }
Dim3 grid_size() { return current_thread()->block->cluster->launch.shape.grid; }

namespace {

struct Exchanged {
    std::uint64_t given, taken;
    int from;
};

/// The lane whose value a lane takes, of its group of `width` lanes; its own where there is none.
int source_lane(Shuffle how, int lane, int argument, int width) {
    const int first = lane / width * width, last = first + width - 1;
    const int from = how == Shuffle::index  ? first + (argument & (width - 1))
                     : how == Shuffle::up   ? lane - argument
                     : how == Shuffle::down ? lane + argument
                                            : lane ^ argument;
    return from < first || from > last ? lane : from;
}

}  // namespace

std::uint64_t shuffle(Shuffle how, std::uint32_t mask, std::uint64_t value, int argument, int width, const void* code) {
    Thread& self = *current_thread();
    Exchanged own{value, value, source_lane(how, static_cast<int>(self.lane()), argument, width)};
    bool missing = false;
    warp_meeting("a shuffle", mask, &own, false, code, [](void* const(&payloads)[32]) {
        for (void* payload : payloads) {
            if (!payload) continue;
            auto& lane = *static_cast<Exchanged*>(payload);
            const void* from = payloads[lane.from];
            lane.taken = from ? static_cast<const Exchanged*>(from)->given : ~std::uint64_t{0};
            if (!from) lane.from = -1;
        }
    });
    missing = own.from < 0;
    if (missing)
        self.block->cluster->fail(self, "wrong mask",
                                  text("takes a value from a lane that takes no part in the shuffle at ", source_line(code)));
    return own.taken;
}

namespace {

/// Calls `combine` with every lane's value, in order; the results are each lane's own.
template <typename T, typename Combine>
T vote(const char* what, unsigned mask, T value, const void* code, Combine combine) {
    T own = value;
    warp_meeting(what, mask, &own, false, code, [&](void* const(&payloads)[32]) { combine(payloads); });
    return own;
}

template <typename T, typename Fold>
T reduced(const char* what, unsigned mask, T value, const void* code, Fold fold) {
    return vote(what, mask, value, code, [&](void* const(&payloads)[32]) {
        T total{};
        bool first = true;
        for (void* payload : payloads) {
            if (!payload) continue;
            total = first ? *static_cast<T*>(payload) : fold(total, *static_cast<T*>(payload));
            first = false;
        }
        for (void* payload : payloads)
            if (payload) *static_cast<T*>(payload) = total;
    });
}

unsigned ballot(const char* what, unsigned mask, int predicate, const void* code) {
    const unsigned bit = predicate ? 1u << current_thread()->lane() : 0;
    return reduced(what, mask, bit, code, [](unsigned a, unsigned b) { return a | b; });
}

}  // namespace
}  // namespace pyengine::simulator

void __syncthreads() { simulator::block_barrier(__builtin_return_address(0)); }
void __syncwarp(unsigned mask) {
    simulator::warp_meeting("__syncwarp", mask, nullptr, true, __builtin_return_address(0), [](void* const(&)[32]) {});
}
void __threadfence() { simulator::memory_fence(); }
void __threadfence_block() { simulator::memory_fence(); }
void __threadfence_system() { simulator::memory_fence(); }
void __nanosleep(unsigned) { current_thread()->block->cluster->yield(*current_thread(), __builtin_return_address(0)); }
void simulator::fail_assertion(const char* condition, const char* file, unsigned line) {
    const char* name = std::strrchr(file, '/');
    const std::string what = simulator::text(condition, ", at ", name ? name + 1 : file, ":", line);
    if (Thread* self = current_thread()) self->block->cluster->fail(*self, "assertion failed", what);
    std::fprintf(stderr, "assertion failed: %s\n", what.c_str());
    std::abort();
}

void __trap() {
    Thread& self = *current_thread();
    self.block->cluster->fail(self, "trap", simulator::text("__trap at ", simulator::source_line(__builtin_return_address(0))));
}

unsigned __activemask() { return 1u << current_thread()->lane(); }  // what may be assumed of it: that the lane itself is active
int __all_sync(unsigned mask, int predicate) {
    return simulator::reduced("__all_sync", mask, predicate != 0 ? 1 : 0, __builtin_return_address(0), [](int a, int b) { return a & b; });
}
int __any_sync(unsigned mask, int predicate) {
    return simulator::reduced("__any_sync", mask, predicate != 0 ? 1 : 0, __builtin_return_address(0), [](int a, int b) { return a | b; });
}
unsigned __ballot_sync(unsigned mask, int predicate) {
    return simulator::ballot("__ballot_sync", mask, predicate, __builtin_return_address(0));
}
unsigned __reduce_add_sync(unsigned mask, unsigned value) {
    return simulator::reduced("__reduce_add_sync", mask, value, __builtin_return_address(0), std::plus<unsigned>());
}
int __reduce_add_sync(unsigned mask, int value) {
    return static_cast<int>(
        simulator::reduced("__reduce_add_sync", mask, static_cast<unsigned>(value), __builtin_return_address(0), std::plus<unsigned>()));
}
unsigned __reduce_min_sync(unsigned mask, unsigned value) {
    return simulator::reduced("__reduce_min_sync", mask, value, __builtin_return_address(0), [](auto a, auto b) { return std::min(a, b); });
}
unsigned __reduce_max_sync(unsigned mask, unsigned value) {
    return simulator::reduced("__reduce_max_sync", mask, value, __builtin_return_address(0), [](auto a, auto b) { return std::max(a, b); });
}
unsigned __reduce_and_sync(unsigned mask, unsigned value) {
    return simulator::reduced("__reduce_and_sync", mask, value, __builtin_return_address(0), std::bit_and<unsigned>());
}
unsigned __reduce_or_sync(unsigned mask, unsigned value) {
    return simulator::reduced("__reduce_or_sync", mask, value, __builtin_return_address(0), std::bit_or<unsigned>());
}
unsigned __reduce_xor_sync(unsigned mask, unsigned value) {
    return simulator::reduced("__reduce_xor_sync", mask, value, __builtin_return_address(0), std::bit_xor<unsigned>());
}
unsigned __match_any_sync(unsigned mask, unsigned value) {
    return simulator::vote("__match_any_sync", mask, value, __builtin_return_address(0), [](void* const(&payloads)[32]) {
        unsigned values[32] = {}, equal[32] = {};
        for (int i = 0; i < 32; ++i) values[i] = payloads[i] ? *static_cast<unsigned*>(payloads[i]) : 0;
        for (int i = 0; i < 32; ++i)
            for (int j = 0; j < 32; ++j)
                if (payloads[i] && payloads[j] && values[i] == values[j]) equal[i] |= 1u << j;
        for (int i = 0; i < 32; ++i)
            if (payloads[i]) *static_cast<unsigned*>(payloads[i]) = equal[i];
    });
}

namespace {

int block_vote(int predicate, int (*fold)(int, int), const void* code) {
    Thread& self = *current_thread();
    auto& votes = self.block->votes;
    votes.push_back(predicate != 0);
    simulator::block_barrier(code);
    int result = votes.front();
    for (std::size_t i = 1; i < votes.size(); ++i) result = fold(result, votes[i]);
    if (++self.block->votes_seen == votes.size()) {  // by the last: the first may go on to its next vote before others leave this one
        votes.clear();
        self.block->votes_seen = 0;
    }
    simulator::block_barrier(code);
    return result;
}

}  // namespace

int __syncthreads_count(int predicate) {
    return block_vote(predicate, [](int a, int b) { return a + b; }, __builtin_return_address(0));
}
int __syncthreads_and(int predicate) {
    return block_vote(predicate, [](int a, int b) { return a & b; }, __builtin_return_address(0));
}
int __syncthreads_or(int predicate) {
    return block_vote(predicate, [](int a, int b) { return a | b; }, __builtin_return_address(0));
}
