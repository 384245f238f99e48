// One matrix product of floats, cut into blocks that fit the caches, the blocks into tasks, and these into the register tiles of
// gemm_tile.h.
//
// Loops, outermost first (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008):
//   columns of C, rows of C   by max_side: both packed blocks stay in a few MB
//   k                         by max_depth: a panel of A and one of B stay in the second-level cache
//   tasks                     rectangles of C, about task_flops each: in parallel
//   panels of B, panels of A  one register tile each
// k is cut by its length alone, and an element's products are added in order of k: its bits depend on nothing else.
//
// A is read where it lies, strided, if its block stays in the cache anyway, and so is B if its columns are adjacent; then only the columns
// that do not fill a vector are packed. Rows a multiple of 4096 bytes apart share one set of the first-level cache, and are packed always.
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
template <typename T>
constexpr std::int64_t max_depth = 2048 / static_cast<std::int64_t>(sizeof(T));
constexpr std::int64_t cached_bytes = 512 << 10;  // half of a second-level cache of today
constexpr double task_flops = 1e6;                // ten microseconds: several times what handing out a task costs
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
        packs_a_ = widens || (n > 2 * width && (exceeds_cache(block_rows_) || a.row * size % 4096 == 0));
        const bool packs_b = widens || b.col != 1 || (m > 8 * Tile<T>::rows && exceeds_cache(block_cols_));
        packed_from_ = packs_b ? 0 : n % lanes<T> == 0 ? n : n / width * width;
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

    std::int64_t packed_a_size() const { return packs_a_ ? padded_cols<T>(block_rows_ * depth_) : 0; }
    std::int64_t packed_b_size() const { return padded_cols<T>(min_of(block_cols_, n_ - packed_from_)) * depth_; }

    void multiply_block(Range rows, Range cols, Range ks) {
        const Range packed_rows = packs_a_ ? rows : Range{0, 0}, packed_cols = {max_of(cols.begin, packed_from_), cols.end};
        pack_block(packed_rows, packed_cols, ks);
        std::int64_t task_rows = rows.size(), task_cols = cols.size();
        cut_into_tasks(task_rows, task_cols, ks.size());
        const std::int64_t across = ceil_div(cols.size(), task_cols);
        parallel_for(ceil_div(rows.size(), task_rows) * across, [&](std::int64_t task) {
            const Range task_i = part(rows, rows.begin + task / across * task_rows, task_rows);
            const Range task_j = part(cols, cols.begin + task % across * task_cols, task_cols);
            multiply_tiles(task_i, task_j, ks, rows.begin, cols);
            if constexpr (widens)
                if (ks.end == k_) narrow(task_i, task_j, rows.begin, cols);
        });
    }

    /// Halves the longer side until there are as many tasks as the work is worth.
    void cut_into_tasks(std::int64_t& rows, std::int64_t& cols, std::int64_t depth) const {
        const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(cols) * static_cast<double>(depth);
        const double wanted = min_of(max_tasks, flops / task_flops);
        for (double tasks = 1; 2 * tasks <= wanted && (rows > height_ || cols > width); tasks *= 2) {
            if (rows > height_ && (rows >= cols || cols <= width))
                rows = ceil_div(ceil_div(rows, 2), height_) * height_;
            else
                cols = ceil_div(ceil_div(cols, 2), width) * width;
        }
    }

    void pack_block(Range rows, Range cols, Range ks) {
        const std::int64_t row_panels = ceil_div(max_of<std::int64_t>(rows.size(), 0), height_);
        const std::int64_t col_panels = ceil_div(max_of<std::int64_t>(cols.size(), 0), width);
        const std::int64_t panels_a_task = max_of<std::int64_t>(1, (64 << 10) / (ks.size() * width * size));
        parallel_blocks(row_panels + col_panels, panels_a_task, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t panel = begin; panel < end; ++panel) {
                if (panel < row_panels)
                    pack_rows(part(rows, rows.begin + panel * height_, height_), rows.begin, ks);
                else
                    pack_cols(part(cols, cols.begin + (panel - row_panels) * width, width), cols.begin, ks);
            }
        });
    }

    void pack_rows(Range panel, std::int64_t first, Range ks) {
        pack_a(packed_a_ + (panel.begin - first) * ks.size(), a_.at(panel.begin, ks.begin), a_.row, a_.col, panel.size(), ks.size());
    }

    void pack_cols(Range panel, std::int64_t first, Range ks) {
        pack_b(packed_b_ + (panel.begin - first) * ks.size(), b_.at(ks.begin, panel.begin), b_.row, b_.col, ks.size(), panel.size());
    }

    void multiply_tiles(Range rows, Range cols, Range ks, std::int64_t first_row, Range block_cols) {
        TileArgs<T> tile{};
        tile.k = ks.size();
        tile.accumulate = ks.begin > 0;
        for (std::int64_t j = cols.begin; j < cols.end; j += width) {
            tile.cols = min_of(width, cols.end - j);
            set_b(tile, j, ks, max_of(block_cols.begin, packed_from_));
            for (std::int64_t i = rows.begin; i < rows.end; i += height_) {
                const std::int64_t count = min_of(height_, rows.end - i);
                set_a(tile, i, ks, first_row, count);
                set_c(tile, i, j, first_row, block_cols);
                multiply_tile<T>(count, tile);
            }
        }
    }

    void set_a(TileArgs<T>& tile, std::int64_t i, Range ks, std::int64_t first_row, std::int64_t count) const {
        tile.a = packed_a_ + (i - first_row) * ks.size();
        tile.a_row = 1;
        tile.a_col = count;
        if constexpr (!widens) {
            if (packs_a_) return;
            tile.a = a_.at(i, ks.begin);
            tile.a_row = a_.row;
            tile.a_col = a_.col;
        }
    }

    void set_b(TileArgs<T>& tile, std::int64_t j, Range ks, std::int64_t first_packed) const {
        tile.b = packed_b_ + (j - first_packed) * ks.size();
        tile.b_row = padded_cols<T>(tile.cols);
        if constexpr (!widens) {
            if (j >= packed_from_) return;
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
    std::int64_t height_, depth_;  // rows of a panel of A; depth of a block
    std::int64_t block_rows_, block_cols_;
    bool packs_a_;
    std::int64_t packed_from_;  // columns of B from here on are packed
    E* c_ = nullptr;
    T* packed_a_ = nullptr;
    T* packed_b_ = nullptr;
    T* sums_ = nullptr;  // of the block, where E is narrower than T
};

}  // namespace
}  // namespace pyengine::kernels
