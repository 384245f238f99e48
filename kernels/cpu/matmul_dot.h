// Products with few rows or few columns whose operands lie adjacent along k: every element of C is a dot product of two runs of memory, and
// vectors hold neighbours along k. Nothing is packed but the few, and no lane is idle: where C has ten columns, tiles of whole vectors of
// columns would leave six lanes of sixteen empty, and few rows would not repay packing B.
//
// Register budget, in vectors: rows * cols sums, the columns' vectors and one of a row.
//   AVX-512, NEON  4 * 6 + 6 + 1 = 31 of 32      AVX2, SSE2  3 * 4 + 4 = 16 of 16, the row's vector being an operand in memory
//
// k is cut into chunks of max_chunk, a matrix of partial sums for each: enough tasks for a small C, and shorter chains of rounding.
//
// Measured on a Zen 4 core (peak 118 GFLOP/s, float32), against the register tiles of gemm.h: (4, 784) (400, 784)^T 98 for 38 GFLOP/s,
// (16, 784) (400, 784)^T 103 for 73, (100, 400) (10, 400)^T 90 for 66. Many rows beyond the caches are left to gemm.h, whose tiles read
// more rows at a time: (4000, 784) (10, 784)^T 45 for 68. Prefetching the next rows in software: slower by a tenth to a third.
#pragma once

#include "kernels/cpu/gemm.h"

namespace pyengine::kernels {
namespace {

template <typename E>
struct DotArgs {
    using T = decltype(widened(E{}));
    std::int64_t k;
    const E* a;
    std::int64_t a_row;
    const E* b;
    std::int64_t b_col;
    T* c;
    std::int64_t c_row;
};

template <typename T>
inline Quad<T> fold_lanes(Vec<T> v) {
    T parts[lanes<T>];
    store(parts, v);
    Quad<T> sum = load_quad<T>(parts);
    for (std::int64_t i = quad<T>; i < lanes<T>; i += quad<T>) sum += load_quad<T>(parts + i);
    return sum;
}

/// sums[i] = the sum of v[i]'s lanes: a transpose turns sums across lanes into sums of vectors. Room for count + quad<T> sums is needed.
template <typename T, int count>
inline void sum_lanes_of_each(const Vec<T> (&v)[count], T* sums) {
    for (int first = 0; first < count; first += static_cast<int>(quad<T>)) {
        Quad<T> block[quad<T>] = {};
        for (int i = 0; i < quad<T> && first + i < count; ++i) block[i] = fold_lanes<T>(v[first + i]);
        transpose(block);
        for (int i = 1; i < quad<T>; ++i) block[0] += block[i];
        std::memcpy(sums + first, &block[0], sizeof block[0]);
    }
}

template <typename E, int rows, int cols>
void dot_tile(const DotArgs<E>& args) {
    using T = typename DotArgs<E>::T;
    Vec<T> sum[rows * cols] = {};
    const auto accumulate = [&](auto load_some) {
        Vec<T> b[cols];
#pragma GCC unroll 6
        for (int j = 0; j < cols; ++j) b[j] = load_some(args.b + j * args.b_col);
#pragma GCC unroll 4
        for (int i = 0; i < rows; ++i) {
            const Vec<T> a = load_some(args.a + i * args.a_row);
#pragma GCC unroll 6
            for (int j = 0; j < cols; ++j) sum[i * cols + j] += a * b[j];
        }
    };
    std::int64_t p = 0;
    for (; p + lanes<T> <= args.k; p += lanes<T>) accumulate([p](const E* x) { return load_float(x + p); });
    if (const std::int64_t rest = args.k - p; rest > 0) accumulate([p, rest](const E* x) { return load_float_partial<T>(x + p, rest); });
    T sums[rows * cols + quad<T>];
    sum_lanes_of_each<T>(sum, sums);
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < cols; ++j) args.c[i * args.c_row + j] = sums[i * cols + j];
}

template <typename E>
struct DotKernels {
    static constexpr bool many_registers = level == Isa::avx512 || level == Isa::neon;
    static constexpr int rows = many_registers ? 4 : 3, cols = many_registers ? 6 : 4;

    void (*of[rows][cols])(const DotArgs<E>&);

    constexpr DotKernels() : of{} { fill<rows, cols>(); }

private:
    template <int r, int c>
    constexpr void fill() {
        of[r - 1][c - 1] = dot_tile<E, r, c>;
        if constexpr (c > 1)
            fill<r, c - 1>();
        else if constexpr (r > 1)
            fill<r - 1, cols>();
    }
};

template <typename E>
class DotProduct {
public:
    using T = decltype(widened(E{}));

    DotProduct(std::int64_t m, std::int64_t n, std::int64_t k, Operand<E> a, Operand<E> b)
        : m_(m), n_(n), k_(k), a_(a), b_(b), chunk_(even_part(k, max_chunk)), chunks_(ceil_div(k, chunk_)) {}

    /// Whether shape and strides suit. The few may be copied to lie adjacent, but not converted.
    static bool suits(std::int64_t m, std::int64_t n, std::int64_t k, const Operand<E>& a, const Operand<E>& b) {
        if (k < 2 * lanes<T>) return false;
        if (m <= few && b.row == 1) return a.col == 1 || !widens;
        const bool idle_lanes = 4 * n <= 3 * padded_cols<T>(n), fits = m * k * static_cast<std::int64_t>(sizeof(E)) <= last_cache_bytes;
        return n <= few && a.col == 1 && (b.row == 1 || !widens) && (n == 1 || (idle_lanes && fits));
    }

    /// Elements of T: the few, where they must be copied, and a matrix of partial sums for each chunk.
    std::int64_t workspace() const { return copied() + chunks_ * m_ * n_; }

    void run(const E* a_data, const E* b_data, E* c, T* workspace) {
        Operand<E> a{a_data, a_.row, a_.col}, b{b_data, b_.row, b_.col};
        if constexpr (!widens) {
            if (a.col != 1) {
                pack(workspace, k_, a.data, a.col, a.row, k_, m_);
                a = {workspace, k_, 1};
            } else if (b.row != 1) {
                pack(workspace, k_, b.data, b.row, b.col, k_, n_);
                b = {workspace, 1, k_};
            }
        }
        T* partial = workspace + copied();
        const bool many_rows = m_ >= n_;
        const std::int64_t many = max_of(m_, n_), tile = many_rows ? DotKernels<E>::rows : DotKernels<E>::cols;
        const std::int64_t many_a_task = ceil_div(max_of(tile, task_elements / chunk_), tile) * tile, across = ceil_div(many, many_a_task);
        parallel_for(chunks_ * across, [&](std::int64_t task) {
            Range rows{0, m_}, cols{0, n_};
            (many_rows ? rows : cols) = part({0, many}, task % across * many_a_task, many_a_task);
            const std::int64_t chunk = task / across;
            multiply(a, b, rows, cols, part({0, k_}, chunk * chunk_, chunk_), partial + chunk * m_ * n_);
        });
        for (std::int64_t chunk = 1; chunk < chunks_; ++chunk)
            for (std::int64_t i = 0; i < m_ * n_; ++i) partial[i] += partial[chunk * m_ * n_ + i];
        copy_narrowed(c, partial, m_ * n_);
    }

private:
    static constexpr bool widens = sizeof(E) != sizeof(T);
    static constexpr std::int64_t few = 32, max_chunk = 1 << 15, task_elements = 1 << 16;

    std::int64_t copied() const { return a_.col != 1 ? padded_cols<T>(m_ * k_) : b_.row != 1 ? padded_cols<T>(n_ * k_) : 0; }

    /// The few in the inner loop: they stay in the first-level cache.
    void multiply(const Operand<E>& a, const Operand<E>& b, Range rows, Range cols, Range ks, T* sums) const {
        static constexpr DotKernels<E> kernels;
        const std::int64_t high = even_part(rows.size(), kernels.rows), wide = even_part(cols.size(), kernels.cols);
        const auto tile = [&](std::int64_t i, std::int64_t j) {
            const std::int64_t row_count = min_of(high, rows.end - i), col_count = min_of(wide, cols.end - j);
            kernels.of[row_count - 1][col_count - 1](
                {ks.size(), a.at(i, ks.begin), a.row, b.at(ks.begin, j), b.col, sums + i * n_ + j, n_});
        };
        if (m_ >= n_) {
            for (std::int64_t i = rows.begin; i < rows.end; i += high)
                for (std::int64_t j = cols.begin; j < cols.end; j += wide) tile(i, j);
        } else {
            for (std::int64_t j = cols.begin; j < cols.end; j += wide)
                for (std::int64_t i = rows.begin; i < rows.end; i += high) tile(i, j);
        }
    }

    std::int64_t m_, n_, k_;
    Operand<E> a_, b_;
    std::int64_t chunk_, chunks_;
};

}  // namespace
}  // namespace pyengine::kernels
