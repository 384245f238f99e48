#include "kernels/softmax_cross_entropy.h"

#include "kernels/cpu/log_sum_exp.h"
#include "kernels/cpu/parallel.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 1 << 14;

/// The problem with its types, and what the rows share.
template <typename T>
struct Problem {
    using W = Wide<T>;

    explicit Problem(const CrossEntropyProblem& p)
        : n(p.n),
          inner(p.inner),
          logits(static_cast<const T*>(p.logits)),
          distribution(static_cast<const T*>(p.distribution)),
          weight(static_cast<const T*>(p.weight)),
          classes(p.classes),
          ignore_index(p.ignore_index),
          hard_share(static_cast<W>(1 - p.label_smoothing)),
          even_share(static_cast<W>(p.n ? p.label_smoothing / static_cast<double>(p.n) : 0)),
          spread(p.distribution || p.label_smoothing != 0) {}

    W class_weight(std::int64_t c) const { return weight ? convert<W>(weight[c]) : W{1}; }

    std::int64_t n, inner;
    const T* logits;
    const T* distribution;
    const T* weight;
    const std::int64_t* classes;
    std::int64_t ignore_index;
    W hard_share, even_share;
    bool spread;  // a class other than the given one has a part in the target
};

template <typename W>
inline Vec<W> ones(All) {
    return broadcast(W{1});
}
template <typename W>
inline Vec<W> ones(First part) {
    return first_lanes<W>(part.count) ? broadcast(W{1}) : Vec<W>{};
}

/// w[c] t'[c] for a vector of classes of the row that begins at `row`, without the part of the given class.
template <typename T, typename Part>
inline Vec<Wide<T>> spread_target(const Problem<T>& p, std::int64_t row, std::int64_t c, Part part) {
    using W = Wide<T>;
    const Vec<W> weight = p.weight ? load_wide(p.weight + c, part) : ones<W>(part);
    if (!p.distribution) return weight * p.even_share;
    return weight * (load_wide(p.distribution + row + c, part) * p.hard_share + p.even_share);
}

template <typename T>
void loss_of_row(const Problem<T>& p, std::int64_t place, Wide<T>* loss, Wide<T>* logsumexp) {
    using W = Wide<T>;
    const std::int64_t row = place * p.n;
    const T* x = p.logits + row;
    const W max = row_max(x, p.n);
    const W log_sum = scalar_log<W>(
        sum_vectors<T>(p.n, [&](std::int64_t c, auto part) { return vexp<W>(load_wide(x + c, part, minus_infinity<W>) - max); }));
    logsumexp[place] = max + log_sum;
    W total = 0;
    const bool ignored = p.classes && p.classes[place] == p.ignore_index;
    if (p.spread && !ignored)
        total = sum_vectors<T>(
            p.n, [&](std::int64_t c, auto part) { return spread_target(p, row, c, part) * ((max - load_wide(x + c, part)) + log_sum); });
    if (p.classes && !ignored) {
        const std::int64_t target = p.classes[place];
        total += p.hard_share * p.class_weight(target) * ((max - convert<W>(x[target])) + log_sum);
    }
    loss[place] = total;
}

template <typename T, bool spread>
void gradient_of_row(const Problem<T>& p, std::int64_t place, Wide<T> grad, Wide<T> logsumexp, T* dlogits) {
    using W = Wide<T>;
    const std::int64_t row = place * p.n, target = p.classes ? p.classes[place] : -1;
    const T* x = p.logits + row;
    T* dx = dlogits + row;
    if (p.classes && target == p.ignore_index)
        return each_vector<T>(p.n, [&](std::int64_t c, auto part) { store_wide(dx + c, Vec<W>{}, part); });
    const W hard = p.classes ? p.hard_share * p.class_weight(target) : W{0};
    W total = hard;
    if (spread) total += sum_vectors<T>(p.n, [&](std::int64_t c, auto part) { return spread_target(p, row, c, part); });
    each_vector<T>(p.n, [&](std::int64_t c, auto part) {
        Vec<W> d = vexp<W>(load_wide(x + c, part) - logsumexp) * total;
        if (spread) d -= spread_target(p, row, c, part);
        store_wide(dx + c, d * grad, part);
    });
    if (p.classes) {
        const W probability = scalar_exp(convert<W>(x[target]) - logsumexp);
        dx[target] = convert<T>(grad * (probability * total - p.class_weight(target) * p.even_share - hard));
    }
}

/// As many columns as a vector has lanes; the first has its first logit at `first`, and stands at `place` in (outer, inner).
template <typename T, typename Part>
struct Columns {
    using W = Wide<T>;

    const Problem<T>& p;
    std::int64_t first, place;
    Part part;

    Vec<W> logit(std::int64_t c) const { return load_wide(p.logits + first + c * p.inner, part); }

    Vec<W> spread_target(std::int64_t c) const {
        const W weight = p.class_weight(c);
        if (!p.distribution) return broadcast(weight * p.even_share);
        return weight * (load_wide(p.distribution + first + c * p.inner, part) * p.hard_share + p.even_share);
    }

    std::int64_t count() const {
        if constexpr (std::is_same_v<Part, First>)
            return part.count;
        else
            return lanes<W>;
    }

    /// visit(lane, class) for every lane that has one.
    template <typename Visit>
    void each_class(Visit visit) const {
        for (std::int64_t lane = 0; p.classes && lane < count(); ++lane)
            if (p.classes[place + lane] != p.ignore_index) visit(lane, p.classes[place + lane]);
    }

    /// 1 in the lanes that count, 0 in those ignored.
    Vec<W> live() const {
        W flags[lanes<W>] = {};
        each_class([&](std::int64_t lane, std::int64_t) { flags[lane] = 1; });
        return p.classes ? load(flags) : broadcast(W{1});
    }
};

template <typename T, typename Part>
void loss_of_columns(const Columns<T, Part>& columns, Wide<T>* loss, Wide<T>* logsumexp) {
    using W = Wide<T>;
    const Problem<T>& p = columns.p;
    const Vec<W> max = column_max(p.logits + columns.first, p.n, p.inner, columns.part);
    const Vec<W> log_sum = vlog<W>(sum_down<W>(p.n, [&](std::int64_t c) { return vexp<W>(columns.logit(c) - max); }));
    store_wide(logsumexp + columns.place, max + log_sum, columns.part);
    Vec<W> total{};
    if (p.spread) {
        total = sum_down<W>(p.n, [&](std::int64_t c) { return columns.spread_target(c) * ((max - columns.logit(c)) + log_sum); });
        total = columns.live() != W{0} ? total : Vec<W>{};
    }
    columns.each_class([&](std::int64_t lane, std::int64_t target) {
        const W x = convert<W>(p.logits[columns.first + target * p.inner + lane]);
        total[lane] += p.hard_share * p.class_weight(target) * ((max[lane] - x) + log_sum[lane]);
    });
    store_wide(loss + columns.place, total, columns.part);
}

template <typename T, typename Part>
void gradient_of_columns(const Columns<T, Part>& columns, const Wide<T>* grad, const Wide<T>* logsumexp, T* dlogits) {
    using W = Wide<T>;
    const Problem<T>& p = columns.p;
    const Vec<W> g = load_wide(grad + columns.place, columns.part), log_total = load_wide(logsumexp + columns.place, columns.part);
    const Vec<W> live = columns.live();
    Vec<W> total = p.spread ? sum_down<W>(p.n, [&](std::int64_t c) { return columns.spread_target(c); }) : Vec<W>{};
    columns.each_class([&](std::int64_t lane, std::int64_t target) { total[lane] += p.hard_share * p.class_weight(target); });
    T* dx = dlogits + columns.first;
    for (std::int64_t c = 0; c < p.n; ++c) {
        Vec<W> d = vexp<W>(columns.logit(c) - log_total) * total;
        if (p.spread) d -= columns.spread_target(c);
        store_wide(dx + c * p.inner, live != W{0} ? d * g : Vec<W>{}, columns.part);
    }
    columns.each_class([&](std::int64_t lane, std::int64_t target) {
        const W weight = p.class_weight(target),
                probability = scalar_exp(convert<W>(p.logits[columns.first + target * p.inner + lane]) - log_total[lane]);
        dx[target * p.inner + lane] = convert<T>(g[lane] * (probability * total[lane] - weight * (p.even_share + p.hard_share)));
    });
}

/// row(place) for every row where inner is 1, else columns(Columns) for a vector of columns at a time.
template <typename T, typename Row, typename ColumnsBody>
void each(const Problem<T>& p, std::int64_t outer, Row row, ColumnsBody columns) {
    const std::int64_t n = max_of<std::int64_t>(p.n, 1);
    if (p.inner == 1)
        return parallel_blocks(outer, max_of<std::int64_t>(task_elements / n, 1), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t place = begin; place < end; ++place) row(place);
        });
    constexpr std::int64_t step = lanes<Wide<T>>;
    const std::int64_t vectors = (p.inner + step - 1) / step;
    parallel_blocks(outer * vectors, max_of<std::int64_t>(task_elements / (n * step), 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t v = begin; v < end; ++v) {
            const std::int64_t o = v / vectors, i = v % vectors * step, first = o * p.n * p.inner + i, place = o * p.inner + i;
            if (p.inner - i < step)
                columns(Columns<T, First>{p, first, place, {p.inner - i}});
            else
                columns(Columns<T, All>{p, first, place, {}});
        }
    });
}

}  // namespace

template <>
void softmax_cross_entropy<level>(const SoftmaxCrossEntropyArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const Problem<T> p(args);
        auto* loss = static_cast<Wide<T>*>(args.loss);
        auto* logsumexp = static_cast<Wide<T>*>(args.logsumexp);
        each(
            p, args.outer, [&](std::int64_t place) { loss_of_row(p, place, loss, logsumexp); },
            [&](const auto& columns) { loss_of_columns(columns, loss, logsumexp); });
    });
}

template <>
void softmax_cross_entropy_backward<level>(const SoftmaxCrossEntropyBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const Problem<T> p(args);
        const auto* grad = static_cast<const Wide<T>*>(args.grad);
        const auto* logsumexp = static_cast<const Wide<T>*>(args.logsumexp);
        T* dlogits = static_cast<T*>(args.dlogits);
        each(
            p, args.outer,
            [&](std::int64_t place) {
                p.spread ? gradient_of_row<T, true>(p, place, grad[place], logsumexp[place], dlogits)
                         : gradient_of_row<T, false>(p, place, grad[place], logsumexp[place], dlogits);
            },
            [&](const auto& columns) { gradient_of_columns(columns, grad, logsumexp, dlogits); });
    });
}

}  // namespace pyengine::kernels
