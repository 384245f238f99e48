// The product of two matrices, a tile of the result to a block of threads, in exact arithmetic of the sums' type.
//
// What the factors are is the loaders' business: a matrix with strides, or what a convolution reads. A loader L of the rows of A, or of the
// columns of B, both called lines, has
//     L::Element;  element_at = line(i) and depth_at(p), each computed once;  load(line, depth): the element, widened by the tile
//     along_depth(): whether neighbouring threads shall read neighbouring depths of a line, or neighbouring lines at one depth
//
// Algorithm: for each step of `depth`, all threads bring rows x depth elements of A and depth x columns of B to shared memory, transposed so
// that depth comes first; then each thread adds depth outer products of row_share by column_share values to the sums in its registers. Two
// stages: while one is multiplied, the elements of the next are on their way to registers. One barrier for each step.
//
// Arithmetic, for floats and a tile of 128 x 128 x 8 with 8 x 8 sums:  threads 256; shared memory 2 stages x 8 x 2 x 132 x 4 = 16.5 KiB;
// registers 64 sums + 16 factors + 8 elements on their way, and addresses: 128 and 120 bytes spilled (nvcc 13.0, sm_90a), two blocks on an SM.
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

/// A thread's part in bringing `lines` lines to shared memory, `depth` elements of each at a time.
template <int lines, int depth, int threads, typename Loader>
class Fetch {
public:
    __device__ Fetch(const Loader& loader, std::int64_t first, std::int64_t end) : loader_(loader), along_(loader.along_depth()) {
        const int thread = static_cast<int>(threadIdx.x);
        line_ = along_ ? thread / depth : thread % lines;
        depth_ = along_ ? thread % depth : thread / lines;
#pragma unroll
        for (int k = 0; k < count; ++k) {
            const std::int64_t i = first + line_of(k);
            const bool exists = i < end && is_mine(k);
            at_[k] = loader.line(exists ? i : 0);
            exists_ |= unsigned{exists} << k;
        }
    }

    /// `deep` depths from `first` on, and zeros where there are no more.
    __device__ void fetch(std::int64_t first, int deep) {
#pragma unroll
        for (int k = 0; k < count; ++k) {
            const int p = depth_of(k);
            value_[k] = (exists_ >> k & 1) && p < deep ? loader_.load(at_[k], loader_.depth(first + p)) : typename Loader::Element{};
        }
    }

    /// Calls put(line, depth, element) for each.
    template <typename Put>
    __device__ void store(Put put) const {
#pragma unroll
        for (int k = 0; k < count; ++k)
            if (is_mine(k)) put(line_of(k), depth_of(k), value_[k]);
    }

private:
    static constexpr int count = (lines * depth + threads - 1) / threads;

    __device__ int line_of(int k) const { return along_ ? line_ + k * (threads / depth) : line_; }
    __device__ int depth_of(int k) const { return along_ ? depth_ : depth_ + k * (threads / lines); }
    __device__ bool is_mine(int k) const { return lines * depth % threads == 0 || (line_of(k) < lines && depth_of(k) < depth); }

    const Loader& loader_;
    bool along_;
    int line_, depth_;  // of the first element
    unsigned exists_ = 0;
    typename Loader::Line at_[count];
    typename Loader::Element value_[count];
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
        using Values = Pack<Sum, width>[depth][lines / width + 1];  // one more: the rows begin in different banks
        __device__ static int line(int thread, int i) { return (i / width * (lines / share) + thread) * width + i % width; }
    };
    using Rows = Side<rows, row_share>;
    using Columns = Side<columns, column_share>;

    struct Stage {
        typename Rows::Values a;
        typename Columns::Values b;

        template <typename E>
        __device__ void put_a(int line, int p, E x) {
            a[p][line / Rows::width].at[line % Rows::width] = convert<Sum>(x);
        }
        template <typename E>
        __device__ void put_b(int line, int p, E x) {
            b[p][line / Columns::width].at[line % Columns::width] = convert<Sum>(x);
        }
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
                read<Rows, row_share>(stage.a[p], thread_row(), a);
                read<Columns, column_share>(stage.b[p], thread_column(), b);
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
        template <typename Side, int share, typename Line>
        __device__ static void read(const Line& line, int thread, Sum (&values)[share]) {
#pragma unroll
            for (int i = 0; i < share; i += Side::width) {
                const auto pack = line[Side::line(thread, i) / Side::width];
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
        Fetch<rows, depth, threads, typename Item::A> a(item.a, row, item.m);
        Fetch<columns, depth, threads, typename Item::B> b(item.b, column, item.n);
        const auto count = [&](std::int64_t p) { return static_cast<int>(max(std::int64_t{0}, min(end - p, std::int64_t{depth}))); };
        a.fetch(begin, count(begin));
        b.fetch(begin, count(begin));
        for (std::int64_t p = begin; p < end; p += depth) {
            auto& stage = stages[(p - begin) / depth % 2];
            a.store([&](int line, int at, auto x) { stage.put_a(line, at, x); });
            b.store([&](int line, int at, auto x) { stage.put_b(line, at, x); });
            __syncthreads();
            a.fetch(p + depth, count(p + depth));
            b.fetch(p + depth, count(p + depth));
            sums.add(stage);
        }
    }
};

}  // namespace
}  // namespace pyengine::kernels
