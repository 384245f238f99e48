// Three kernels: dout[i] . out[i] for each query, a warp a row; dk and dv, a block for each 64 keys of a key head, which walks over the
// query heads that read it and their queries; dq, a block for each 64 queries, which walks over the keys. The probabilities are computed
// again for each tile, twice in all: that is what it costs that no two blocks add to the same gradient, so that the order of every sum is
// fixed.
//
// On tensor cores, attention_mma.h: float16 and bfloat16 up to 256 columns, float32 as tf32 up to 128. Else attention_simt.h. Wider
// gradients than 128 columns (float64: 64) are cut among blocks, which compute the scores again.
// T. Dao: FlashAttention-2, ICLR 2024, algorithm 2. They have run in the simulator only.
#include "kernels/cuda/attention_mma.h"

namespace pyengine::kernels {
namespace {

template <typename T>
__global__ void multiply_rows(const T* a, const T* b, std::int64_t rows, std::int64_t width, Accumulator<T>* products) {
    const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x / 32;
    for (std::int64_t row = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / 32; row < rows; row += step) {
        Accumulator<T> sum = 0;
        for (std::int64_t e = threadIdx.x % 32; e < width; e += 32)
            sum += convert<Accumulator<T>>(a[row * width + e]) * convert<Accumulator<T>>(b[row * width + e]);
        sum = sum_over_lanes<32>(sum);
        if (threadIdx.x % 32 == 0) products[row] = sum;
    }
}

template <typename A>
struct QueryStatistics {
    A logsumexp, delta;
};

/// The derivatives with respect to the weights and the scores of one head.
template <typename T>
struct Pullback : Head<T> {
    using A = Accumulator<T>;

    const void* dout;
    const A *logsumexp, *delta;  // of the head's queries

    __device__ Pullback(const AttentionBackwardArgs& args, int number)
        : Head<T>(args, number),
          dout(args.dout),
          logsumexp(static_cast<const A*>(args.logsumexp) + this->row(0)),
          delta(static_cast<const A*>(args.workspace) + this->row(0)) {}

    __device__ Pair<T> queries(std::int64_t first) const { return {this->q(), this->values_of(dout), first}; }
    __device__ Pair<T> keys(std::int64_t first) const { return {this->k(), this->v(), first}; }

    __device__ QueryStatistics<A> statistics(std::int64_t i) const {
        return i < this->p.queries ? QueryStatistics<A>{logsumexp[i], delta[i]} : QueryStatistics<A>{-INFINITY, 0};
    }
};

/// From a score and dout[i] . v[j] to z p / kept_factor and ds.
template <typename Tiles, typename A>
__device__ void pull(const QueryStatistics<A>& query, bool kept, A kept_factor, A& weight, A& slope) {
    const A probability = query.logsumexp == -INFINITY ? 0 : Tiles::exponential(weight - query.logsumexp), z = kept ? 1 : 0;
    slope = query.logsumexp == -INFINITY ? 0 : probability * (z * kept_factor * slope - query.delta);
    weight = z * probability;
}

template <typename Tiles>
__global__ void __launch_bounds__(Tiles::threads, Tiles::blocks_on_sm) pull_to_keys(const __grid_constant__ AttentionBackwardArgs args) {
    if constexpr (!Tiles::available) return;
    using A = typename Tiles::A;
    using T = typename Tiles::Element;
    constexpr int rows = Tiles::rows, columns = Tiles::columns, step = Tiles::step;
    const std::int64_t tiles = tiles_of(args.keys);
    const int group = static_cast<int>(args.query_heads / args.key_heads);
    const int key_head = static_cast<int>(blockIdx.x / tiles);
    const std::int64_t first = blockIdx.x % tiles * tile;
    const std::int64_t column = blockIdx.y * std::int64_t{Tiles::result_width};
    const std::int64_t first_query = args.causal ? first : 0;
    const int steps = first_query < args.queries ? static_cast<int>((args.queries - first_query + step - 1) / step) : 0;

    const A kept_factor = static_cast<A>(1 / (1 - args.dropout));
    A dk[rows][Tiles::result_columns] = {}, dv[rows][Tiles::result_columns] = {};
    Tiles products(Pullback<T>(args, key_head * group).keys(first), column);
    for (int number = key_head * group; number < (key_head + 1) * group; ++number) {
        const Pullback<T> head(args, number);
        for (int n = 0; n < steps; ++n) {
            const std::int64_t query = first_query + std::int64_t{n} * step;
            A weights[rows][columns] = {}, slopes[rows][columns] = {};
            products.multiply(n, steps, [&](int at) { return head.queries(first_query + std::int64_t{at} * step); }, weights, slopes);
            head.template to_scores<Tiles, true>(weights, query, first);
            const std::uint32_t kept = args.dropout > 0 ? Tiles::template kept<true>(head, query, first) : ~0u;
#pragma unroll
            for (int c = 0; c < columns; ++c) {
                const auto of_query = head.statistics(query + Tiles::column(c));
#pragma unroll
                for (int r = 0; r < rows; ++r)
                    pull<Tiles>(of_query, kept >> (r * columns + c) & 1, kept_factor, weights[r][c], slopes[r][c]);
            }
            products.add_y(weights, dv);
            products.add_x(slopes, dk);
        }
    }
    const std::int64_t row = key_head * args.keys;
    Tiles::store(static_cast<T*>(args.dk) + row * args.width, first, args.keys, column, args.width, static_cast<A>(args.scale), dk);
    Tiles::store(static_cast<T*>(args.dv) + row * args.value_width, first, args.keys, column, args.value_width, kept_factor, dv);
}

template <typename Tiles>
__global__ void __launch_bounds__(Tiles::threads, Tiles::blocks_on_sm) pull_to_queries(const __grid_constant__ AttentionBackwardArgs args) {
    if constexpr (!Tiles::available) return;
    using A = typename Tiles::A;
    using T = typename Tiles::Element;
    constexpr int rows = Tiles::rows, columns = Tiles::columns, step = Tiles::step;
    const std::int64_t tiles = tiles_of(args.queries);
    const Pullback<T> head(args, static_cast<int>(blockIdx.x / tiles));
    const std::int64_t first = (tiles - 1 - blockIdx.x % tiles) * tile, column = blockIdx.y * std::int64_t{Tiles::result_width};
    const std::int64_t seen = args.causal && first + tile < args.keys ? first + tile : args.keys;
    const int steps = static_cast<int>((seen + step - 1) / step);
    QueryStatistics<A> of_query[rows];
    for (int r = 0; r < rows; ++r) of_query[r] = head.statistics(first + Tiles::row(r));

    const A kept_factor = head.kept_factor();
    A dq[rows][Tiles::result_columns] = {};
    Tiles products(head.queries(first), column);
    for (int n = 0; n < steps; ++n) {
        A weights[rows][columns] = {}, slopes[rows][columns] = {};
        const std::int64_t key = std::int64_t{n} * step;
        products.multiply(n, steps, [&](int at) { return head.keys(std::int64_t{at} * step); }, weights, slopes);
        head.template to_scores<Tiles>(weights, first, key);
        const std::uint32_t kept = args.dropout > 0 ? Tiles::kept(head, first, key) : ~0u;
        each_element<rows, columns>(
            [&](int r, int c) { pull<Tiles>(of_query[r], kept >> (r * columns + c) & 1, kept_factor, weights[r][c], slopes[r][c]); });
        products.add_x(slopes, dq);
    }
    T* const to = static_cast<T*>(args.dq) + head.row(0) * args.width;
    Tiles::store(to, first, args.queries, column, args.width, static_cast<A>(args.scale), dq);
}

}  // namespace

template <>
std::size_t scaled_dot_product_attention_backward_workspace<level>(const AttentionProblem& args) {
    return static_cast<std::size_t>(args.batch * args.query_heads * args.queries) * (args.type == ElementType::float64 ? 8 : 4);
}

template <>
void scaled_dot_product_attention_backward<level>(const AttentionBackwardArgs& args) {
    const std::int64_t queries = args.batch * args.query_heads * args.queries;
    const std::int64_t query_tiles = args.batch * args.query_heads * tiles_of(args.queries);
    const std::int64_t key_tiles = args.batch * args.key_heads * tiles_of(args.keys);
    const std::int64_t widest = args.width > args.value_width ? args.width : args.value_width;
    if (queries > 0)
        with_float_type(args.type, [&]<typename T> {
            launch(multiply_rows<T>, shape_for(queries * 32), static_cast<const T*>(args.dout), static_cast<const T*>(args.out), queries,
                   args.value_width, static_cast<Accumulator<T>*>(args.workspace));
        });
    with_attention_tiles<MmaBackward, SimtBackward>(args, widest, [&]<typename Tiles> {
        if (key_tiles > 0) launch(pull_to_keys<Tiles>, blocks_for<Tiles>(key_tiles, widest), args);
        if (query_tiles > 0) launch(pull_to_queries<Tiles>, blocks_for<Tiles>(query_tiles, args.width), args);
    });
}

}  // namespace pyengine::kernels
