// One matrix product of floats, cut into blocks that fit the caches, the blocks into tasks, and these into the register tiles of
// gemm_tile.h.
//
// Loops, outermost first (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008):
//   columns of C, rows of C   by max_side: both packed blocks stay in a few MB
//   k                         by max_depth: a panel of A and one of B stay in the second-level cache
//   tasks                     rectangles of C, about task_flops each: in parallel
//   panels of B, panels of A  one register tile each
// Few rows times a B larger than the caches are multiplied by some rows of B at a time instead, which reads B in long runs.
// k is cut by its length alone, and an element's products are added in order of k: its bits depend on nothing else.
//
// A is read where it lies if its rows do, or if it stays in the cache anyway; rows a multiple of 4096 bytes apart share one set of the
// first-level cache, and are packed. B is read where it lies if its columns are adjacent and few rows use it, or it stays in the cache;
// only the columns that do not fill a vector are packed then.
//
// Measured on one core of an EPYC of family 25, model 17 (118 GFLOP/s of float32 at best), other processes running, so within 3%:
//   blocks 512 deep instead of 1024          AVX-512, (2048)^3: 99 for 102; C is read and written twice as often
//   tasks kept to 128-512 KB of A            (2048)^3: 100 to 101 for 104
//   no prefetch of B 32 rows ahead           AVX-512, (8, 2000) (2000, 2048): 52 for 95; of C: (512)^3: 101 for 104
//   that prefetch with AVX2                  (1000)^3: 98 for 101; its loads are needed for A
//   A packed where its rows do not collide   (1000)^3: 102 for 106
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/parallel.h"

namespace pyengine::kernels {
namespace {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The size of the parts when n is cut into as few as possible of at most `limit`, and these are made even.
inline std::int64_t even_part(std::int64_t n, std::int64_t limit) { return ceil_div(n, ceil_div(n, limit)); }

struct Range {
    std::int64_t begin, end;
    std::int64_t size() const { return end - begin; }
};

inline Range part(Range whole, std::int64_t begin, std::int64_t size) { return {begin, min_of(whole.end, begin + size)}; }

constexpr std::int64_t max_side = 2048;
// A panel of B stays in the first-level cache; the wide tiles of AVX-512 use each element so often that the second will do.
template <typename T>
constexpr std::int64_t max_depth = (level == Isa::avx512 ? 4096 : 1536) / static_cast<std::int64_t>(sizeof(T));
constexpr std::int64_t cached_bytes = 512 << 10;    // half of a second-level cache of today
constexpr std::int64_t last_cache_bytes = 4 << 20;  // one core's share of the last level
constexpr double task_flops = 1e6;                  // ten microseconds: several times what handing out a task costs
constexpr double max_tasks = 64;

template <typename E>
struct Operand {
    const E* data;
    std::int64_t row, col;  // strides
    const E* at(std::int64_t i, std::int64_t j) const { return data + i * row + j * col; }
};

template <typename E>
class Gemm {
public:
    using T = decltype(widened(E{}));

    Gemm(std::int64_t m, std::int64_t n, std::int64_t k, Operand<E> a, Operand<E> b)
        : m_(m), n_(n), k_(k), a_(a), b_(b), height_(even_part(m, Tile<T>::rows)), depth_(even_part(k, max_depth<T>)) {
        block_rows_ = min_of(m, max_side / height_ * height_);
        block_cols_ = min_of(n, max_side / width * width);
        const auto exceeds_cache = [&](std::int64_t side) { return side * depth_ * size > cached_bytes; };
        packs_a_ = widens || (n > 2 * width && (a.row * size % 4096 == 0 || (a.col != 1 && exceeds_cache(block_rows_))));
        const bool packs_b = widens || b.col != 1 || (m > 8 * Tile<T>::rows && exceeds_cache(block_cols_));
        packed_from_ = packs_b ? 0 : n % lanes<T> == 0 ? n : n / width * width;
        const bool streams_b = m <= Tile<T>::rows && !packs_b && k * n * size > last_cache_bytes;
        strip_ = streams_b ? streamed_rows : depth_;
        cut_into_tasks();
    }

    /// Elements of T.
    std::int64_t workspace() const { return packed_a_size() + packed_b_size() + (widens ? block_rows_ * block_cols_ : 0); }

    /// c (m, n), contiguous, is overwritten.
    void run(const E* a, const E* b, E* c, T* workspace) {
        a_.data = a;
        b_.data = b;
        c_ = c;
        packed_a_ = workspace;
        packed_b_ = packed_a_ + packed_a_size();
        sums_ = packed_b_ + packed_b_size();
        for (std::int64_t j = 0; j < n_; j += block_cols_)
            for (std::int64_t i = 0; i < m_; i += block_rows_)
                for (std::int64_t p = 0; p < k_; p += depth_)
                    multiply_block(part({0, m_}, i, block_rows_), part({0, n_}, j, block_cols_), part({0, k_}, p, depth_));
    }

private:
    static constexpr bool widens = sizeof(E) != sizeof(T);
    static constexpr std::int64_t size = sizeof(T), width = Tile<T>::cols;
    static constexpr std::int64_t streamed_rows = 8;
    static constexpr std::int64_t pack_bytes = 128 << 10, pack_depth = 32;  // of a task; rows of B at a time

    std::int64_t packed_a_size() const { return packs_a_ ? padded_cols<T>(block_rows_ * depth_) : 0; }
    std::int64_t packed_b_size() const { return padded_cols<T>(min_of(block_cols_, n_ - packed_from_)) * depth_; }

    /// Halves the longer side of a block until there are as many tasks as the work is worth.
    void cut_into_tasks() {
        task_rows_ = block_rows_;
        task_cols_ = block_cols_;
        const double flops = 2.0 * static_cast<double>(block_rows_) * static_cast<double>(block_cols_) * static_cast<double>(depth_);
        const double wanted = min_of(max_tasks, flops / task_flops);
        for (double tasks = 1; 2 * tasks <= wanted && (task_rows_ > height_ || task_cols_ > width); tasks *= 2) {
            if (task_rows_ > height_ && (task_rows_ >= task_cols_ || task_cols_ <= width))
                task_rows_ = ceil_div(ceil_div(task_rows_, 2), height_) * height_;
            else
                task_cols_ = ceil_div(ceil_div(task_cols_, 2), width) * width;
        }
    }

    void multiply_block(Range rows, Range cols, Range ks) {
        pack_block(rows, cols, ks);
        const std::int64_t across = ceil_div(cols.size(), task_cols_);
        parallel_for(ceil_div(rows.size(), task_rows_) * across, [&](std::int64_t task) {
            const Range task_i = part(rows, rows.begin + task / across * task_rows_, task_rows_);
            const Range task_j = part(cols, cols.begin + task % across * task_cols_, task_cols_);
            multiply_tiles(task_i, task_j, ks, rows.begin, cols);
            if constexpr (widens)
                if (ks.end == k_) narrow(task_i, task_j, rows.begin, cols);
        });
    }

    /// Both operands' panels in one parallel loop, several a task.
    void pack_block(Range rows, Range cols, Range ks) {
        cols.begin = max_of(cols.begin, packed_from_);
        const std::int64_t row_panels = packs_a_ ? ceil_div(rows.size(), height_) : 0;
        const std::int64_t col_panels = cols.begin < cols.end ? ceil_div(cols.size(), width) : 0;
        if (row_panels + col_panels == 0) return;
        const std::int64_t rows_a_task = ceil_div(pack_bytes, ks.size() * height_ * size), row_tasks = ceil_div(row_panels, rows_a_task);
        const std::int64_t cols_a_task = ceil_div(pack_bytes, ks.size() * width * size), col_tasks = ceil_div(col_panels, cols_a_task);
        parallel_for(row_tasks + col_tasks, [&](std::int64_t task) {
            if (task < row_tasks)
                pack_rows(part(rows, rows.begin + task * rows_a_task * height_, rows_a_task * height_), rows.begin, ks);
            else
                pack_cols(part(cols, cols.begin + (task - row_tasks) * cols_a_task * width, cols_a_task * width), cols.begin, ks);
        });
    }

    /// Where the rows (columns) lie side by side, some of all panels before the next: memory is read in longer runs.
    void pack_rows(Range rows, std::int64_t first, Range ks) {
        const std::int64_t step = a_.row == 1 ? pack_depth : ks.size();
        for (std::int64_t p = ks.begin; p < ks.end; p += step)
            for (std::int64_t i = rows.begin; i < rows.end; i += height_) {
                const std::int64_t count = min_of(height_, rows.end - i);
                T* panel = packed_a_ + (i - first) * ks.size() + (p - ks.begin) * count;
                pack_a(panel, a_.at(i, p), a_.row, a_.col, count, min_of(step, ks.end - p));
            }
    }

    void pack_cols(Range cols, std::int64_t first, Range ks) {
        const std::int64_t step = b_.col == 1 ? pack_depth : ks.size();
        for (std::int64_t p = ks.begin; p < ks.end; p += step)
            for (std::int64_t j = cols.begin; j < cols.end; j += width) {
                const std::int64_t count = min_of(width, cols.end - j);
                T* panel = packed_b_ + (j - first) * ks.size() + (p - ks.begin) * padded_cols<T>(count);
                pack_b(panel, b_.at(p, j), b_.row, b_.col, min_of(step, ks.end - p), count);
            }
    }

    void multiply_tiles(Range rows, Range cols, Range ks, std::int64_t first_row, Range block_cols) {
        for (std::int64_t p = ks.begin; p < ks.end; p += strip_)
            for (std::int64_t j = cols.begin; j < cols.end; j += width)
                for (std::int64_t i = rows.begin; i < rows.end; i += height_) {
                    TileArgs<T> tile{};
                    tile.cols = min_of(width, cols.end - j);
                    tile.k = min_of(strip_, ks.end - p);
                    tile.accumulate = p > 0;
                    const std::int64_t count = min_of(height_, rows.end - i);
                    set_a(tile, i, ks, first_row, count);
                    set_b(tile, j, ks, max_of(block_cols.begin, packed_from_));
                    set_c(tile, i, j, first_row, block_cols);
                    tile.a += (p - ks.begin) * tile.a_col;
                    tile.b += (p - ks.begin) * tile.b_row;
                    multiply_tile<T>(count, tile);
                }
    }

    void set_a(TileArgs<T>& tile, std::int64_t i, Range ks, std::int64_t first_row, std::int64_t count) const {
        if (widens || packs_a_) {
            tile.a = packed_a_ + (i - first_row) * ks.size();
            tile.a_row = 1;
            tile.a_col = count;
        } else if constexpr (!widens) {
            tile.a = a_.at(i, ks.begin);
            tile.a_row = a_.row;
            tile.a_col = a_.col;
        }
    }

    void set_b(TileArgs<T>& tile, std::int64_t j, Range ks, std::int64_t first_packed) const {
        if (widens || j >= packed_from_) {
            tile.b = packed_b_ + (j - first_packed) * ks.size();
            tile.b_row = padded_cols<T>(tile.cols);
        } else if constexpr (!widens) {
            tile.b = b_.at(ks.begin, j);
            tile.b_row = b_.row;
        }
    }

    void set_c(TileArgs<T>& tile, std::int64_t i, std::int64_t j, std::int64_t first_row, Range block_cols) const {
        if constexpr (widens) {
            tile.c = sums_ + (i - first_row) * block_cols.size() + (j - block_cols.begin);
            tile.c_row = block_cols.size();
        } else {
            tile.c = c_ + i * n_ + j;
            tile.c_row = n_;
        }
    }

    void narrow(Range rows, Range cols, std::int64_t first_row, Range block_cols) const {
        for (std::int64_t i = rows.begin; i < rows.end; ++i)
            copy_narrowed(c_ + i * n_ + cols.begin, sums_ + (i - first_row) * block_cols.size() + (cols.begin - block_cols.begin),
                          cols.size());
    }

    std::int64_t m_, n_, k_;
    Operand<E> a_, b_;
    std::int64_t height_, depth_, strip_;  // rows of a panel of A; depth of a block; rows of B multiplied before the next
    std::int64_t block_rows_, block_cols_, task_rows_, task_cols_;
    bool packs_a_;
    std::int64_t packed_from_;  // columns of B from here on are packed
    E* c_ = nullptr;
    T* packed_a_ = nullptr;
    T* packed_b_ = nullptr;
    T* sums_ = nullptr;  // of the block, where E is narrower than T
};

}  // namespace
}  // namespace pyengine::kernels
