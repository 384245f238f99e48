// Reading and writing an array at places that index arrays name, in three steps: index_offsets turns indices into offsets, and checks them;
// gather reads there, scatter writes. In both, (outer, n, inner) is the shape of what is read or written, and the array's element (o, j, i)
// lies at offset_of(outer, o) + offsets[j] + offset_of(inner, i). find_outside checks indices that are used as they are.
//
// Fast where inner is one axis of stride 1: rows are moved whole. Any size may be 0.
#pragma once

#include <cstddef>

#include "kernels/axes.h"
#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

/// offsets[p] = sum over axes d of position[d] * own_strides[d], plus sum over index arrays k of index_k[p] * axis_strides[k], for every
/// position p of the index arrays, which have one shape. A negative index counts from the end.
struct IndexOffsetsArgs {
    std::int64_t rank;
    const std::int64_t* sizes;        // of the index arrays
    const std::int64_t* own_strides;  // what a step along each of their axes adds by itself
    std::int64_t arrays;
    const std::int64_t* const* indices;
    const std::int64_t* const* index_strides;
    const std::int64_t* axis_sizes;    // of the axis that each array indexes
    const std::int64_t* axis_strides;  // of the same
    std::int64_t* offsets;             // contiguous; one more gets the first position whose index is outside [-axis_size, axis_size), or -1
};

template <Isa isa>
void index_offsets(const IndexOffsetsArgs& args);

/// *position = the first i with x[i] outside [0, n) and not `exempt`, or -1.
struct FindOutsideArgs {
    const std::int64_t* x;  // contiguous
    std::int64_t count, n, exempt;
    std::int64_t* position;
};

template <Isa isa>
void find_outside(const FindOutsideArgs& args);

struct GatherArgs {
    std::int64_t element_size;  // 1, 2, 4, 8 or 16 bytes
    const void* x;
    Axes outer, inner;  // strides of x
    std::int64_t count;
    const std::int64_t* offsets;
    void* out;  // (outer, count, inner) contiguous, not aliased by x
};

template <Isa isa>
void gather(const GatherArgs& args);

enum class ScatterOp { assign, add, min, max };

/// x = op(x, values), one j after the other: of values for the same place the last is assigned, and sums have the order of the indices, for
/// any number of threads. NaN propagates through min and max. add, min, max: integers, which wrap, float and double.
struct ScatterArgs {
    ScatterOp op;
    ElementType type;
    void* x;
    Axes outer, inner;  // strides of x
    std::int64_t count;
    const std::int64_t* offsets;
    const void* values;  // (outer, count, inner) contiguous, not aliased by x
    void* workspace;     // scatter_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t scatter_workspace(const ScatterArgs& args);

template <Isa isa>
void scatter(const ScatterArgs& args);

/// The positions of the true elements of a boolean array, in row-major order: axis d of hit h in coordinates[d][h].
struct NonzeroArgs {
    const bool* x;
    Axes axes;                         // at least one
    std::int64_t* const* coordinates;  // one array for each axis, with room for every hit
    void* workspace;                   // nonzero_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t nonzero_workspace(const NonzeroArgs& args);

template <Isa isa>
void nonzero(const NonzeroArgs& args);

}  // namespace pyengine::kernels
