// Rows of elements that one block works on together, and how blocks and threads share them: what softmax, cross-entropy and
// standardisation stand on.
//
// columns = 1: a block takes a row, neighbouring threads neighbouring elements. columns = 32: a block takes 32 rows, one for each lane;
// for rows whose neighbours lie side by side in memory, and for short ones. Where a row ends up does not depend on the device.
#pragma once

#include <algorithm>
#include <bit>

#include "kernels/cuda/axes.h"
#include "kernels/cuda/block_reduce.h"

namespace pyengine::kernels {
namespace {

/// The middle axis of (outer, n, inner): row q is that of outer index q / inner and inner index q % inner.
struct MiddleAxis {
    std::int64_t outer, n, inner;

    struct Row {
        std::int64_t first, stride;
        __device__ std::int64_t at(std::int64_t j) const { return first + j * stride; }
    };
    constexpr std::int64_t rows() const { return outer * inner; }
    constexpr std::int64_t length() const { return n; }
    bool side_by_side() const { return inner > 1; }
    __device__ Row row(std::int64_t q) const {
        const Split place = split(q, inner);
        return {place.quotient * n * inner + place.remainder, inner};
    }
};

/// The outer axes of (outer, groups, inner): row k is x[:, k, :].
struct OuterAxes {
    std::int64_t outer, groups, inner;

    struct Row {
        std::int64_t first, stride, inner;
        __device__ std::int64_t at(std::int64_t e) const {
            if (e < inner) return first + e;
            const Split place = split(e, inner);
            return first + place.quotient * stride + place.remainder;
        }
    };
    constexpr std::int64_t rows() const { return groups; }
    constexpr std::int64_t length() const { return outer * inner; }
    bool side_by_side() const { return inner < 32; }
    __device__ Row row(std::int64_t k) const { return {k * inner, groups * inner, inner}; }
};

/// A thread's share of a row.
template <typename Layout>
struct Share {
    std::int64_t number;  // of the row
    typename Layout::Row row;
    std::int64_t begin, end, step;
    bool first;  // whether this thread writes what the row has one of

    /// visit(j, place of element j)
    template <typename Visit>
    __device__ void each(Visit visit) const {
        for (std::int64_t j = begin; j < end; j += step) visit(j, row.at(j));
    }
    template <typename A, typename Term>
    __device__ A sum(Term term) const {
        return pairwise(A{0}, begin, end, step, Add(), [&](std::int64_t j) { return term(j, row.at(j)); });
    }
};

/// Calls body(share) for every row of the block, by all threads together: those without a row have an empty share.
template <int columns, typename Layout, typename Body>
__device__ void each_row(const Layout& layout, Body body) {
    for (std::int64_t group = blockIdx.x; group * columns < layout.rows(); group += gridDim.x) {
        const std::int64_t number = columns == 1 ? group : group * 32 + lane_index();
        const std::int64_t begin = columns == 1 ? threadIdx.x : warp_index(), step = columns == 1 ? blockDim.x : warp_count();
        const bool exists = number < layout.rows();
        body(Share<Layout>{number, layout.row(number), begin, exists ? layout.length() : 0, step, exists && begin == 0});
    }
}

/// Calls go<columns>(shape) with what suits the layout, if it has rows.
template <typename Layout, typename Go>
void over_rows(const Layout& layout, Go go) {
    if (layout.rows() == 0) return;
    const int columns = layout.side_by_side() || layout.length() < 32 ? 32 : 1;
    const std::int64_t groups = (layout.rows() + columns - 1) / columns, terms_of_a_thread = 4;
    const std::int64_t warps = std::clamp<std::int64_t>(layout.length() / (terms_of_a_thread * 32 / columns), 1, columns == 1 ? 32 : 8);
    const LaunchShape shape{{static_cast<unsigned>(std::min<std::int64_t>(groups, 1 << 20))},
                            {32 * std::bit_floor(static_cast<unsigned>(warps))}};
    if (columns == 1)
        go.template operator()<1>(shape);
    else
        go.template operator()<32>(shape);
}

}  // namespace
}  // namespace pyengine::kernels
