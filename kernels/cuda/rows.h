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

/// What a thread loads and stores at once.
template <typename T>
struct alignas(16) Values {
    static constexpr int count = 16 / sizeof(T);
    T at[count];
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
    /// visit(j, x[place of element j]). Of a row without gaps a thread takes 16 bytes at a time, whether they are aligned or not, so that no
    /// sum's order depends on that.
    template <typename T, typename Visit>
    __device__ void each_value(const T* x, Visit visit) const {
        if (row.stride != 1) {
            each([&](std::int64_t j, std::int64_t at) { visit(j, x[at]); });
            return;
        }
        each_pack<T>([&](std::int64_t first, int count) {
            const Values<T> values = load(x + row.at(first), count);
#pragma unroll
            for (int k = 0; k < Values<T>::count; ++k)
                if (k < count) visit(first + k, values.at[k]);
        });
    }
    /// y[place] = f(j, place, x[place]), in the same way.
    template <typename T, typename F>
    __device__ void map(const T* x, T* y, F f) const {
        if (row.stride != 1) {
            each([&](std::int64_t j, std::int64_t at) { y[at] = f(j, at, x[at]); });
            return;
        }
        each_pack<T>([&](std::int64_t first, int count) {
            Values<T> values = load(x + row.at(first), count);
#pragma unroll
            for (int k = 0; k < Values<T>::count; ++k)
                if (k < count) values.at[k] = f(first + k, row.at(first + k), values.at[k]);
            store(y + row.at(first), count, values);
        });
    }
    template <typename A, typename Term>
    __device__ A sum(Term term) const {
        return pairwise(A{0}, begin, end, step, Add(), [&](std::int64_t j) { return term(j, row.at(j)); });
    }

private:
    template <typename T, typename Visit>
    __device__ void each_pack(Visit visit) const {
        constexpr std::int64_t width = Values<T>::count;
        for (std::int64_t first = begin * width; first < end; first += step * width)
            visit(first, static_cast<int>(min(end - first, width)));
    }
    template <typename T>
    __device__ static bool whole(const T* at, int count) {
        return count == Values<T>::count && reinterpret_cast<std::uintptr_t>(at) % 16 == 0;
    }
    template <typename T>
    __device__ static Values<T> load(const T* x, int count) {
        if (whole(x, count)) return *reinterpret_cast<const Values<T>*>(x);
        Values<T> values{};
#pragma unroll
        for (int k = 0; k < Values<T>::count; ++k)
            if (k < count) values.at[k] = x[k];
        return values;
    }
    template <typename T>
    __device__ static void store(T* y, int count, const Values<T>& values) {
        if (whole(y, count)) {
            *reinterpret_cast<Values<T>*>(y) = values;
            return;
        }
#pragma unroll
        for (int k = 0; k < Values<T>::count; ++k)
            if (k < count) y[k] = values.at[k];
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

template <int columns>
constexpr int most_threads = columns == 1 ? 1024 : 256;

/// Calls go<columns>(shape) with what suits the layout, if it has rows.
template <typename Layout, typename Go>
void over_rows(const Layout& layout, Go go) {
    if (layout.rows() == 0) return;
    const int columns = layout.side_by_side() || layout.length() < 32 ? 32 : 1;
    const std::int64_t groups = (layout.rows() + columns - 1) / columns, terms_of_a_thread = 4;
    const std::int64_t warps = std::clamp<std::int64_t>(layout.length() / (terms_of_a_thread * 32 / columns), 1,
                                                        (columns == 1 ? most_threads<1> : most_threads<32>) / 32);
    const LaunchShape shape{{static_cast<unsigned>(std::min<std::int64_t>(groups, 1 << 20))},
                            {32 * std::bit_floor(static_cast<unsigned>(warps))}};
    if (columns == 1)
        go.template operator()<1>(shape);
    else
        go.template operator()<32>(shape);
}

}  // namespace
}  // namespace pyengine::kernels
