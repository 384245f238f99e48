// Tiles of attention for a block of 256 threads, without tensor cores. Thread (y, x) of 16 x 16 holds of a tile the elements of rows y, y +
// 16, ... and columns x, x + 16, ...: a row's elements are in 16 neighbouring lanes.
//
// Both factors go through shared memory in panels of `depth` products: neighbouring threads load neighbouring columns, rows are padded by
// one, so that neither reading nor transposing meets a bank twice. For each product a thread reads 4 + 4 elements and does 16
// multiplications and additions.
#pragma once

#include "kernels/cuda/attention_head.h"

namespace pyengine::kernels {
namespace {

template <typename T, int columns_of_result>
struct Simt {
    using Element = T;
    using A = Accumulator<T>;
    static constexpr bool available = true;
    static constexpr int side = 16, threads = side * side, blocks_on_sm = 1;
    static constexpr int row_lanes = side;
    static constexpr int step = tile;  // rows of the moving tile
    static constexpr int rows = tile / side, columns = tile / side, result_columns = columns_of_result;
    static constexpr int result_width = side * result_columns;
    static constexpr int depth = 128 / sizeof(A);

    struct Shared {
        A left[tile][depth + 1];
        A right[depth][(result_width > tile ? result_width : tile) + 1];
        A weights[tile][tile + 1];
    };
    static constexpr std::size_t shared_bytes = sizeof(Shared);

    __device__ static int row(int r) { return static_cast<int>(threadIdx.x) / side + side * r; }
    __device__ static int column(int c) { return static_cast<int>(threadIdx.x) % side + side * c; }
    __device__ static A exponential(A x) { return exp(x); }

    /// Head::kept for the tile of queries i0, i0 + 1, ... and keys j0, j0 + 1, ...: bit r * columns + c.
    template <bool transposed = false>
    __device__ static std::uint32_t kept(const Head<T>& head, std::int64_t i0, std::int64_t j0) {
        std::uint32_t bits = 0;
#pragma unroll 1
        for (int n = 0; n < rows * columns; ++n) {
            const int i = transposed ? column(n % columns) : row(n / columns), j = transposed ? row(n / columns) : column(n % columns);
            bits |= head.kept(i0 + i, j0 + j, 1) << n;
        }
        return bits;
    }

    /// Writes factor * values to rows first, first + 1, ... of a matrix (rows, width).
    __device__ static void store(T* to, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t width, A factor,
                                 const A (&values)[rows][result_columns]) {
        each_element<rows, result_columns>([&](int r, int c) {
            const std::int64_t i = first + row(r), e = column + Simt::column(c);
            if (i < count && e < width) to[i * width + e] = convert<T>(factor * values[r][c]);
        });
    }

protected:
    /// sum[i, j] += x[i0 + i] . y[j0 + j]
    __device__ static void inner_products(const Matrix<T>& x, std::int64_t i0, const Matrix<T>& y, std::int64_t j0,
                                          A (&sum)[rows][columns]) {
        auto& shared = *dynamic_shared_memory<Shared>();
        const int along = static_cast<int>(threadIdx.x) % depth, first = static_cast<int>(threadIdx.x) / depth;
        for (std::int64_t d = 0; d < x.columns; d += depth) {
            const int count = at_most_depth(x.columns - d);
            __syncthreads();
            for (int i = first; i < tile && along < count; i += threads / depth) {
                shared.left[i][along] = convert<A>(x(i0 + i, d + along));
                shared.right[along][i] = convert<A>(y(j0 + i, d + along));
            }
            __syncthreads();
            multiply(sum, shared.left, 0, shared.right, count);
        }
    }

    /// sum[i, e] += sum over j of weights[i, j] y[j0 + j, e0 + e]
    __device__ static void weighted_rows(const A (&weights)[rows][columns], const Matrix<T>& y, std::int64_t j0, std::int64_t e0,
                                         A (&sum)[rows][result_columns]) {
        auto& shared = *dynamic_shared_memory<Shared>();
        __syncthreads();
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < columns; ++c) shared.weights[row(r)][column(c)] = weights[r][c];
        for (int j = 0; j < tile && j0 + j < y.rows; j += depth) {
            const int count = at_most_depth(y.rows - j0 - j);
            if (j > 0) __syncthreads();
            for (int n = static_cast<int>(threadIdx.x); n < count * result_width; n += threads)
                shared.right[n / result_width][n % result_width] = convert<A>(y(j0 + j + n / result_width, e0 + n % result_width));
            __syncthreads();
            multiply(sum, shared.weights, j, shared.right, count);
        }
    }

private:
    __device__ static int at_most_depth(std::int64_t count) { return count < depth ? static_cast<int>(count) : depth; }

    /// sum += left[:, first : first + count] right[:count]
    template <int n, int left_stride, int right_stride>
    __device__ static void multiply(A (&sum)[rows][n], const A (&left)[tile][left_stride], int first, const A (&right)[depth][right_stride],
                                    int count) {
        for (int d = 0; d < count; ++d) {
            A a[rows], b[n];
            for (int r = 0; r < rows; ++r) a[r] = left[row(r)][first + d];
            for (int c = 0; c < n; ++c) b[c] = right[d][column(c)];
            for (int r = 0; r < rows; ++r)
                for (int c = 0; c < n; ++c) sum[r][c] += a[r] * b[c];
        }
    }
};

/// Queries first, first + 1, ... of a head against tile n of `count` of its keys and values.
template <typename T, int columns_of_result>
class SimtForward : public Simt<T, columns_of_result> {
public:
    using Base = Simt<T, columns_of_result>;
    using typename Base::A;

    __device__ SimtForward(const Head<T>& head, std::int64_t first, std::int64_t column)
        : q_(head.q()), k_(head.k()), v_(head.v()), first_(first), column_(column) {}

    __device__ void multiply_keys(int n, A (&sum)[Base::rows][Base::columns]) {
        Base::inner_products(q_, first_, k_, std::int64_t{n} * tile, sum);
    }

    __device__ void add_values(int n, int /*count*/, const A (&weights)[Base::rows][Base::columns],
                               A (&out)[Base::rows][Base::result_columns]) {
        Base::weighted_rows(weights, v_, std::int64_t{n} * tile, column_, out);
    }

private:
    Matrix<T> q_, k_, v_;
    std::int64_t first_, column_;
};

/// A pair that stays, against pairs that move past it.
template <typename T, int columns_of_result>
class SimtBackward : public Simt<T, columns_of_result> {
public:
    using Base = Simt<T, columns_of_result>;
    using typename Base::A;

    __device__ SimtBackward(const Pair<T>& own, std::int64_t column) : own_(own), moving_(own), column_(column) {}

    /// The inner products of the own pair's rows with those of pair n: of x with x, and of y with y.
    template <typename PairOf>
    __device__ void multiply(int n, int /*count*/, PairOf pair_of, A (&x)[Base::rows][Base::columns], A (&y)[Base::rows][Base::columns]) {
        moving_ = pair_of(n);
        Base::inner_products(own_.x, own_.first, moving_.x, moving_.first, x);
        Base::inner_products(own_.y, own_.first, moving_.y, moving_.first, y);
    }

    __device__ void add_x(const A (&weights)[Base::rows][Base::columns], A (&sum)[Base::rows][Base::result_columns]) {
        Base::weighted_rows(weights, moving_.x, moving_.first, column_, sum);
    }
    __device__ void add_y(const A (&weights)[Base::rows][Base::columns], A (&sum)[Base::rows][Base::result_columns]) {
        Base::weighted_rows(weights, moving_.y, moving_.first, column_, sum);
    }

private:
    Pair<T> own_, moving_;
    std::int64_t column_;
};

/// Calls with the tiles for results of so many columns; wider results are cut.
template <template <typename, int> typename Tiles, typename T, typename Call>
void with_simt_tiles(std::int64_t columns, Call call) {
    if (columns <= 16)
        call.template operator()<Tiles<T, 1>>();
    else if (columns <= 64 || sizeof(T) == 8)
        call.template operator()<Tiles<T, 4>>();
    else
        call.template operator()<Tiles<T, sizeof(T) == 8 ? 4 : 8>>();
}

template <typename Tiles>
LaunchShape blocks_for(std::int64_t count, std::int64_t columns) {
    const std::int64_t parts = columns > 0 ? (columns + Tiles::result_width - 1) / Tiles::result_width : 1;
    return {{static_cast<unsigned>(count), static_cast<unsigned>(parts)}, {Tiles::threads}, Tiles::shared_bytes};
}

}  // namespace
}  // namespace pyengine::kernels
