// CUDA C++ as kernels see it, for the C++ compiler: keywords, indices, vector types, and the functions of the language that synchronise,
// exchange and count. Semantics: NVIDIA, CUDA C++ Programming Guide 13.0, chapter 10.
#pragma once

#include <math.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#include "kernels/simulator/atomics.h"
#include "kernels/simulator/report.h"

// The keywords. A block's threads are fibers of one thread of the machine, so what is local to that one is shared among them.
#define __global__
#define __device__
#define __host__
#define __constant__ static
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

// Vectors ------------------------------------------------------------------------------------------------------------------------------------

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) double2 {
    double x, y;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

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

// Arithmetic ---------------------------------------------------------------------------------------------------------------------------------

template <typename T>
inline T __ldg(const T* address) {
    return *address;
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((std::uint64_t{a} * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }

template <typename A, typename B>
constexpr std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>)
        return static_cast<T>(__builtin_fmin(a, b));
    else
        return static_cast<T>(b) < static_cast<T>(a) ? static_cast<T>(b) : static_cast<T>(a);
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>)
        return static_cast<T>(__builtin_fmax(a, b));
    else
        return static_cast<T>(a) < static_cast<T>(b) ? static_cast<T>(b) : static_cast<T>(a);
}
