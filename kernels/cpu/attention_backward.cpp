#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/parallel.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

/// How the work is cut, by the shape alone: a task has one key head and a range of its keys, and sees all queries of the heads that share
/// them. dk and dv are the task's own; dq is summed over the ranges at the end. Sizes in elements of W.
template <typename T>
struct Plan {
    using W = Wide<T>;

    explicit Plan(const AttentionProblem& p)
        : width(padded_cols<W>(p.width)),
          value_width(padded_cols<W>(p.value_width)),
          query_blocks((p.queries + block_queries - 1) / block_queries),
          key_heads(p.batch * p.key_heads),
          query_rows(p.batch * p.query_heads * p.queries) {
        constexpr std::int64_t enough_tasks = 16;
        const std::int64_t key_blocks = (p.keys + block_keys<W> - 1) / block_keys<W>;
        const std::int64_t wanted = max_of<std::int64_t>(min_of(key_blocks, enough_tasks / max_of<std::int64_t>(key_heads, 1)), 1);
        range = (key_blocks + wanted - 1) / wanted * block_keys<W>;
        ranges = range == 0 ? 0 : (p.keys + range - 1) / range;
    }

    std::int64_t scratch() const {
        const std::int64_t of_queries = query_blocks * block_queries * (2 * width + 2 * value_width + 2);
        return of_queries + (range + block_keys<W>)*(width + value_width) + 3 * block_keys<W> * block_queries;
    }
    std::int64_t partial_dq() const { return ranges * query_rows * width; }

    std::int64_t width, value_width, query_blocks, key_heads, query_rows;
    std::int64_t range, ranges;
};

/// What the tiles of one query head read again and again, packed. Columns: (width, block_queries) for each block of queries.
template <typename W>
struct PackedHead {
    W *query_columns, *query_rows, *dout_columns, *dout_rows;
    W *logsumexp, *delta;
};

template <typename T>
struct Task {
    using W = Wide<T>;

    Task(const AttentionBackwardArgs& arguments, const Plan<T>& cut, std::int64_t number, W* scratch, W* partial)
        : args(arguments),
          plan(cut),
          batch(number / plan.ranges / args.key_heads),
          key_head(number / plan.ranges % args.key_heads),
          begin(number % plan.ranges * plan.range),
          end(min_of(begin + plan.range, args.keys)),
          partial_dq(partial + number % plan.ranges * plan.query_rows * plan.width) {
        const auto take = [&](std::int64_t size) {
            W* result = scratch;
            scratch += size;
            return result;
        };
        const std::int64_t padded_queries = plan.query_blocks * block_queries;
        packed = {take(padded_queries * plan.width),
                  take(padded_queries * plan.width),
                  take(padded_queries * plan.value_width),
                  take(padded_queries * plan.value_width),
                  take(padded_queries),
                  take(padded_queries)};
        dk = take(plan.range * plan.width);
        dv = take(plan.range * plan.value_width);
        keys = take(block_keys<W> * plan.width);
        values = take(block_keys<W> * plan.value_width);
        weights = take(block_keys<W> * block_queries);
        dscores = take(block_keys<W> * block_queries);
        buffer = take(block_keys<W> * block_queries);
    }

    void run() const {
        fill_zero(dk, plan.range * plan.width);
        fill_zero(dv, plan.range * plan.value_width);
        const std::int64_t group = args.query_heads / args.key_heads;
        for (std::int64_t head = key_head * group; head < (key_head + 1) * group; ++head) {
            pack_head(head);
            fill_zero(partial_dq + row_of(head) * plan.width, args.queries * plan.width);
            for (std::int64_t first = begin; first < end; first += block_keys<W>)
                visit_keys(head, first, min_of(block_keys<W>, end - first));
        }
        const std::int64_t row = (batch * args.key_heads + key_head) * args.keys + begin;
        for (std::int64_t j = 0; j < end - begin; ++j) {
            write(static_cast<T*>(args.dk) + (row + j) * args.width, dk + j * plan.width, args.width, static_cast<W>(args.scale));
            write(static_cast<T*>(args.dv) + (row + j) * args.value_width, dv + j * plan.value_width, args.value_width, W{1});
        }
    }

private:
    static void fill_zero(W* data, std::int64_t count) { std::memset(data, 0, static_cast<std::size_t>(count) * sizeof(W)); }
    static void write(T* out, const W* row, std::int64_t count, W factor) {
        each_vector<T>(count, [&](std::int64_t d, auto part) { store_wide(out + d, load(row + d) * factor, part); });
    }
    std::int64_t row_of(std::int64_t head) const { return (batch * args.query_heads + head) * args.queries; }

    void pack_head(std::int64_t head) const {
        const std::int64_t* qs = args.q_strides;
        const T* q = static_cast<const T*>(args.q) + batch * qs[0] + head * qs[1];
        const T* dout = static_cast<const T*>(args.dout) + row_of(head) * args.value_width;
        for (std::int64_t first = 0; first < args.queries; first += block_queries) {
            const std::int64_t count = min_of(block_queries, args.queries - first);
            pack_columns(packed.query_columns + first * plan.width, q + first * qs[2], qs[2], qs[3], count, args.width, args.scale);
            pack_columns(packed.dout_columns + first * plan.value_width, dout + first * args.value_width, args.value_width, 1, count,
                         args.value_width, 1.0);
        }
        pack(packed.query_rows, plan.width, q, qs[3], qs[2], args.width, args.queries);
        pack(packed.dout_rows, plan.value_width, dout, 1, args.value_width, args.value_width, args.queries);
        pack_statistics(head);
    }

    /// logsumexp, such that exp(score - it) is 0 for queries that see nothing or do not exist; and delta = dout . out.
    void pack_statistics(std::int64_t head) const {
        const W* logsumexp = static_cast<const W*>(args.logsumexp) + row_of(head);
        for (std::int64_t i = 0; i < plan.query_blocks * block_queries; ++i) {
            const bool sees = i < args.queries && logsumexp[i] != minus_infinity<W>;
            packed.logsumexp[i] = sees ? logsumexp[i] : -minus_infinity<W>;
            packed.delta[i] = 0;
            if (!sees) continue;
            const T* out = static_cast<const T*>(args.out) + (row_of(head) + i) * args.value_width;
            const W* dout = packed.dout_rows + i * plan.value_width;
            packed.delta[i] = static_cast<W>(sum_vectors<T>(
                args.value_width, [&](std::int64_t e, auto part) { return load_wide(out + e, part) * load_wide(dout + e, part); }));
        }
    }

    void visit_keys(std::int64_t head, std::int64_t first, std::int64_t count) const {
        const std::int64_t *ks = args.k_strides, *vs = args.v_strides;
        pack(keys, plan.width, static_cast<const T*>(args.k) + batch * ks[0] + key_head * ks[1] + first * ks[2], ks[3], ks[2], args.width,
             count);
        pack(values, plan.value_width, static_cast<const T*>(args.v) + batch * vs[0] + key_head * vs[1] + first * vs[2], vs[3], vs[2],
             args.value_width, count);
        const std::int64_t seen_from = args.causal ? first / block_queries * block_queries : 0;
        for (std::int64_t i = seen_from; i < args.queries; i += block_queries)
            visit_tile({batch, head, i, min_of(block_queries, args.queries - i), first, count});
    }

    void visit_tile(const Place& place) const {
        const std::int64_t i = place.first_query, padded = padded_cols<W>(place.queries);
        score_tile<T>(args, place, {keys, plan.width}, packed.query_columns + i * plan.width, weights, buffer);
        if (args.dropout > 0) dropout_factors(args, place, buffer, dscores);
        multiply<W>(place.keys, padded, args.value_width, values, plan.value_width, 1, packed.dout_columns + i * plan.value_width,
                    block_queries, dscores, block_queries, false);
        if (args.dropout > 0) multiply_tiles(place, dscores, buffer);
        differentiate(place);
        if (args.dropout > 0) multiply_tiles(place, weights, buffer);
        W* dv_rows = dv + (place.first_key - begin) * plan.value_width;
        W* dk_rows = dk + (place.first_key - begin) * plan.width;
        W* dq_rows = partial_dq + (row_of(place.head) + i) * plan.width;
        multiply<W>(place.keys, args.value_width, place.queries, weights, block_queries, 1, packed.dout_rows + i * plan.value_width,
                    plan.value_width, dv_rows, plan.value_width, true);
        multiply<W>(place.keys, args.width, place.queries, dscores, block_queries, 1, packed.query_rows + i * plan.width, plan.width,
                    dk_rows, plan.width, true);
        multiply<W>(place.queries, args.width, place.keys, dscores, 1, block_queries, keys, plan.width, dq_rows, plan.width, true);
    }

    /// From scores and dout . v to the weights and the gradient of the scores.
    void differentiate(const Place& place) const {
        for (std::int64_t i = 0; i < place.queries; i += lanes<W>) {
            const Vec<W> total = load(packed.logsumexp + place.first_query + i), delta = load(packed.delta + place.first_query + i);
            for (std::int64_t j = 0; j < place.keys; ++j) {
                W* score = weights + j * block_queries + i;
                W* dscore = dscores + j * block_queries + i;
                const Vec<W> weight = vexp<W>(load(score) - total);
                store(dscore, weight * (load(dscore) - delta));
                store(score, weight);
            }
        }
    }

    const AttentionBackwardArgs& args;
    const Plan<T>& plan;
    std::int64_t batch, key_head, begin, end;
    W* partial_dq;
    PackedHead<W> packed;
    W *dk, *dv, *keys, *values, *weights, *dscores, *buffer;
};

/// dq = scale * the sum over the ranges of keys.
template <typename T>
void finish(const AttentionBackwardArgs& args, const Plan<T>& plan, const Wide<T>* partial) {
    using W = Wide<T>;
    constexpr std::int64_t task_rows = 256;
    parallel_blocks(plan.query_rows, task_rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row)
            each_vector<T>(args.width, [&](std::int64_t d, auto part) {
                Vec<W> sum{};
                for (std::int64_t range = 0; range < plan.ranges; ++range)
                    sum += load(partial + (range * plan.query_rows + row) * plan.width + d);
                store_wide(static_cast<T*>(args.dq) + row * args.width + d, sum * static_cast<W>(args.scale), part);
            });
    });
}

}  // namespace

template <>
std::size_t scaled_dot_product_attention_backward_workspace<level>(const AttentionProblem& args) {
    std::size_t bytes = 0;
    with_float_type(args.type, [&]<typename T> {
        const Plan<T> plan(args);
        bytes = static_cast<std::size_t>(plan.partial_dq() + args.lanes * plan.scratch()) * sizeof(Wide<T>);
    });
    return bytes;
}

template <>
void scaled_dot_product_attention_backward<level>(const AttentionBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        using W = Wide<T>;
        const Plan<T> plan(args);
        W* partial = static_cast<W*>(args.workspace);
        const std::size_t bytes = static_cast<std::size_t>(plan.scratch()) * sizeof(W);
        parallel_with_scratch(
            plan.key_heads * plan.ranges, args.lanes, partial + plan.partial_dq(), bytes,
            [&](std::int64_t number, std::byte* scratch) { Task<T>(args, plan, number, reinterpret_cast<W*>(scratch), partial).run(); });
        finish(args, plan, partial);
    });
}

}  // namespace pyengine::kernels
