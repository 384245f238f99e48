// What forward and backward attention share: one tile of scores, keys by queries.
//
// Tiles are held transposed, S^T (keys, queries): a vector holds the scores of neighbouring queries with one key, so that maxima and sums
// over keys run from row to row, without anything across lanes, and S^T is at once a right operand of the next product.
#pragma once

#include "kernels/attention.h"
#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/log_sum_exp.h"
#include "kernels/cpu/philox_batch.h"

namespace pyengine::kernels {
namespace {

/// Queries to a tile, a multiple of every vector length, and keys, a multiple of the register tile's rows.
constexpr std::int64_t block_queries = 64;
template <typename W>
constexpr std::int64_t block_keys = 128 / Tile<W>::rows * Tile<W>::rows;

/// C (m, n) = or += A (m, k) B (k, n): A of any strides, rows of B readable and rows of C writable up to padded_cols(n).
template <typename W>
inline void multiply(std::int64_t m, std::int64_t n, std::int64_t k, const W* a, std::int64_t a_row, std::int64_t a_col, const W* b,
                     std::int64_t b_row, W* c, std::int64_t c_row, bool accumulate) {
    for (std::int64_t j = 0; j < n; j += Tile<W>::cols)
        for (std::int64_t i = 0; i < m; i += Tile<W>::rows)
            multiply_tile<W>(min_of<std::int64_t>(Tile<W>::rows, m - i), {min_of(Tile<W>::cols, n - j), k, a + i * a_row, a_row, a_col,
                                                                          b + j, b_row, c + i * c_row + j, c_row, accumulate});
}

/// columns[d * block_queries + i] = factor x[i, d]; zeros from query `queries` to the end of its vector.
template <typename T>
inline void pack_columns(Wide<T>* columns, const T* x, std::int64_t row, std::int64_t step, std::int64_t queries, std::int64_t width,
                         double factor) {
    using W = Wide<T>;
    const std::int64_t padded = padded_cols<W>(queries);
    for (std::int64_t d = 0; d < width; ++d) store(columns + d * block_queries + padded - lanes<W>, Vec<W>{});
    pack(columns, block_queries, x, row, step, queries, width);
    for (std::int64_t d = 0; d < width; ++d)
        for (std::int64_t i = 0; i < padded; i += lanes<W>) {
            W* at = columns + d * block_queries + i;
            store(at, load(at) * static_cast<W>(factor));
        }
}

/// Rows of keys or values with neighbouring elements.
template <typename W>
struct Rows {
    const W* data;
    std::int64_t stride;
};

/// x (count, width) itself where it is such rows already, else a copy in `buffer`. Rows a multiple of 4096 bytes apart are copied, too:
/// they would drive each other out of the same few lines of the L1 cache.
template <typename W, typename T>
inline Rows<W> rows_of(W* buffer, std::int64_t buffer_row, const T* x, std::int64_t row, std::int64_t step, std::int64_t width,
                       std::int64_t count) {
    if constexpr (std::is_same_v<T, W>)
        if (step == 1 && row * static_cast<std::int64_t>(sizeof(W)) % 4096 != 0) return {x, row};
    pack(buffer, buffer_row, x, step, row, width, count);
    return {buffer, buffer_row};
}

/// The place of a tile in the problem.
struct Place {
    std::int64_t batch, head;           // head: of the queries
    std::int64_t first_query, queries;  // queries <= block_queries
    std::int64_t first_key, keys;       // keys <= block_keys
};

inline std::int64_t key_head(const AttentionProblem& p, std::int64_t head) { return head / (p.query_heads / p.key_heads); }

/// One past the last key that any of these queries sees.
inline std::int64_t visible_keys(const AttentionProblem& p, std::int64_t first_query, std::int64_t queries) {
    return p.causal ? min_of(p.keys, first_query + queries) : p.keys;
}

/// scores[j, i] = score where allowed[j, i], else -Inf.
template <typename W>
inline void hide_future(const Place& place, W* scores) {
    using Index = decltype(Vec<W>{} < Vec<W>{});
    Index lane{};
    for (int i = 0; i < lanes<W>; ++i) lane[i] = i;
    const std::int64_t first = max_of<std::int64_t>(place.first_query - place.first_key + 1, 0);  // the first key some query may not see
    for (std::int64_t j = first; j < place.keys; ++j)
        for (std::int64_t i = 0; i < place.queries; i += lanes<W>) {
            W* s = scores + j * block_queries + i;
            const std::int64_t earliest = place.first_key + j - place.first_query - i;  // queries from this one on see the key
            const Index hidden = lane < static_cast<typename Real<W>::Int>(min_of<std::int64_t>(earliest, lanes<W>));
            store(s, hidden ? broadcast(minus_infinity<W>) : load(s));
        }
}

/// Adds the mask to the scores: keys one after another, all queries with it.
template <typename W, typename Bias>
inline void add_bias(const Place& place, W* scores, Bias bias) {
    for (std::int64_t j = 0; j < place.keys; ++j)
        for (std::int64_t i = 0; i < place.queries; i += lanes<W>) {
            W* s = scores + j * block_queries + i;
            const Vec<W> b = bias(j, i);
            store(s, b == minus_infinity<W> ? b : load(s) + b);  // a hidden score is hidden even if it is NaN
        }
}

/// An element of a boolean mask, which pack() turns into what is added to a score.
template <typename W>
struct Shown {
    std::uint8_t value;
};
template <typename W>
inline W widened(Shown<W> shown) {
    return shown.value ? W{0} : minus_infinity<W>;
}
template <typename W>
inline Vec<W> load_float(const Shown<W>* p) {
    Vec<W> v;
    for (std::int64_t i = 0; i < lanes<W>; ++i) v[i] = widened(p[i]);
    return v;
}

/// The part of a mask of elements E in this tile. `buffer` (block_keys, block_queries).
template <typename W, typename E>
void apply_mask(const AttentionProblem& p, const Place& place, W* scores, W* buffer) {
    const std::int64_t* strides = p.mask_strides;
    const E* mask = static_cast<const E*>(p.mask) + place.batch * strides[0] + place.head * strides[1] + place.first_query * strides[2] +
                    place.first_key * strides[3];
    if (strides[2] == 0)
        return add_bias(place, scores, [&](std::int64_t j, std::int64_t) { return broadcast<W>(widened(mask[j * strides[3]])); });
    pack(buffer, block_queries, mask, strides[2], strides[3], place.queries, place.keys);
    add_bias(place, scores, [&](std::int64_t j, std::int64_t i) { return load(buffer + j * block_queries + i); });
}

/// scores (keys, queries) of a tile: K (keys, width) times Q^T (width, queries), masked. Q^T comes scaled.
template <typename T>
void score_tile(const AttentionProblem& p, const Place& place, Rows<Wide<T>> keys, const Wide<T>* queries, Wide<T>* scores,
                Wide<T>* buffer) {
    using W = Wide<T>;
    multiply<W>(place.keys, padded_cols<W>(place.queries), p.width, keys.data, keys.stride, 1, queries, block_queries, scores,
                block_queries, false);
    if (p.mask && p.mask_type == ElementType::boolean) apply_mask<W, Shown<W>>(p, place, scores, buffer);
    if (p.mask && p.mask_type != ElementType::boolean) apply_mask<W, T>(p, place, scores, buffer);
    if (p.causal) hide_future<W>(place, scores);
}

/// out[j] = kept with probability threshold / 2^32, else 0, for the words from `position` on.
template <typename W>
inline void draw_kept(const AttentionProblem& p, std::uint64_t position, std::int64_t count, W* out) {
    const std::uint64_t threshold = probability_threshold(1 - p.dropout);
    const W kept = static_cast<W>(1 / (1 - p.dropout));
    std::int64_t skip = static_cast<std::int64_t>(position % 4);
    for (std::uint64_t block = position / 4; count > 0; block += batch_blocks) {
        const PhiloxBatch batch = philox_batch(p.seed, RandomStream::words32, block);
        W drawn[4 * batch_blocks];
        for (int b = 0; b < batch_blocks; ++b)
            for (int j = 0; j < 4; ++j) drawn[4 * b + j] = hit(batch.word[j][b], threshold) ? kept : W{0};
        const std::int64_t wanted = min_of<std::int64_t>(count, 4 * batch_blocks - skip);
        std::memcpy(out, drawn + skip, static_cast<std::size_t>(wanted) * sizeof(W));
        out += wanted;
        count -= wanted;
        skip = 0;
    }
}

/// factors[j, i] = z of dropout for the scores of a tile. `rows` (block_queries, block_keys) is scratch.
template <typename W>
void dropout_factors(const AttentionProblem& p, const Place& place, W* factors, W* rows) {
    for (std::int64_t i = 0; i < place.queries; ++i) {
        const std::int64_t row = (place.batch * p.query_heads + place.head) * p.queries + place.first_query + i;
        draw_kept(p, p.offset + static_cast<std::uint64_t>(row * p.keys + place.first_key), place.keys, rows + i * place.keys);
    }
    pack(factors, block_queries, rows, place.keys, 1, place.queries, place.keys);
}

/// x[j, i] *= factors[j, i].
template <typename W>
inline void multiply_tiles(const Place& place, W* x, const W* factors) {
    for (std::int64_t j = 0; j < place.keys; ++j)
        for (std::int64_t i = j * block_queries; i < j * block_queries + place.queries; i += lanes<W>)
            store(x + i, load(x + i) * load(factors + i));
}

}  // namespace
}  // namespace pyengine::kernels
