// A block owns 64 queries of one head and `result_width` columns of their result, and walks over the keys in tiles of 64: scores, the
// running maximum and sum of the softmax, weights times values. Registers hold scores and result; nothing but the result and logsumexp is
// written. Keys and values are read again by each block, from the cache where a head's fit. Causal: tiles beyond the diagonal are left out,
// the queries that see the most keys come first.
//
// On tensor cores, attention_mma.h: float16 and bfloat16 up to 256 columns, float32 as tf32 up to 128. Else attention_simt.h, where wider
// results than 128 columns (float64: 64) are cut among blocks, which compute the scores again.
// T. Dao: FlashAttention-2, ICLR 2024, algorithm 1. It has run in the simulator only.
#include "kernels/cuda/attention_mma.h"
#include "kernels/cuda/attention_simt.h"

namespace pyengine::kernels {
namespace {

/// The softmax of a thread's rows so far: out is not yet divided by the total, which is this lane's share.
template <typename Tiles>
struct Online {
    using A = typename Tiles::A;

    A max[Tiles::rows], total[Tiles::rows] = {}, out[Tiles::rows][Tiles::result_columns] = {};

    __device__ Online() {
        for (A& m : max) m = -INFINITY;
    }

    /// Turns scores into exp(score - max).
    __device__ void absorb(A (&scores)[Tiles::rows][Tiles::columns]) {
#pragma unroll
        for (int r = 0; r < Tiles::rows; ++r) {
            A now = max[r];
            for (A s : scores[r]) now = s > now ? s : now;  // passes over NaN, which shows in the sum
            now = max_over_lanes<Tiles::row_lanes>(now);
            const A finite = or_zero(now), shrink = Tiles::exponential(max[r] - finite);
            max[r] = now;
            total[r] *= shrink;
            for (A& o : out[r]) o *= shrink;
            for (A& s : scores[r]) total[r] += s = Tiles::exponential(s - finite);
        }
    }

    __device__ void close() {
#pragma unroll
        for (int r = 0; r < Tiles::rows; ++r) {
            total[r] = sum_over_lanes<Tiles::row_lanes>(total[r]);
            for (A& o : out[r]) o = total[r] == 0 ? 0 : o / total[r];
        }
    }

    __device__ A logsumexp(int r) const { return or_zero(max[r]) + log(total[r]); }

private:
    /// -Inf - -Inf would be NaN.
    __device__ static A or_zero(A x) { return x == -INFINITY ? 0 : x; }
};

template <typename Tiles>
__global__ void __launch_bounds__(Tiles::threads, Tiles::blocks_on_sm) attend(const __grid_constant__ AttentionArgs args) {
    if constexpr (!Tiles::available) return;
    using A = typename Tiles::A;
    using T = typename Tiles::Element;
    constexpr int rows = Tiles::rows, columns = Tiles::columns;
    const std::int64_t tiles = tiles_of(args.queries);
    const Head<T> head(args, static_cast<int>(blockIdx.x / tiles));
    const std::int64_t first = (tiles - 1 - blockIdx.x % tiles) * tile, column = blockIdx.y * std::int64_t{Tiles::result_width};
    const std::int64_t seen = args.causal && first + tile < args.keys ? first + tile : args.keys;
    const int steps = static_cast<int>(tiles_of(seen));

    Tiles products(head, first, column);
    Online<Tiles> online;
    for (int n = 0; n < steps; ++n) {
        const std::int64_t key = std::int64_t{n} * tile;
        A scores[rows][columns] = {};
        products.multiply_keys(n, scores);
        head.template to_scores<Tiles>(scores, first, key);
        online.absorb(scores);
        if (args.dropout > 0) {
            const std::uint32_t kept = Tiles::kept(head, first, key);
            each_element<rows, columns>([&](int r, int c) { scores[r][c] *= static_cast<A>(kept >> (r * columns + c) & 1); });
        }
        products.add_values(n, steps, scores, online.out);
    }
    online.close();
    for (int r = 0; r < rows; ++r) {
        const std::int64_t i = first + Tiles::row(r);
        if (i < args.queries && Tiles::column(0) == 0 && column == 0) static_cast<A*>(args.logsumexp)[head.row(i)] = online.logsumexp(r);
    }
    T* const out = static_cast<T*>(args.out) + head.row(0) * args.value_width;
    Tiles::store(out, first, args.queries, column, args.value_width, head.kept_factor(), online.out);
}

}  // namespace

template <>
std::size_t scaled_dot_product_attention_workspace<level>(const AttentionProblem&) {
    return 0;
}

template <>
void scaled_dot_product_attention<level>(const AttentionArgs& args) {
    const std::int64_t blocks = args.batch * args.query_heads * tiles_of(args.queries);
    if (blocks == 0) return;
    with_attention_tiles<MmaForward, SimtForward>(
        args, args.value_width, [&]<typename Tiles> { launch(attend<Tiles>, blocks_for<Tiles>(blocks, args.value_width), args); });
}

}  // namespace pyengine::kernels
