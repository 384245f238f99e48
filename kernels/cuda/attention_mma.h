// Tiles of attention on tensor cores, sums in float: mma.sync m16n8k16 for float16 and bfloat16 and rows of at most 256 elements, m16n8k8 for
// float32 where it may be rounded to tf32, and rows of at most 128; sm_80. What differs between them is in attention_fragments.h.
//
// A block has 4 warps, each with 16 rows of a tile of 64 that stays, and meets tiles of `step` rows that move past it. Rows come to shared
// memory by cp.async, 16 bytes at a time, while the tile before them is multiplied; rows that do not begin at a multiple of 16 bytes come
// through registers, one element at a time. They are filled up with zeros to 128, 256 or 512 bytes. Weights are rounded to what mma takes
// and stay in registers.
//
//   bytes of a row                       128       256       512
//   forward: registers, 16 bits          152, 144  205, 208  251, 247    nvcc 13.0: sm_80, sm_90a
//                       tf32             137, 142  171, 170  170, 183
//     shared memory, KiB                 24        48        96
//     blocks on an SM                    3         2         1, 2        A100, H100
//   backward, keys: registers, 16 bits   200, 198  255       248, 250
//                              tf32      167, 198  245, 243  255         the last spills 276 and 20 bytes; nothing else is spilled
//   backward, queries, 16 bits           159       196, 191  208, 204
//                      tf32              126, 140  141, 161  242, 241
//     shared memory, KiB                 32        64        96
//     blocks on an SM                    2 and 3   2         1, 2
//
// For each product of mma a warp reads 256 bytes of shared memory, in the scores of the backward pass 384: on an A100 the first is just what
// an SM reads while its tensor cores multiply. 32 rows for each warp would halve it, with sums that fill the registers at 256 bytes. For
// tf32 it rounds 2 words as well, in the scores of the backward pass 3: every warp rounds all moving rows. Rejected: one block more on an SM
// in the forward pass, for which up to 88 bytes are spilled at 256 bytes. Rejected by arithmetic: rows padded by 16 bytes instead of
// exchanged chunks, which at 512 bytes are beyond the 99 KiB of sm_86 and sm_89; in the backward pass, moving tiles of 64 rows at 256 bytes,
// 96 KiB; queries in registers at 512 bytes, 224 with scores and sums alone; gradients of 128 floats cut among two blocks, which spills
// nothing and multiplies half as much again.
#pragma once

#include "kernels/cuda/attention_fragments.h"
#include "kernels/cuda/attention_simt.h"

namespace pyengine::kernels {
namespace {

template <typename T, int width, int step_, int result_width_>
struct Mma {
    using Element = T;
    using A = float;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    static constexpr bool available = false;
#else
    static constexpr bool available = true;
#endif
    static constexpr int threads = 128, row_lanes = 4, step = step_, result_width = result_width_;
    static constexpr int rows = 2, columns = step / 4, result_columns = result_width / 4;
    using Own = SharedRows<T, tile, width>;
    using Moving = SharedRows<T, step, width>;

    __device__ static int row(int r) { return static_cast<int>(warp_row() + lane() / 4) + 8 * r; }
    __device__ static int column(int c) { return c / 2 * 8 + static_cast<int>(lane() % 4) * 2 + c % 2; }
    __device__ static float exponential(float x) { return exp2f(x * 1.44269504f); }

    /// Head::kept for the tile of queries i0, i0 + 1, ... and keys j0, j0 + 1, ...: bit r * columns + c. A lane draws for one query and
    /// some neighbouring keys what other lanes need.
    template <bool transposed = false>
    __device__ static std::uint32_t kept(const Head<T>& head, std::int64_t i0, std::int64_t j0) {
        constexpr unsigned queries = transposed ? step : 16, keys = transposed ? 16 : step, share = keys * queries / 32;
        const std::int64_t query = i0 + (transposed ? 0 : warp_row()) + lane() % queries;
        const std::uint32_t drawn = head.kept(query, j0 + (transposed ? warp_row() : 0) + lane() / queries * share, share);
        std::uint32_t bits = 0;
        each_element<rows, columns>([&](int r, int c) {
            const unsigned i = transposed ? Mma::column(c) : row(r) % 16, j = transposed ? row(r) % 16 : Mma::column(c);
            const std::uint32_t word = __shfl_sync(0xffffffffu, drawn, static_cast<int>(i + j / share * queries));
            bits |= (word >> j % share & 1) << (r * columns + c);
        });
        return bits;
    }

    /// Writes factor * values to rows first, first + 1, ... of a matrix (count, width), by way of shared memory, 16 bytes at a time.
    __device__ static void store(T* to, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns, float factor,
                                 const float (&values)[rows][result_columns]) {
        auto& staged = *dynamic_shared_memory<SharedRows<T, tile, result_width>>();
        cp_async_wait<0>();
        __syncthreads();
        each_element<rows, result_columns / 2>([&](int r, int c) {
            const auto pair = to_pair<T>(factor * values[r][2 * c], factor * values[r][2 * c + 1]);
            *reinterpret_cast<Pack<T, 2>*>(staged.at(row(r), Mma::column(2 * c))) = pair;
        });
        __syncwarp();
        constexpr unsigned in_chunk = Own::in_chunk, chunks = result_width / in_chunk;
        const bool aligned = columns % in_chunk == 0 && reinterpret_cast<std::uintptr_t>(to) % 16 == 0;
        for (unsigned n = lane(); n < 16 * chunks; n += 32) {
            const unsigned i = warp_row() + n / chunks, e = n % chunks * in_chunk;
            const std::int64_t left = first + i < count ? columns - column - e : 0;
            T* const place = to + (first + i) * columns + column + e;
            if (aligned && left >= in_chunk)
                *reinterpret_cast<Pack<T, in_chunk>*>(place) = *reinterpret_cast<const Pack<T, in_chunk>*>(staged.at(i, e));
            else
                for (unsigned x = 0; x < in_chunk && x < left; ++x) place[x] = *staged.at(i, e + x);
        }
    }

protected:
    static constexpr int depth = Own::depth;  // of a fragment

    /// `depth` columns of the warp's rows.
    __device__ static void load(std::uint32_t (&a)[4], Own& own, int first) { own.load_left(a, warp_row(), first); }

    /// sum[i, j] += a[i] . y[j, first : first + depth]
    __device__ static void inner_products(const std::uint32_t (&a)[4], Moving& y, int first, float (&sum)[rows][columns]) {
#pragma unroll
        for (int j = 0; j < step; j += 16) {
            std::uint32_t b[4];
            y.load_transposed(b, j, first);
            multiply(sum, j / 4, a, b[0], b[1]);
            multiply(sum, j / 4 + 2, a, b[2], b[3]);
        }
    }

    /// sum[i, e] += sum over j of weights[i, j] y[j, first + e]
    __device__ static void weighted_rows(const float (&weights)[rows][columns], Moving& y, int first, float (&sum)[rows][result_columns]) {
#pragma unroll
        for (int j = 0; j < step; j += depth) {
            std::uint32_t a[4], b[4];
            to_left_factor<T>(a, weights, j / 4);
#pragma unroll
            for (int e = 0; e < result_width; e += 16) {
                y.load_right(b, j, first + e);
                multiply(sum, e / 4, a, b[0], b[1]);
                multiply(sum, e / 4 + 2, a, b[2], b[3]);
            }
        }
    }

private:
    __device__ static unsigned warp_row() { return threadIdx.x / 32 * 16; }

    /// Adds to the lane's elements c, c + 1 of both rows.
    template <int n>
    __device__ static void multiply(float (&sum)[rows][n], int c, const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
        float d[4] = {sum[0][c], sum[0][c + 1], sum[1][c], sum[1][c + 1]};
        add_product<T>(d, a, {b0, b1});
        sum[0][c] = d[0], sum[0][c + 1] = d[1], sum[1][c] = d[2], sum[1][c + 1] = d[3];
    }
};

/// Queries first, first + 1, ... of a head against tile n of `count` of its keys and values. Two buffers: while the keys in one are
/// multiplied, the values come to the other, and the next keys while the values are.
template <typename T, int width>
class MmaForward : public Mma<T, width, tile, width> {
    using Base = Mma<T, width, tile, width>;
    static constexpr bool held = width * sizeof(T) <= 256;  // the queries, in registers

    struct Shared {
        typename Base::Own q;
        typename Base::Moving k, v;
    };

public:
    static constexpr int blocks_on_sm = width * sizeof(T) == 128 ? 3 : 2;
    static constexpr std::size_t shared_bytes = sizeof(Shared);

    __device__ MmaForward(const Head<T>& head, std::int64_t first, std::int64_t /*column*/) : k_(head.k()), v_(head.v()) {
        shared().q.template copy<Base::threads>(head.q(), first);
        shared().k.template copy<Base::threads>(k_, 0);
        cp_async_commit();
        if constexpr (held) {
            cp_async_wait<0>();
            __syncthreads();
#pragma unroll
            for (int d = 0; d < width; d += Base::depth) Base::load(q_[d / Base::depth], shared().q, d);
        }
    }

    __device__ void multiply_keys(int n, float (&sum)[Base::rows][Base::columns]) {
        cp_async_wait<0>();
        __syncthreads();  // the keys are there, and the values before them read
        shared().v.template copy<Base::threads>(v_, std::int64_t{n} * tile);
        cp_async_commit();
#pragma unroll
        for (int d = 0; d < width; d += Base::depth) {
            if constexpr (!held) Base::load(q_[0], shared().q, d);
            Base::inner_products(q_[held ? d / Base::depth : 0], shared().k, d, sum);
        }
    }

    __device__ void add_values(int n, int count, const float (&weights)[Base::rows][Base::columns],
                               float (&out)[Base::rows][Base::result_columns]) {
        cp_async_wait<0>();
        __syncthreads();  // the values are there, and the keys read
        if (n + 1 < count) shared().k.template copy<Base::threads>(k_, std::int64_t{n + 1} * tile);
        cp_async_commit();
        Base::weighted_rows(weights, shared().v, 0, out);
    }

private:
    __device__ static Shared& shared() { return *dynamic_shared_memory<Shared>(); }

    Matrix<T> k_, v_;
    std::uint32_t q_[held ? width / Base::depth : 1][4];
};

/// A pair that stays, against pairs that move past it. Where two of those have room in shared memory, one comes while the other is
/// multiplied.
template <typename T, int width>
class MmaBackward : public Mma<T, width, 32, width <= 128 ? width : 128> {
    using Base = Mma<T, width, 32, width <= 128 ? width : 128>;
    static constexpr int stages = width * sizeof(T) <= 256 ? 2 : 1;

    struct Shared {
        typename Base::Own x, y;
        struct {
            typename Base::Moving x, y;
        } moving[stages];
    };

public:
    static constexpr int blocks_on_sm = 2;
    static constexpr std::size_t shared_bytes = sizeof(Shared);

    __device__ MmaBackward(const Pair<T>& own, std::int64_t column) : column_(static_cast<int>(column)) {
        shared().x.template copy<Base::threads>(own.x, own.first);
        shared().y.template copy<Base::threads>(own.y, own.first);
        cp_async_commit();
    }

    /// The inner products of the own pair's rows with those of pair n of `count`: of x with x, and of y with y.
    template <typename PairOf>
    __device__ void multiply(int n, int count, PairOf pair_of, float (&x)[Base::rows][Base::columns],
                             float (&y)[Base::rows][Base::columns]) {
        if (stages == 1 || n == 0) {
            __syncthreads();  // the pair before has been read
            fetch(n, pair_of(n));
        }
        cp_async_wait<0>();
        __syncthreads();
        if (stages == 2 && n + 1 < count) fetch(n + 1, pair_of(n + 1));
        stage_ = n % stages;
        add_products(shared().x, shared().moving[stage_].x, x);
        add_products(shared().y, shared().moving[stage_].y, y);
    }

    __device__ void add_x(const float (&weights)[Base::rows][Base::columns], float (&sum)[Base::rows][Base::result_columns]) {
        Base::weighted_rows(weights, shared().moving[stage_].x, column_, sum);
    }
    __device__ void add_y(const float (&weights)[Base::rows][Base::columns], float (&sum)[Base::rows][Base::result_columns]) {
        Base::weighted_rows(weights, shared().moving[stage_].y, column_, sum);
    }

private:
    __device__ static Shared& shared() { return *dynamic_shared_memory<Shared>(); }

    __device__ static void fetch(int n, const Pair<T>& pair) {
        shared().moving[n % stages].x.template copy<Base::threads>(pair.x, pair.first);
        shared().moving[n % stages].y.template copy<Base::threads>(pair.y, pair.first);
        cp_async_commit();
    }

    __device__ static void add_products(typename Base::Own& own, typename Base::Moving& moving, float (&sum)[Base::rows][Base::columns]) {
#pragma unroll
        for (int d = 0; d < width; d += Base::depth) {
            std::uint32_t a[4];
            Base::load(a, own, d);
            Base::inner_products(a, moving, d, sum);
        }
    }

    int column_, stage_ = 0;
};

/// Calls with the tiles for the problem; those without tensor cores for results of so many columns.
template <template <typename, int> typename MmaTiles, template <typename, int> typename SimtTiles, typename Call>
void with_attention_tiles(const AttentionProblem& args, std::int64_t columns, Call call) {
    const std::int64_t widest = args.width > args.value_width ? args.width : args.value_width;
    with_float_type(args.type, [&]<typename T> {
        constexpr int narrow = 128 / sizeof(T);
        const bool allowed = is_half<T> || (std::is_same_v<T, float> && args.tf32);
        if (!allowed || widest > 4 * narrow || compute_capability() < 80) {
            with_simt_tiles<SimtTiles, T>(columns, call);
        } else if constexpr (!std::is_same_v<T, double>) {
            if (widest <= narrow)
                call.template operator()<MmaTiles<T, narrow>>();
            else if (widest <= 2 * narrow)
                call.template operator()<MmaTiles<T, 2 * narrow>>();
            else
                call.template operator()<MmaTiles<T, 4 * narrow>>();
        }
    });
}

}  // namespace
}  // namespace pyengine::kernels
