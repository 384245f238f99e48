// Arithmetic of CUDA C++ that the C++ compiler does not know: bits, conversions, and the fast functions, which are exact here as far as
// those of the C library are. NVIDIA, CUDA Math API Reference 13.0.
#pragma once

#include <math.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

// Memory: the caches do not matter here ------------------------------------------------------------------------------------------------------

template <typename T>
inline T __ldg(const T* address) {
    return *address;
}
template <typename T>
inline T __ldcg(const T* address) {
    return *address;
}
template <typename T>
inline T __ldca(const T* address) {
    return *address;
}
template <typename T>
inline T __ldcs(const T* address) {
    return *address;
}
template <typename T>
inline void __stcg(T* address, std::type_identity_t<T> value) {
    *address = value;
}
template <typename T>
inline void __stcs(T* address, std::type_identity_t<T> value) {
    *address = value;
}

inline long long clock64() { return clock(); }  // of the machine: it says nothing about a GPU

// Bits ---------------------------------------------------------------------------------------------------------------------------------------

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
constexpr unsigned __brev(unsigned x) {
    unsigned reversed = 0;
    for (int i = 0; i < 32; ++i) reversed |= (x >> i & 1) << (31 - i);
    return reversed;
}
constexpr unsigned long long __brevll(unsigned long long x) {
    return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 | __brev(static_cast<unsigned>(x >> 32));
}
constexpr unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
    const std::uint64_t bytes = std::uint64_t{high} << 32 | low;
    unsigned chosen = 0;
    for (int i = 0; i < 4; ++i) chosen |= static_cast<unsigned>(bytes >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
    return chosen;
}
constexpr unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((std::uint64_t{high} << 32 | low) << (shift & 31) >> 32);
}
constexpr unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((std::uint64_t{high} << 32 | low) >> (shift & 31));
}

// Integers -----------------------------------------------------------------------------------------------------------------------------------

constexpr int __mulhi(int a, int b) { return static_cast<int>((std::int64_t{a} * b) >> 32); }
constexpr unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((std::uint64_t{a} * b) >> 32); }
constexpr long long __mul64hi(long long a, long long b) { return static_cast<long long>((static_cast<__int128>(a) * b) >> 64); }
constexpr unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
constexpr unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffff) * (b & 0xffffff); }
constexpr int __mul24(int a, int b) {
    return static_cast<int>(static_cast<unsigned>(static_cast<int>(static_cast<unsigned>(a) << 8) >> 8) *
                            static_cast<unsigned>(static_cast<int>(static_cast<unsigned>(b) << 8) >> 8));
}
constexpr int __hadd(int a, int b) { return static_cast<int>((std::int64_t{a} + b) >> 1); }
constexpr int __rhadd(int a, int b) { return static_cast<int>((std::int64_t{a} + b + 1) >> 1); }
constexpr unsigned __uhadd(unsigned a, unsigned b) { return static_cast<unsigned>((std::uint64_t{a} + b) >> 1); }
constexpr unsigned __sad(int a, int b, unsigned c) { return c + static_cast<unsigned>(a < b ? std::int64_t{b} - a : std::int64_t{a} - b); }
constexpr unsigned __usad(unsigned a, unsigned b, unsigned c) { return c + (a < b ? b - a : a - b); }
constexpr int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 32; i += 8) c += static_cast<std::int8_t>(a >> i) * static_cast<std::int8_t>(b >> i);
    return c;
}
constexpr unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
    for (int i = 0; i < 32; i += 8) c += (a >> i & 255) * (b >> i & 255);
    return c;
}

// Conversions: of what an integer cannot hold the nearest that it can, of NaN 0 --------------------------------------------------------------

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline int __double2hiint(double x) { return static_cast<int>(std::bit_cast<long long>(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(std::bit_cast<long long>(x)); }

namespace pyengine::simulator {

template <typename Integer>
constexpr Integer saturated(double x) {
    using Limits = std::numeric_limits<Integer>;
    if (x != x) return 0;
    if (x >= std::ldexp(1.0, Limits::digits)) return Limits::max();
    return x <= static_cast<double>(Limits::min()) ? Limits::min() : static_cast<Integer>(x);
}

}  // namespace pyengine::simulator

inline int __float2int_rn(float x) { return ::pyengine::simulator::saturated<int>(std::nearbyint(x)); }
inline int __float2int_rz(float x) { return ::pyengine::simulator::saturated<int>(std::trunc(x)); }
inline int __float2int_ru(float x) { return ::pyengine::simulator::saturated<int>(std::ceil(x)); }
inline int __float2int_rd(float x) { return ::pyengine::simulator::saturated<int>(std::floor(x)); }
inline unsigned __float2uint_rn(float x) { return ::pyengine::simulator::saturated<unsigned>(std::nearbyint(x)); }
inline unsigned __float2uint_rz(float x) { return ::pyengine::simulator::saturated<unsigned>(std::trunc(x)); }
inline unsigned __float2uint_ru(float x) { return ::pyengine::simulator::saturated<unsigned>(std::ceil(x)); }
inline unsigned __float2uint_rd(float x) { return ::pyengine::simulator::saturated<unsigned>(std::floor(x)); }
inline long long __float2ll_rn(float x) { return ::pyengine::simulator::saturated<long long>(std::nearbyint(x)); }
inline long long __float2ll_rz(float x) { return ::pyengine::simulator::saturated<long long>(std::trunc(x)); }
inline long long __float2ll_ru(float x) { return ::pyengine::simulator::saturated<long long>(std::ceil(x)); }
inline long long __float2ll_rd(float x) { return ::pyengine::simulator::saturated<long long>(std::floor(x)); }
inline unsigned long long __float2ull_rn(float x) { return ::pyengine::simulator::saturated<unsigned long long>(std::nearbyint(x)); }
inline unsigned long long __float2ull_rz(float x) { return ::pyengine::simulator::saturated<unsigned long long>(std::trunc(x)); }
inline unsigned long long __float2ull_ru(float x) { return ::pyengine::simulator::saturated<unsigned long long>(std::ceil(x)); }
inline unsigned long long __float2ull_rd(float x) { return ::pyengine::simulator::saturated<unsigned long long>(std::floor(x)); }
inline int __double2int_rn(double x) { return ::pyengine::simulator::saturated<int>(std::nearbyint(x)); }
inline int __double2int_rz(double x) { return ::pyengine::simulator::saturated<int>(std::trunc(x)); }
inline int __double2int_ru(double x) { return ::pyengine::simulator::saturated<int>(std::ceil(x)); }
inline int __double2int_rd(double x) { return ::pyengine::simulator::saturated<int>(std::floor(x)); }
inline unsigned __double2uint_rn(double x) { return ::pyengine::simulator::saturated<unsigned>(std::nearbyint(x)); }
inline unsigned __double2uint_rz(double x) { return ::pyengine::simulator::saturated<unsigned>(std::trunc(x)); }
inline unsigned __double2uint_ru(double x) { return ::pyengine::simulator::saturated<unsigned>(std::ceil(x)); }
inline unsigned __double2uint_rd(double x) { return ::pyengine::simulator::saturated<unsigned>(std::floor(x)); }
inline long long __double2ll_rn(double x) { return ::pyengine::simulator::saturated<long long>(std::nearbyint(x)); }
inline long long __double2ll_rz(double x) { return ::pyengine::simulator::saturated<long long>(std::trunc(x)); }
inline long long __double2ll_ru(double x) { return ::pyengine::simulator::saturated<long long>(std::ceil(x)); }
inline long long __double2ll_rd(double x) { return ::pyengine::simulator::saturated<long long>(std::floor(x)); }
inline unsigned long long __double2ull_rn(double x) { return ::pyengine::simulator::saturated<unsigned long long>(std::nearbyint(x)); }
inline unsigned long long __double2ull_rz(double x) { return ::pyengine::simulator::saturated<unsigned long long>(std::trunc(x)); }
inline unsigned long long __double2ull_ru(double x) { return ::pyengine::simulator::saturated<unsigned long long>(std::ceil(x)); }
inline unsigned long long __double2ull_rd(double x) { return ::pyengine::simulator::saturated<unsigned long long>(std::floor(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return x; }
inline double __ll2double_rn(long long x) { return static_cast<double>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }

// Floating point -----------------------------------------------------------------------------------------------------------------------------

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / ::sqrt(x)); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline float sinpif(float x) { return static_cast<float>(::sin(M_PI * ::remainder(x, 2.0))); }
inline float cospif(float x) { return static_cast<float>(::cos(M_PI * ::remainder(x, 2.0))); }
inline float normcdff(float x) { return static_cast<float>(0.5 * ::erfc(-M_SQRT1_2 * x)); }
inline void __sincosf(float x, float* sine, float* cosine) {
    *sine = sinf(x);
    *cosine = cosf(x);
}
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return ::fma(a, b, c); }
inline double __dsqrt_rn(double x) { return ::sqrt(x); }
inline double __drcp_rn(double x) { return 1.0 / x; }
inline double sinpi(double x) { return ::sin(M_PI * ::remainder(x, 2.0)); }
inline double cospi(double x) { return ::cos(M_PI * ::remainder(x, 2.0)); }
inline double normcdf(double x) { return 0.5 * ::erfc(-M_SQRT1_2 * x); }

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
