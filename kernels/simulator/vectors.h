// CUDA's vector types, float1 to double4, and the functions that make them. Those of two and four elements are aligned to their size, at most
// to 16 bytes. NVIDIA, CUDA C++ Programming Guide 13.0, section 10.3.
#pragma once

#include <algorithm>
#include <cstddef>

namespace pyengine::simulator {

template <typename T>
struct Vector1 {
    T x;
};
template <typename T>
struct alignas(std::min(2 * sizeof(T), std::size_t{16})) Vector2 {
    T x, y;
};
template <typename T>
struct Vector3 {
    T x, y, z;
};
template <typename T>
struct alignas(std::min(4 * sizeof(T), std::size_t{16})) Vector4 {
    T x, y, z, w;
};

}  // namespace pyengine::simulator

using char1 = ::pyengine::simulator::Vector1<signed char>;
using uchar1 = ::pyengine::simulator::Vector1<unsigned char>;
using short1 = ::pyengine::simulator::Vector1<short>;
using ushort1 = ::pyengine::simulator::Vector1<unsigned short>;
using int1 = ::pyengine::simulator::Vector1<int>;
using uint1 = ::pyengine::simulator::Vector1<unsigned>;
using long1 = ::pyengine::simulator::Vector1<long>;
using ulong1 = ::pyengine::simulator::Vector1<unsigned long>;
using longlong1 = ::pyengine::simulator::Vector1<long long>;
using ulonglong1 = ::pyengine::simulator::Vector1<unsigned long long>;
using float1 = ::pyengine::simulator::Vector1<float>;
using double1 = ::pyengine::simulator::Vector1<double>;

using char2 = ::pyengine::simulator::Vector2<signed char>;
using uchar2 = ::pyengine::simulator::Vector2<unsigned char>;
using short2 = ::pyengine::simulator::Vector2<short>;
using ushort2 = ::pyengine::simulator::Vector2<unsigned short>;
using int2 = ::pyengine::simulator::Vector2<int>;
using uint2 = ::pyengine::simulator::Vector2<unsigned>;
using long2 = ::pyengine::simulator::Vector2<long>;
using ulong2 = ::pyengine::simulator::Vector2<unsigned long>;
using longlong2 = ::pyengine::simulator::Vector2<long long>;
using ulonglong2 = ::pyengine::simulator::Vector2<unsigned long long>;
using float2 = ::pyengine::simulator::Vector2<float>;
using double2 = ::pyengine::simulator::Vector2<double>;

using char3 = ::pyengine::simulator::Vector3<signed char>;
using uchar3 = ::pyengine::simulator::Vector3<unsigned char>;
using short3 = ::pyengine::simulator::Vector3<short>;
using ushort3 = ::pyengine::simulator::Vector3<unsigned short>;
using int3 = ::pyengine::simulator::Vector3<int>;
using uint3 = ::pyengine::simulator::Vector3<unsigned>;
using long3 = ::pyengine::simulator::Vector3<long>;
using ulong3 = ::pyengine::simulator::Vector3<unsigned long>;
using longlong3 = ::pyengine::simulator::Vector3<long long>;
using ulonglong3 = ::pyengine::simulator::Vector3<unsigned long long>;
using float3 = ::pyengine::simulator::Vector3<float>;
using double3 = ::pyengine::simulator::Vector3<double>;

using char4 = ::pyengine::simulator::Vector4<signed char>;
using uchar4 = ::pyengine::simulator::Vector4<unsigned char>;
using short4 = ::pyengine::simulator::Vector4<short>;
using ushort4 = ::pyengine::simulator::Vector4<unsigned short>;
using int4 = ::pyengine::simulator::Vector4<int>;
using uint4 = ::pyengine::simulator::Vector4<unsigned>;
using long4 = ::pyengine::simulator::Vector4<long>;
using ulong4 = ::pyengine::simulator::Vector4<unsigned long>;
using longlong4 = ::pyengine::simulator::Vector4<long long>;
using ulonglong4 = ::pyengine::simulator::Vector4<unsigned long long>;
using float4 = ::pyengine::simulator::Vector4<float>;
using double4 = ::pyengine::simulator::Vector4<double>;

constexpr char1 make_char1(signed char x) { return {x}; }
constexpr uchar1 make_uchar1(unsigned char x) { return {x}; }
constexpr short1 make_short1(short x) { return {x}; }
constexpr ushort1 make_ushort1(unsigned short x) { return {x}; }
constexpr int1 make_int1(int x) { return {x}; }
constexpr uint1 make_uint1(unsigned x) { return {x}; }
constexpr long1 make_long1(long x) { return {x}; }
constexpr ulong1 make_ulong1(unsigned long x) { return {x}; }
constexpr longlong1 make_longlong1(long long x) { return {x}; }
constexpr ulonglong1 make_ulonglong1(unsigned long long x) { return {x}; }
constexpr float1 make_float1(float x) { return {x}; }
constexpr double1 make_double1(double x) { return {x}; }

constexpr char2 make_char2(signed char x, signed char y) { return {x, y}; }
constexpr uchar2 make_uchar2(unsigned char x, unsigned char y) { return {x, y}; }
constexpr short2 make_short2(short x, short y) { return {x, y}; }
constexpr ushort2 make_ushort2(unsigned short x, unsigned short y) { return {x, y}; }
constexpr int2 make_int2(int x, int y) { return {x, y}; }
constexpr uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
constexpr long2 make_long2(long x, long y) { return {x, y}; }
constexpr ulong2 make_ulong2(unsigned long x, unsigned long y) { return {x, y}; }
constexpr longlong2 make_longlong2(long long x, long long y) { return {x, y}; }
constexpr ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) { return {x, y}; }
constexpr float2 make_float2(float x, float y) { return {x, y}; }
constexpr double2 make_double2(double x, double y) { return {x, y}; }

constexpr char3 make_char3(signed char x, signed char y, signed char z) { return {x, y, z}; }
constexpr uchar3 make_uchar3(unsigned char x, unsigned char y, unsigned char z) { return {x, y, z}; }
constexpr short3 make_short3(short x, short y, short z) { return {x, y, z}; }
constexpr ushort3 make_ushort3(unsigned short x, unsigned short y, unsigned short z) { return {x, y, z}; }
constexpr int3 make_int3(int x, int y, int z) { return {x, y, z}; }
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
constexpr long3 make_long3(long x, long y, long z) { return {x, y, z}; }
constexpr ulong3 make_ulong3(unsigned long x, unsigned long y, unsigned long z) { return {x, y, z}; }
constexpr longlong3 make_longlong3(long long x, long long y, long long z) { return {x, y, z}; }
constexpr ulonglong3 make_ulonglong3(unsigned long long x, unsigned long long y, unsigned long long z) { return {x, y, z}; }
constexpr float3 make_float3(float x, float y, float z) { return {x, y, z}; }
constexpr double3 make_double3(double x, double y, double z) { return {x, y, z}; }

constexpr char4 make_char4(signed char x, signed char y, signed char z, signed char w) { return {x, y, z, w}; }
constexpr uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }
constexpr short4 make_short4(short x, short y, short z, short w) { return {x, y, z, w}; }
constexpr ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) { return {x, y, z, w}; }
constexpr int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
constexpr uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
constexpr long4 make_long4(long x, long y, long z, long w) { return {x, y, z, w}; }
constexpr ulong4 make_ulong4(unsigned long x, unsigned long y, unsigned long z, unsigned long w) { return {x, y, z, w}; }
constexpr longlong4 make_longlong4(long long x, long long y, long long z, long long w) { return {x, y, z, w}; }
constexpr ulonglong4 make_ulonglong4(unsigned long long x, unsigned long long y, unsigned long long z, unsigned long long w) {
    return {x, y, z, w};
}
constexpr float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
constexpr double4 make_double4(double x, double y, double z, double w) { return {x, y, z, w}; }
