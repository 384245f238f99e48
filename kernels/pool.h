// pool: windows over planes, their greatest element or their mean, and the transposes that gradients need.
//
//   x (planes, in_size), y (planes, out_size), contiguous; sizes are (depth, height, width), fewer dimensions are sizes of 1.
//   On axis a, output i sees the inputs first[a][i] + t * step[a] for t < count[a][i]; all of them lie inside the plane, and no window is
//   empty. Stride, padding, dilation and adaptive windows are all said in these numbers.
//
//     max_pool            y = max over the window, indices = where in the plane (int64); of equal elements the first, of NaNs the last
//     max_pool_gather     y[p, i] = x[p, indices[p, i]]
//     max_pool_scatter    x = 0, then x[p, indices[p, i]] += y[p, i] in order of i
//     avg_pool            y = sum over the window / (divisor[0][i] divisor[1][j] divisor[2][k])
//     avg_pool_transpose  x = 0, then y / divisors added to every element of its window, in order of the windows
//
//   element types: float16, bfloat16, float32, float64; sums in float32 for the 16-bit types, rounded once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct PoolArgs {
    ElementType type;
    std::int64_t planes;
    std::int64_t in_size[3], out_size[3], step[3];
    const std::int64_t* first[3];  // where a window begins and ends never falls, but by less than step where padding cuts it
    const std::int64_t* count[3];
    const std::int64_t* divisor[3];  // read by avg_pool and avg_pool_transpose
    const void* from;                // x, or y where the op is a transpose
    void* to;                        // y, or x where the op is a transpose
    std::int64_t* indices;           // written by max_pool, read by max_pool_gather and max_pool_scatter
    void* workspace;                 // pool_workspace(args) or pool_transpose_workspace(args) bytes, 64-byte aligned
};

/// For max_pool and avg_pool: on GPUs, room for the windows.
template <Isa isa>
std::size_t pool_workspace(const PoolArgs& args);

/// For the two transposes: room for the sums of planes in the accumulation type, 0 where the elements have it already; on GPUs for what
/// keeps them in order too.
template <Isa isa>
std::size_t pool_transpose_workspace(const PoolArgs& args);

template <Isa isa>
void max_pool(const PoolArgs& args);
template <Isa isa>
void max_pool_gather(const PoolArgs& args);
template <Isa isa>
void max_pool_scatter(const PoolArgs& args);
template <Isa isa>
void avg_pool(const PoolArgs& args);
template <Isa isa>
void avg_pool_transpose(const PoolArgs& args);

}  // namespace pyengine::kernels
