// CUDA C++ as kernels see it, for the C++ compiler: keywords, indices, and the functions of the language that synchronise, exchange and
// count. Semantics: NVIDIA, CUDA C++ Programming Guide 13.0, chapter 10.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/simulator/arithmetic.h"
#include "kernels/simulator/atomics.h"
#include "kernels/simulator/report.h"
#include "kernels/simulator/vectors.h"

// The keywords. A block's threads are fibers of one thread of the machine, so what is local to that one is shared among them.
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __managed__
#define __shared__ thread_local
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__

namespace pyengine::simulator {

Dim3 thread_index();
Dim3 block_index();
Dim3 block_size();
Dim3 grid_size();
void* shared_memory();  // dynamic, of the block

enum class Shuffle { index, up, down, exclusive_or };
std::uint64_t shuffle(Shuffle how, std::uint32_t mask, std::uint64_t value, int lane, int width, const void* code);

template <typename T>
__attribute__((no_sanitize("thread"))) inline T shuffled(Shuffle how, unsigned mask, T value, int lane, int width, const void* code) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    std::uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = shuffle(how, mask, bits, lane, width, code);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/// A report from a kernel; elsewhere the end of the process.
[[noreturn]] void fail_assertion(const char* condition, const char* file, unsigned line);

}  // namespace pyengine::simulator

#define threadIdx (::pyengine::simulator::thread_index())
#define blockIdx (::pyengine::simulator::block_index())
#define blockDim (::pyengine::simulator::block_size())
#define gridDim (::pyengine::simulator::grid_size())

using dim3 = ::pyengine::simulator::Dim3;
inline constexpr int warpSize = 32;

// Barriers, fences, votes, exchanges ---------------------------------------------------------------------------------------------------------

void __syncthreads();
int __syncthreads_count(int predicate);
int __syncthreads_and(int predicate);
int __syncthreads_or(int predicate);
void __syncwarp(unsigned mask = 0xffffffffu);
void __threadfence();
void __threadfence_block();
void __threadfence_system();
void __nanosleep(unsigned nanoseconds);
[[noreturn]] void __trap();

unsigned __activemask();
int __all_sync(unsigned mask, int predicate);
int __any_sync(unsigned mask, int predicate);
unsigned __ballot_sync(unsigned mask, int predicate);
unsigned __reduce_add_sync(unsigned mask, unsigned value);
int __reduce_add_sync(unsigned mask, int value);
unsigned __reduce_min_sync(unsigned mask, unsigned value);
unsigned __reduce_max_sync(unsigned mask, unsigned value);
unsigned __reduce_and_sync(unsigned mask, unsigned value);
unsigned __reduce_or_sync(unsigned mask, unsigned value);
unsigned __reduce_xor_sync(unsigned mask, unsigned value);
unsigned __match_any_sync(unsigned mask, unsigned value);

template <typename T>
__attribute__((noinline)) T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
    return ::pyengine::simulator::shuffled(::pyengine::simulator::Shuffle::index, mask, value, lane, width, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return ::pyengine::simulator::shuffled(::pyengine::simulator::Shuffle::up, mask, value, static_cast<int>(delta), width,
                                           __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return ::pyengine::simulator::shuffled(::pyengine::simulator::Shuffle::down, mask, value, static_cast<int>(delta), width,
                                           __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
    return ::pyengine::simulator::shuffled(::pyengine::simulator::Shuffle::exclusive_or, mask, value, lanes, width,
                                           __builtin_return_address(0));
}

// Atomics: each gives what was there before --------------------------------------------------------------------------------------------------

template <typename T>
__attribute__((noinline)) T atomicAdd(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(
        address, [=](T old) { return static_cast<T>(old + value); }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicSub(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(
        address, [=](T old) { return static_cast<T>(old - value); }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicMin(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(address, [=](T old) { return value < old ? value : old; }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicMax(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(address, [=](T old) { return value > old ? value : old; }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicExch(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(address, [=](T) { return value; }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(
        address, [=](T old) { return old == expected ? value : old; }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicAnd(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(address, [=](T old) { return old & value; }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicOr(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(address, [=](T old) { return old | value; }, __builtin_return_address(0));
}
template <typename T>
__attribute__((noinline)) T atomicXor(T* address, std::type_identity_t<T> value) {
    return ::pyengine::simulator::change_atomically(address, [=](T old) { return old ^ value; }, __builtin_return_address(0));
}
inline __attribute__((noinline)) unsigned atomicInc(unsigned* address, unsigned last) {
    return ::pyengine::simulator::change_atomically(
        address, [=](unsigned old) { return old >= last ? 0 : old + 1; }, __builtin_return_address(0));
}
inline __attribute__((noinline)) unsigned atomicDec(unsigned* address, unsigned last) {
    return ::pyengine::simulator::change_atomically(
        address, [=](unsigned old) { return old == 0 || old > last ? last : old - 1; }, __builtin_return_address(0));
}
