// One row times a matrix whose columns are adjacent, y[j] = sum over p of x[p] B[p, j]. Each element of B is used once, so memory decides:
// B is read in the order in which it lies.
//
// k is cut into chunks, a row of partial sums for each: the tasks, each of which reads one run of memory.
#pragma once

#include "kernels/cpu/gemm.h"

namespace pyengine::kernels {
namespace {

template <typename E>
class RowProduct {
public:
    using T = decltype(widened(E{}));

    RowProduct(std::int64_t n, std::int64_t k, std::int64_t x_stride, Operand<E> b)
        : n_(n),
          k_(k),
          x_stride_(x_stride),
          b_(b),
          chunk_(even_part(k, max_of(task_elements / n, min_chunk))),
          chunks_(ceil_div(k, chunk_)) {}

    /// Elements of T: x, adjacent, and a row of partial sums for each chunk.
    std::int64_t workspace() const { return padded_cols<T>(k_) + chunks_ * padded_cols<T>(n_); }

    void run(const E* x_data, const E* b_data, E* y, T* workspace) {
        const Operand<E> b{b_data, b_.row, b_.col};
        T* x = workspace;
        T* partial = x + padded_cols<T>(k_);
        pack(x, 1, x_data, 1, x_stride_, 1, k_);
        const std::int64_t across = ceil_div(n_, max_cols), stride = padded_cols<T>(n_);
        parallel_for(chunks_ * across, [&](std::int64_t task) {
            const std::int64_t chunk = task / across;
            const Range ks = part({0, k_}, chunk * chunk_, chunk_), js = part({0, n_}, task % across * max_cols, max_cols);
            T* sums = partial + chunk * stride;
            for (std::int64_t j = js.begin; j < js.end; ++j) sums[j] = T{};
            std::int64_t p = ks.begin;
            for (; p + rows_at_once <= ks.end; p += rows_at_once) add_rows<rows_at_once>(sums, x, b, p, js);
            for (; p < ks.end; ++p) add_rows<1>(sums, x, b, p, js);
        });
        for (std::int64_t chunk = 1; chunk < chunks_; ++chunk)
            for (std::int64_t j = 0; j < n_; ++j) partial[j] += partial[chunk * stride + j];
        copy_narrowed(y, partial, n_);
    }

private:
    static constexpr std::int64_t task_elements = 1 << 17, min_chunk = 64,
                                  max_cols = 4096;  // sums of 4096 columns fit the first-level cache
    static constexpr int rows_at_once = 8;

    /// Rows of B, scaled by x, added to the sums; several at a time, so that the sums are loaded and stored less often.
    template <int rows>
    static void add_rows(T* sums, const T* x, const Operand<E>& b, std::int64_t p, Range js) {
        const auto add = [&](Vec<T> sum, auto load_some) {
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) sum += broadcast(x[p + r]) * load_some(b.at(p + r, 0));
            return sum;
        };
        std::int64_t j = js.begin;
        for (; j + lanes<T> <= js.end; j += lanes<T>)
            store(sums + j, add(load(sums + j), [j](const E* row) { return load_float(row + j); }));
        if (const std::int64_t rest = js.end - j; rest > 0)
            store_partial(sums + j,
                          add(load_partial(sums + j, rest), [j, rest](const E* row) { return load_float_partial<T>(row + j, rest); }),
                          rest);
    }

    std::int64_t n_, k_, x_stride_;
    Operand<E> b_;
    std::int64_t chunk_, chunks_;
};

}  // namespace
}  // namespace pyengine::kernels
