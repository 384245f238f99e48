// Vector times matrix, y[j] = sum over p of x[p] B[p, j], for a matrix with adjacent elements along one of its axes. Each element of B is
// used once, so memory decides: B is read in the order in which it lies.
//
// k is cut into chunks of max_chunk, a sum of partial results for each: enough tasks for a short y, and shorter chains of rounding.
#pragma once

#include "kernels/cpu/gemm.h"

namespace pyengine::kernels {
namespace {

template <typename E>
class VectorProduct {
public:
    using T = decltype(widened(E{}));

    VectorProduct(std::int64_t n, std::int64_t k, std::int64_t x_stride, Operand<E> b)
        : n_(n), k_(k), x_stride_(x_stride), b_(b), chunk_(even_part(k, max_chunk)), chunks_(ceil_div(k, chunk_)) {}

    static bool suits(const Operand<E>& b) { return b.row == 1 || b.col == 1; }

    /// Elements of T: x, packed, and a row of partial sums for each chunk.
    std::int64_t workspace() const { return padded_cols<T>(k_) + chunks_ * padded_cols<T>(n_); }

    void run(const E* x, const E* b, E* y, T* workspace) {
        b_.data = b;
        x_ = workspace;
        partial_ = x_ + padded_cols<T>(k_);
        pack(x_, 1, x, 1, x_stride_, 1, k_);
        const std::int64_t cols = columns_a_task(), across = ceil_div(n_, cols);
        parallel_for(chunks_ * across, [&](std::int64_t task) {
            const std::int64_t chunk = task / across;
            T* sums = partial_ + chunk * padded_cols<T>(n_);
            const Range ks = part({0, k_}, chunk * chunk_, chunk_), js = part({0, n_}, task % across * cols, cols);
            b_.col == 1 ? add_rows(sums, ks, js) : dot_columns(sums, ks, js);
        });
        for (std::int64_t chunk = 1; chunk < chunks_; ++chunk)
            for (std::int64_t j = 0; j < n_; ++j) partial_[j] += partial_[chunk * padded_cols<T>(n_) + j];
        if constexpr (sizeof(E) == sizeof(T))
            copy_widened(y, partial_, n_);
        else
            copy_narrowed(y, partial_, n_);
    }

private:
    static constexpr std::int64_t max_chunk = 8192;
    static constexpr std::int64_t task_elements = 1 << 16;
    static constexpr std::int64_t rows_at_once = 8;

    std::int64_t columns_a_task() const {
        const std::int64_t narrowest = b_.col == 1 ? 256 : 4;  // adjacent columns: a kilobyte of each row, for the prefetcher
        return max_of(narrowest, ceil_div(task_elements / chunk_, lanes<T>) * lanes<T>);
    }

    /// B's rows, scaled by x, added to the sums, several at a time so that these are loaded and stored less often.
    void add_rows(T* sums, Range ks, Range js) const {
        for (std::int64_t j = js.begin; j < js.end; ++j) sums[j] = T{};
        std::int64_t p = ks.begin;
        for (; p + rows_at_once <= ks.end; p += rows_at_once) add_some_rows<rows_at_once>(sums, p, js);
        for (; p < ks.end; ++p) add_some_rows<1>(sums, p, js);
    }

    template <int rows>
    void add_some_rows(T* sums, std::int64_t p, Range js) const {
        Vec<T> x[rows];
        for (int r = 0; r < rows; ++r) x[r] = broadcast(x_[p + r]);
        std::int64_t j = js.begin;
        for (; j + lanes<T> <= js.end; j += lanes<T>) {
            Vec<T> sum = load(sums + j);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) sum += x[r] * load_float(b_.at(p + r, j));
            store(sums + j, sum);
        }
        if (const std::int64_t rest = js.end - j; rest > 0) {
            Vec<T> sum = load_partial(sums + j, rest);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) sum += x[r] * load_float_partial<T>(b_.at(p + r, j), rest);
            store_partial(sums + j, sum, rest);
        }
    }

    /// Dot products of x with B's columns, four at a time so that four chains of additions are in flight.
    void dot_columns(T* sums, Range ks, Range js) const {
        std::int64_t j = js.begin;
        for (; j + 4 <= js.end; j += 4) dot_some_columns<4>(sums, ks, j);
        for (; j < js.end; ++j) dot_some_columns<1>(sums, ks, j);
    }

    template <int cols>
    void dot_some_columns(T* sums, Range ks, std::int64_t j) const {
        constexpr int unrolled = 8 / cols;
        Vec<T> sum[cols][unrolled] = {};
        std::int64_t p = ks.begin;
        for (; p + unrolled * lanes<T> <= ks.end; p += unrolled * lanes<T>)
#pragma GCC unroll 8
            for (int u = 0; u < unrolled; ++u)
#pragma GCC unroll 4
                for (int c = 0; c < cols; ++c) sum[c][u] += load(x_ + p + u * lanes<T>) * load_float(b_.at(p + u * lanes<T>, j + c));
        for (; p < ks.end; p += lanes<T>) {
            const std::int64_t rest = ks.end - p;
            for (int c = 0; c < cols; ++c)
                sum[c][0] += rest < lanes<T> ? load_partial(x_ + p, rest) * load_float_partial<T>(b_.at(p, j + c), rest)
                                             : load(x_ + p) * load_float(b_.at(p, j + c));
        }
        for (int c = 0; c < cols; ++c) {
            for (int u = 1; u < unrolled; ++u) sum[c][0] += sum[c][u];
            sums[j + c] = sum_lanes<T>(sum[c][0]);
        }
    }

    std::int64_t n_, k_, x_stride_;
    Operand<E> b_;
    std::int64_t chunk_, chunks_;
    T* x_ = nullptr;
    T* partial_ = nullptr;
};

}  // namespace
}  // namespace pyengine::kernels
