// argsort: out[r] = the order in which row r of x is sorted, as indices: x[r, out[r, 0]] <= x[r, out[r, 1]] <= ...
//
//   x (rows, size), contiguous, any element type; out int64 (rows, size), contiguous, not aliased by x
//   Stable: equal elements keep their order, also descending; -0 equals 0. NaN comes last, also descending.
#pragma once

#include <cstddef>

#include "kernels/element_type.h"
#include "kernels/isa.h"

namespace pyengine::kernels {

struct ArgsortArgs {
    ElementType type;
    std::int64_t rows, size;
    bool descending;
    const void* x;
    std::int64_t* out;
    int lanes;        // rows sorted at once: thread_count()
    void* workspace;  // argsort_workspace(args) bytes, 64-byte aligned
};

template <Isa isa>
std::size_t argsort_workspace(const ArgsortArgs& args);

template <Isa isa>
void argsort(const ArgsortArgs& args);

/// searchsorted: out[i] = how many elements of the sorted row are < values[i] (right: <= values[i]), NaN counting as largest.
struct SearchsortedArgs {
    ElementType type;
    bool right;
    std::int64_t size, count;
    const void* sorted;  // (size), contiguous, ascending
    const void* values;  // (count), contiguous
    std::int64_t* out;   // (count), contiguous
};

template <Isa isa>
void searchsorted(const SearchsortedArgs& args);

}  // namespace pyengine::kernels
