// matmul as a problem of gemm.h: matrices with any strides, each item's factors where its offsets say.
#pragma once

#include <algorithm>

#include "kernels/cuda/gemm.h"
#include "kernels/matmul.h"

namespace pyengine::kernels {
namespace {

/// Where the matrices of a batch begin: at even distances, which is all but some broadcasts, or as listed in the device's memory.
struct Offsets {
    std::int64_t first, step;
    const std::int64_t* list;

    __device__ std::int64_t at(std::int64_t item) const { return list ? list[item] : first + item * step; }
};

[[maybe_unused]] bool evenly_spaced(const std::int64_t* offsets, std::int64_t count) {
    const auto uneven = [&](std::int64_t a, std::int64_t b) { return b - a != offsets[1] - offsets[0]; };
    return std::adjacent_find(offsets, offsets + count, uneven) == offsets + count;
}

/// A loader: the rows of A, or the columns of B.
template <typename E>
struct Lines {
    using Element = E;
    using Line = std::int64_t;
    static constexpr bool even_lines = true, even_depths = true;

    const E* data;
    std::int64_t line_stride, depth_stride;

    __device__ Line line(std::int64_t i) const { return i * line_stride; }
    __device__ std::int64_t depth(std::int64_t p) const { return p * depth_stride; }
    __device__ E load(Line line, std::int64_t depth) const { return data[line + depth]; }
    __device__ const E* start(std::int64_t i) const { return data + line(i); }
    __device__ std::int64_t distance(std::int64_t p) const { return depth(p); }
    __device__ bool along_depth() const { return reach(depth_stride) < reach(line_stride); }

    /// What the strides alone allow.
    Way source() const {
        constexpr std::int64_t in_chunk = 16 / sizeof(E);
        if (depth_stride == 1 && line_stride % in_chunk == 0) return Way::along_depth;
        return line_stride == 1 && depth_stride % in_chunk == 0 ? Way::across_lines : Way::elements;
    }

private:
    /// Elements that are one and the same need no neighbours.
    __device__ static std::uint64_t reach(std::int64_t stride) { return static_cast<std::uint64_t>(stride < 0 ? -stride : stride) - 1; }
};

template <typename E>
struct MatmulItem {
    using A = Lines<E>;
    using B = Lines<E>;

    std::int64_t m, n, k;
    A a;
    B b;
    const E* bias;
    E* c;
    std::int64_t row_stride, column_stride;  // one of them is 1: that of what the bias belongs to

    __device__ std::int64_t column(std::int64_t j) const { return j * column_stride; }
    __device__ void store(std::int64_t i, std::int64_t column, ProductSum<E> sum) const {
        if (bias) sum += convert<ProductSum<E>>(bias[row_stride == 1 ? i : column]);
        c[i * row_stride + column] = convert<E>(sum);
    }
};

/// C = A B, or C^T = B^T A^T where that has fewer rows: gemm.h has kernels for few rows.
template <typename E>
class MatmulProblem {
public:
    using Element = E;
    using Sum = ProductSum<E>;
    static constexpr bool any_order = true;

    bool tf32;

    MatmulProblem(const MatmulArgs& args, const std::int64_t* a_list, const std::int64_t* b_list)
        : tf32(args.tf32),
          chunks_(aligned(args.a, args.a_offsets, args.batch) && aligned(args.b, args.b_offsets, args.batch)),
          batch_(args.batch) {
        const Offsets a_at = offsets(args.a_offsets, args.batch, a_list), b_at = offsets(args.b_offsets, args.batch, b_list);
        const Lines<E> a{static_cast<const E*>(args.a), args.a_strides[0], args.a_strides[1]};
        const Lines<E> b{static_cast<const E*>(args.b), args.b_strides[1], args.b_strides[0]};
        const bool exchanged = args.n < args.m && args.n <= 8;
        const E* const bias = static_cast<const E*>(args.bias);
        E* const c = static_cast<E*>(args.c);
        item_ = exchanged ? MatmulItem<E>{args.n, args.m, args.k, b, a, bias, c, 1, args.n}
                          : MatmulItem<E>{args.m, args.n, args.k, a, b, bias, c, args.n, 1};
        a_offsets_ = exchanged ? b_at : a_at;
        b_offsets_ = exchanged ? a_at : b_at;
    }

    __host__ __device__ std::int64_t items() const { return batch_; }
    __host__ __device__ std::int64_t m() const { return item_.m; }
    __host__ __device__ std::int64_t n() const { return item_.n; }
    __host__ __device__ std::int64_t k() const { return item_.k; }

    /// Both factors in chunks, or neither.
    template <typename Call>
    void with_sources(Call call) const {
        using enum Way;
        const Way a = item_.a.source(), b = item_.b.source();
        if (!chunks_ || a == elements || b == elements) return call.template operator()<elements, elements>();
        if (a == along_depth && b == along_depth) return call.template operator()<along_depth, along_depth>();
        if (a == along_depth) return call.template operator()<along_depth, across_lines>();
        if (b == along_depth) return call.template operator()<across_lines, along_depth>();
        call.template operator()<across_lines, across_lines>();
    }

    __device__ MatmulItem<E> item(std::int64_t number) const {
        MatmulItem<E> item = item_;
        item.a.data += a_offsets_.at(number);
        item.b.data += b_offsets_.at(number);
        item.c += number * item.m * item.n;
        return item;
    }

private:
    /// Whether all matrices begin at multiples of 16 bytes.
    static bool aligned(const void* data, const std::int64_t* offsets, std::int64_t batch) {
        if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return false;
        return std::all_of(offsets, offsets + batch, [](std::int64_t offset) { return offset * sizeof(E) % 16 == 0; });
    }

    static Offsets offsets(const std::int64_t* offsets, std::int64_t batch, const std::int64_t* list) {
        if (batch == 0) return {0, 0, nullptr};
        return {offsets[0], batch > 1 ? offsets[1] - offsets[0] : 0, list};
    }

    bool chunks_;
    std::int64_t batch_;
    MatmulItem<E> item_;
    Offsets a_offsets_, b_offsets_;
};

}  // namespace
}  // namespace pyengine::kernels
