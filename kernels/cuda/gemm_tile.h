// The product of two matrices, a tile of the result to a block of threads, in exact arithmetic of the sums' type.
//
// What the factors are is the loaders' business: a matrix with strides, or what a convolution reads. A loader L of the rows of A, or of the
// columns of B, both called lines, has
//     L::Element;  element_at = line(i) and depth_at(p), each computed once;  load(line, depth): the element, widened by the tile
//     along_depth(): whether neighbouring threads shall read neighbouring depths of a line, or neighbouring lines at one depth
//     even_lines: element (i, p) lies at start(i) + distance(p), and line(i) is i * line(1), in elements
//     even_depths, of those: distance(p) = depth(p) is p * depth(1); else along_depth() is true
//
// Algorithm: for each step of `depth`, all threads bring rows x depth elements of A and depth x columns of B to shared memory, transposed so
// that depth comes first; then each thread adds depth outer products of row_share by column_share values to the sums in its registers. Two
// stages: while one is multiplied, the elements of the next are on their way to registers. One barrier for each step.
//
// Arithmetic, for floats and a tile of 128 x 128 x 8 with 8 x 8 sums:  threads 256; shared memory 2 stages x 8 x 2 x 132 x 4 = 16.5 KiB;
// registers 64 sums + 16 factors + 8 elements on their way, and addresses: at most 128 (nvcc 13.0, sm_80 and sm_90a), two blocks on an SM. In
// matmul no tile spills. In conv this one does, 48 to 96 bytes, 5 to 11 registers of which are read again in each step; in
// conv_weight_gradient 8 to 24, none of them in a step. The tile of 64 x 64 spills nothing.
// For each depth a thread reads 4 x 16 bytes of shared memory and makes 64 multiply-adds. Traffic: A is read n / 128 times, B m / 128 times.
// Every sum is formed in the order of the depth, whatever the tile, so tiles of all sizes give the same bits.
#pragma once

#include "kernels/accumulator.h"
#include "kernels/cuda/cuda.h"

namespace pyengine::kernels {
namespace {

/// In what products of E are summed; of integers, no more bits are needed than the result keeps.
template <typename E>
using ProductSum = std::conditional_t<is_half<E>, float,
                                      std::conditional_t<is_real<E>, E, std::conditional_t<sizeof(E) == 8, std::uint64_t, std::uint32_t>>>;

template <typename T>
__device__ T multiply_add(T a, T b, T sum) {
    if constexpr (std::is_floating_point_v<T>)
        return fma(a, b, sum);
    else
        return sum + a * b;
}

/// What a thread reads at once.
template <typename T, int count>
struct alignas(sizeof(T) * count) Pack {
    T at[count];
};

/// A thread's part in bringing `lines` lines to shared memory, `depth` elements of each at a time: either elements of as many lines at one
/// depth, or of one line at as many depths, at even distances there. Little is kept from one stage to the next, for registers are few.
template <int lines, int depth, int pitch, int threads, typename Loader>
class Fetch {
public:
    /// Lines [first, end), depths from `begin` on.
    __device__ Fetch(const Loader& loader, std::int64_t first, std::int64_t end, std::int64_t begin)
        : loader_(loader), along_(loader.along_depth()) {
        const int line = first_line(), left = static_cast<int>(min(end - first, std::int64_t{lines}));
        exist_ = along_ ? (left - line + line_step - 1) / line_step : line < left ? count : 0;
        if constexpr (Loader::even_lines) {
            at_[0] = loader.start(line < left ? first + line : 0);
            if constexpr (Loader::even_depths) at_[0] += loader.distance(begin + first_depth());
        } else {
#pragma unroll
            for (int k = 0; k < count; ++k) at_[k] = loader.line(k < exist_ ? first + line + (along_ ? k * line_step : 0) : 0);
        }
    }

    /// The next `deep` depths, which are those from `first` on, and zeros where there are no more.
    __device__ void fetch(std::int64_t first, int deep) {
        const int there = along_ ? (first_depth() < deep ? exist_ : 0) : min(exist_, (deep - first_depth() + depth_step - 1) / depth_step);
        if constexpr (Loader::even_lines) {
            const Element* from = at_[0];
            if constexpr (Loader::even_depths)
                at_[0] += loader_.distance(depth);
            else
                from += loader_.distance(first + first_depth());
            const std::int64_t apart = along_ ? loader_.line(line_step) : loader_.depth(depth_step);
#pragma unroll
            for (int k = 0; k < count; ++k, from += apart) value_[k] = k < there ? *from : Element{};
        } else {
#pragma unroll
            for (int k = 0; k < count; ++k)
                value_[k] =
                    k < there ? loader_.load(at_[k], loader_.depth(first + first_depth() + (along_ ? 0 : k * depth_step))) : Element{};
        }
    }

    /// To `stage`, widened: the element of a line and a depth at depth * pitch + line.
    template <typename Sum>
    __device__ void store(Sum* stage) const {
        if (lines * depth < threads && threadIdx.x >= lines * depth) return;
        const int first = first_depth() * pitch + first_line(), apart = along_ ? line_step : depth_step * pitch;
#pragma unroll
        for (int k = 0; k < count; ++k) stage[first + k * apart] = convert<Sum>(value_[k]);
    }

private:
    using Element = typename Loader::Element;
    static constexpr int count = (lines * depth + threads - 1) / threads, line_step = threads / depth, depth_step = threads / lines;
    static_assert(lines * depth % threads == 0 || lines * depth < threads);

    __device__ int first_line() const { return static_cast<int>(along_ ? threadIdx.x / depth : threadIdx.x % lines); }
    __device__ int first_depth() const { return static_cast<int>(along_ ? threadIdx.x % depth : threadIdx.x / lines); }

    const Loader& loader_;
    bool along_;
    int exist_;  // elements of each stage, as far as the lines tell
    std::conditional_t<Loader::even_lines, const Element*, typename Loader::Line> at_[Loader::even_lines ? 1 : count];
    Element value_[count];
};

template <typename Sum_, int rows_, int columns_, int depth_, int row_share_, int column_share_>
struct Tile {
    using Sum = Sum_;
    static constexpr int rows = rows_, columns = columns_, depth = depth_, row_share = row_share_, column_share = column_share_;
    static constexpr int threads = rows / row_share * (columns / column_share), blocks_on_sm = 2;

    /// A thread's lines are packs, as far apart as the threads of the block need room between them.
    template <int lines, int share>
    struct Side {
        static constexpr int most = 16 / sizeof(Sum), width = share < most ? share : most;
        static constexpr int pitch = lines + width;  // one pack more: the depths begin in different banks
        __device__ static int line(int thread, int i) { return (i / width * (lines / share) + thread) * width + i % width; }
    };
    using Rows = Side<rows, row_share>;
    using Columns = Side<columns, column_share>;

    struct Stage {
        alignas(16) Sum a[depth * Rows::pitch];
        alignas(16) Sum b[depth * Columns::pitch];
    };
    static constexpr std::size_t shared_bytes = 2 * sizeof(Stage);

    /// Of this thread: neighbours have neighbouring columns.
    __device__ static int thread_row() { return static_cast<int>(threadIdx.x / (columns / column_share)); }
    __device__ static int thread_column() { return static_cast<int>(threadIdx.x % (columns / column_share)); }

    struct Sums {
        Sum at[row_share][column_share];

        __device__ void add(const Stage& stage) {
#pragma unroll
            for (int p = 0; p < depth; ++p) {
                Sum a[row_share], b[column_share];
                read<Rows>(stage.a + p * Rows::pitch, thread_row(), a);
                read<Columns>(stage.b + p * Columns::pitch, thread_column(), b);
#pragma unroll
                for (int i = 0; i < row_share; ++i)
#pragma unroll
                    for (int j = 0; j < column_share; ++j) at[i][j] = multiply_add(a[i], b[j], at[i][j]);
            }
        }

        /// Calls visit(row, column, at(column), sum) for each, counted from the tile's first.
        template <typename At, typename Visit>
        __device__ void each(At at_column, Visit visit) const {
#pragma unroll
            for (int j = 0; j < column_share; ++j) {
                const int column = Columns::line(thread_column(), j);
                const auto place = at_column(column);
#pragma unroll
                for (int i = 0; i < row_share; ++i) visit(Rows::line(thread_row(), i), column, place, at[i][j]);
            }
        }

    private:
        template <typename Side, int share>
        __device__ static void read(const Sum* from, int thread, Sum (&values)[share]) {
#pragma unroll
            for (int i = 0; i < share; i += Side::width) {
                const auto pack = *reinterpret_cast<const Pack<Sum, Side::width>*>(from + Side::line(thread, i));
#pragma unroll
                for (int k = 0; k < Side::width; ++k) values[i + k] = pack.at[k];
            }
        }
    };

    /// Adds the products of depths [begin, end) of rows row, row + 1, ... and columns column, column + 1, ... All threads of the block.
    template <typename Item>
    __device__ static void multiply(const Item& item, std::int64_t row, std::int64_t column, std::int64_t begin, std::int64_t end,
                                    Sums& sums) {
        auto* stages = dynamic_shared_memory<Stage>();
        Fetch<rows, depth, Rows::pitch, threads, typename Item::A> a(item.a, row, item.m, begin);
        Fetch<columns, depth, Columns::pitch, threads, typename Item::B> b(item.b, column, item.n, begin);
        std::int64_t left = end - begin;
        const auto fetch = [&] {
            const auto deep = static_cast<int>(min(left, std::int64_t{depth}));
            a.fetch(begin, deep);
            b.fetch(begin, deep);
            begin += depth;
            left -= depth;
        };
        fetch();
        for (int now = 0; left > -depth; now = 1 - now) {
            Stage& stage = stages[now];
            a.store(stage.a);
            b.store(stage.b);
            __syncthreads();
            fetch();
            sums.add(stage);
        }
    }
};

}  // namespace
}  // namespace pyengine::kernels
