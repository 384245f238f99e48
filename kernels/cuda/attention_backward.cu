// Three kernels: dout[i] . out[i] for each query, a warp a row; dk and dv, a block for each 64 keys of a key head, which walks over the query
// heads that read it and their queries in tiles of 64; dq, a block for each 64 queries, which walks over the keys. The probabilities
// are computed again for each tile, twice in all: that is what it costs that no two blocks add to the same gradient, so that the order
// of every sum is fixed. Wider gradients than 128 columns (float64: 64) are cut among blocks, which compute the scores again.
// T. Dao: FlashAttention-2, ICLR 2024, algorithm 2. They have run in the simulator only.
#include "kernels/cuda/attention_simt.h"

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

/// The derivatives with respect to the weights and the scores of one head.
template <typename T>
struct Pullback : Head<T> {
    using A = Accumulator<T>;

    const A *logsumexp, *delta;  // of the head's queries

    __device__ Pullback(const AttentionBackwardArgs& args, std::int64_t number)
        : Head<T>(args, number),
          logsumexp(static_cast<const A*>(args.logsumexp) + this->row(0)),
          delta(static_cast<const A*>(args.workspace) + this->row(0)) {}

    /// From q[i] . k[j] and dout[i] . v[j] to z p and ds.
    __device__ void pull(std::int64_t i, std::int64_t j, A& weight, A& slope) const {
        const A score = this->score(i, j, weight);
        if (i >= this->p.queries || logsumexp[i] == -INFINITY) {
            weight = slope = 0;
            return;
        }
        const A probability = exp(score - logsumexp[i]), kept = this->kept(i, j);
        slope = probability * (kept * slope - delta[i]);
        weight = kept * probability;
    }
};

template <typename Tiles, typename T, typename A>
__device__ void store(void* to, std::int64_t first, std::int64_t rows, std::int64_t column, std::int64_t width,
                      const A (&values)[Tiles::rows][Tiles::result_columns], A factor) {
    for (int r = 0; r < Tiles::rows; ++r)
        for (int c = 0; c < Tiles::result_columns; ++c) {
            const std::int64_t i = Tiles::row(r), d = column + Tiles::column(c);
            if (i < rows && d < width) static_cast<T*>(to)[(first + i) * width + d] = convert<T>(factor * values[r][c]);
        }
}

template <typename Tiles>
__global__ void __launch_bounds__(Tiles::threads) pull_to_keys(const __grid_constant__ AttentionBackwardArgs args) {
    using A = typename Tiles::A;
    using T = typename Tiles::Element;
    auto& shared = *dynamic_shared_memory<typename Tiles::Shared>();
    const std::int64_t tiles = tiles_of(args.keys), group = args.query_heads / args.key_heads;
    const std::int64_t key_head = blockIdx.x / tiles, first = blockIdx.x % tiles * tile;
    const std::int64_t column = blockIdx.y * std::int64_t{Tiles::result_width};

    A dk[Tiles::rows][Tiles::result_columns] = {}, dv[Tiles::rows][Tiles::result_columns] = {};
    for (std::int64_t number = key_head * group; number < (key_head + 1) * group; ++number) {
        const Pullback<T> head(args, number);
        const Matrix<T> q = head.q(), dout = head.values_of(args.dout);
        for (std::int64_t query = args.causal ? first : 0; query < args.queries; query += tile) {
            A weights[Tiles::rows][Tiles::columns] = {}, slopes[Tiles::rows][Tiles::columns] = {};
            Tiles::inner_products(shared, head.k(), first, q, query, weights);
            Tiles::inner_products(shared, head.v(), first, dout, query, slopes);
            each_element<Tiles::rows, Tiles::columns>(
                [&](int r, int c) { head.pull(query + Tiles::column(c), first + Tiles::row(r), weights[r][c], slopes[r][c]); });
            Tiles::weighted_rows(shared, weights, dout, query, column, dv);
            Tiles::weighted_rows(shared, slopes, q, query, column, dk);
        }
    }
    const std::int64_t row = key_head * args.keys + first, rows = args.keys - first;
    store<Tiles, T, A>(args.dk, row, rows, column, args.width, dk, static_cast<A>(args.scale));
    store<Tiles, T, A>(args.dv, row, rows, column, args.value_width, dv, 1);
}

template <typename Tiles>
__global__ void __launch_bounds__(Tiles::threads) pull_to_queries(const __grid_constant__ AttentionBackwardArgs args) {
    using A = typename Tiles::A;
    using T = typename Tiles::Element;
    auto& shared = *dynamic_shared_memory<typename Tiles::Shared>();
    const std::int64_t tiles = tiles_of(args.queries);
    const Pullback<T> head(args, blockIdx.x / tiles);
    const std::int64_t first = (tiles - 1 - blockIdx.x % tiles) * tile, column = blockIdx.y * std::int64_t{Tiles::result_width};
    const std::int64_t seen = args.causal && first + tile < args.keys ? first + tile : args.keys;
    const Matrix<T> k = head.k();

    A dq[Tiles::rows][Tiles::result_columns] = {};
    for (std::int64_t key = 0; key < seen; key += tile) {
        A weights[Tiles::rows][Tiles::columns] = {}, slopes[Tiles::rows][Tiles::columns] = {};
        Tiles::inner_products(shared, head.q(), first, k, key, weights);
        Tiles::inner_products(shared, head.values_of(args.dout), first, head.v(), key, slopes);
        each_element<Tiles::rows, Tiles::columns>(
            [&](int r, int c) { head.pull(first + Tiles::row(r), key + Tiles::column(c), weights[r][c], slopes[r][c]); });
        Tiles::weighted_rows(shared, slopes, k, key, column, dq);
    }
    store<Tiles, T, A>(args.dq, head.row(first), args.queries - first, column, args.width, dq, static_cast<A>(args.scale));
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
    with_tiles(args.type, widest, [&]<typename Tiles> {
        if (key_tiles > 0) launch(pull_to_keys<Tiles>, blocks_for<Tiles>(key_tiles, widest), args);
        if (query_tiles > 0) launch(pull_to_queries<Tiles>, blocks_for<Tiles>(query_tiles, args.width), args);
    });
}

}  // namespace pyengine::kernels
