#include "kernels/attention.h"

#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/parallel.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// One task: block_queries queries of one head, against all keys. Sizes of its scratch, in elements of W.
template <typename T>
struct Scratch {
    using W = Wide<T>;

    explicit Scratch(const AttentionProblem& p) : width(padded_cols<W>(p.width)), value_width(padded_cols<W>(p.value_width)) {}

    std::int64_t elements() const {
        return block_queries * (width + value_width + 2 + 2 * block_keys<W> + max_of(block_keys<W>, value_width)) +
               block_keys<W> * (width + value_width);
    }

    std::int64_t width, value_width;
};

/// The running softmax of block_queries queries.
template <typename T>
struct Online {
    using W = Wide<T>;

    W* out;  // (value_width, block_queries), not yet divided by sum
    W* max;  // of the scores so far
    W* sum;  // of exp(score - max)
    std::int64_t value_width, queries;

    void clear() const {
        for (std::int64_t i = 0; i < queries; i += lanes<W>) {
            store(max + i, broadcast(minus_infinity<W>));
            store(sum + i, Vec<W>{});
            for (std::int64_t e = 0; e < value_width; ++e) store(out + e * block_queries + i, Vec<W>{});
        }
    }

    /// Turns scores (keys, queries) into exp(score - max), and takes them into max and sum.
    void absorb(W* scores, std::int64_t keys) const {
        for (std::int64_t i = 0; i < queries; i += lanes<W>) {
            const Vec<W> before = load(max + i);
            Vec<W> now = before;
            for (std::int64_t j = 0; j < keys; ++j) {
                const Vec<W> s = load(scores + j * block_queries + i);
                now = s > now ? s : now;  // passes over NaN, which shows in the sum
            }
            const Vec<W> finite = now == minus_infinity<W> ? Vec<W>{} : now;  // -Inf - -Inf would be NaN
            Vec<W> total{};
            for (std::int64_t j = 0; j < keys; ++j) {
                W* s = scores + j * block_queries + i;
                const Vec<W> e = vexp<W>(load(s) - finite);
                store(s, e);
                total += e;
            }
            rescale(i, vexp<W>(before - finite), total);
            store(max + i, now);
        }
    }

    /// Brings what was summed so far to the new maximum.
    void rescale(std::int64_t i, Vec<W> factor, Vec<W> total) const {
        store(sum + i, load(sum + i) * factor + total);
        W* column = out + i;
        for (std::int64_t e = 0; e < value_width; ++e) store(column + e * block_queries, load(column + e * block_queries) * factor);
    }

    void divide_by_sum() const {
        for (std::int64_t i = 0; i < queries; i += lanes<W>) {
            const Vec<W> total = load(sum + i), factor = total == W{0} ? Vec<W>{} : W{1} / total;
            for (std::int64_t e = 0; e < value_width; ++e) store(out + e * block_queries + i, load(out + e * block_queries + i) * factor);
        }
    }
};

template <typename T>
void attend(const AttentionArgs& args, std::int64_t batch, std::int64_t head, std::int64_t first_query, Wide<T>* scratch) {
    using W = Wide<T>;
    const Scratch<T> sizes(args);
    const std::int64_t queries = min_of(block_queries, args.queries - first_query), padded = padded_cols<W>(queries);
    W* query_columns = scratch;
    W* out = query_columns + block_queries * sizes.width;
    W* max = out + block_queries * sizes.value_width;
    W* keys = max + 2 * block_queries;
    W* values = keys + block_keys<W> * sizes.width;
    W* scores = values + block_keys<W> * sizes.value_width;
    W* factors = scores + block_keys<W> * block_queries;
    W* buffer = factors + block_keys<W> * block_queries;

    const std::int64_t *qs = args.q_strides, *ks = args.k_strides, *vs = args.v_strides;
    const T* q = static_cast<const T*>(args.q) + batch * qs[0] + head * qs[1] + first_query * qs[2];
    const T* k = static_cast<const T*>(args.k) + batch * ks[0] + key_head(args, head) * ks[1];
    const T* v = static_cast<const T*>(args.v) + batch * vs[0] + key_head(args, head) * vs[1];
    pack_columns(query_columns, q, qs[2], qs[3], queries, args.width, args.scale);

    const Online<T> online{out, max, max + block_queries, args.value_width, padded};
    online.clear();
    const std::int64_t end = visible_keys(args, first_query, queries);
    for (std::int64_t first = 0; first < end; first += block_keys<W>) {
        const std::int64_t count = min_of(block_keys<W>, end - first);
        const Rows<W> key_rows = rows_of(keys, sizes.width, k + first * ks[2], ks[2], ks[3], args.width, count);
        const Rows<W> value_rows = rows_of(values, sizes.value_width, v + first * vs[2], vs[2], vs[3], args.value_width, count);
        const Place place{batch, head, first_query, queries, first, count};
        score_tile<T>(args, place, key_rows, query_columns, scores, buffer);
        online.absorb(scores, count);
        if (args.dropout > 0) {
            dropout_factors(args, place, factors, buffer);
            multiply_tiles(place, scores, factors);
        }
        multiply<W>(args.value_width, padded, count, value_rows.data, 1, value_rows.stride, scores, block_queries, out, block_queries,
                    true);
    }
    online.divide_by_sum();

    const std::int64_t row = (batch * args.query_heads + head) * args.queries + first_query;
    T* result = static_cast<T*>(args.out) + row * args.value_width;
    if constexpr (is_half<T>) {
        pack(buffer, sizes.value_width, out, block_queries, 1, args.value_width, queries);
        for (std::int64_t i = 0; i < queries; ++i)
            copy_narrowed(result + i * args.value_width, buffer + i * sizes.value_width, args.value_width);
    } else {
        pack(result, args.value_width, out, block_queries, 1, args.value_width, queries);
    }
    W* logsumexp = static_cast<W*>(args.logsumexp) + row;
    for (std::int64_t i = 0; i < queries; ++i) logsumexp[i] = max[i] + scalar_log<W>(max[block_queries + i]);
}

}  // namespace

template <>
std::size_t scaled_dot_product_attention_workspace<level>(const AttentionProblem& args) {
    std::size_t bytes = 0;
    with_float_type(args.type, [&]<typename T> { bytes = static_cast<std::size_t>(Scratch<T>(args).elements()) * sizeof(Wide<T>); });
    return bytes * static_cast<std::size_t>(args.lanes);
}

template <>
void scaled_dot_product_attention<level>(const AttentionArgs& args) {
    const std::int64_t blocks = (args.queries + block_queries - 1) / block_queries;
    const std::size_t bytes = scaled_dot_product_attention_workspace<level>(args) / static_cast<std::size_t>(args.lanes);
    with_float_type(args.type, [&]<typename T> {
        parallel_with_scratch(args.batch * args.query_heads * blocks, args.lanes, args.workspace, bytes,
                              [&](std::int64_t task, std::byte* scratch) {
                                  // The longest first: with a causal mask the last queries see the most keys.
                                  const std::int64_t block = blocks - 1 - task % blocks, head = task / blocks;
                                  attend<T>(args, head / args.query_heads, head % args.query_heads, block * block_queries,
                                            reinterpret_cast<Wide<T>*>(scratch));
                              });
    });
}

}  // namespace pyengine::kernels
