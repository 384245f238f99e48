#include "kernels/standardize.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd_wide.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 1 << 14;

/// One group whose elements lie in runs of `inner`, walked along the runs.
template <typename T>
struct Group {
    using W = Wide<T>;
    using Value = W;

    std::int64_t first, runs, stride, inner;

    template <typename Term>
    W mean(Term term) const {
        double total = 0;
        for (std::int64_t run = 0; run < runs; ++run)
            total += sum_vectors<T>(inner, [&](std::int64_t i, auto part) { return term(first + run * stride + i, part); });
        return static_cast<W>(total / static_cast<double>(runs * inner));
    }

    template <typename Body>
    void each(Body body) const {
        for (std::int64_t run = 0; run < runs; ++run)
            each_vector<T>(inner, [&](std::int64_t i, auto part) { body(first + run * stride + i, part); });
    }

    static W reciprocal_root(W x) { return W{1} / vsqrt(broadcast(x))[0]; }
    static W load_value(const W* p) { return *p; }
    static void store_value(W* p, W value) { *p = value; }
};

/// Groups of elements `stride` apart (inner = 1), a vector of groups at a time, walked down.
template <typename T, typename Part>
struct Groups {
    using W = Wide<T>;
    using Value = Vec<W>;

    std::int64_t first, count, stride;
    Part part;

    template <typename Term>
    Vec<W> mean(Term term) const {
        return sum_down<W>(count, [&](std::int64_t row) { return term(first + row * stride, part); }) / static_cast<W>(count);
    }

    template <typename Body>
    void each(Body body) const {
        for (std::int64_t row = 0; row < count; ++row) body(first + row * stride, part);
    }

    static Vec<W> reciprocal_root(Vec<W> x) { return W{1} / vsqrt(x); }
    Vec<W> load_value(const W* p) const { return load_wide(p, part); }
    void store_value(W* p, Vec<W> value) const { store_wide(p, value, part); }
};

/// A vector of x - mean, 0 in the lanes that do not count. Where groups lie in lanes, all those that are stored do.
template <typename T>
inline Vec<Wide<T>> deviation(const T* x, Wide<T> mean, All part) {
    return load_wide(x, part) - mean;
}
template <typename T>
inline Vec<Wide<T>> deviation(const T* x, Wide<T> mean, First part) {
    return load_wide(x, part, mean) - mean;
}
template <typename T, typename Part>
inline Vec<Wide<T>> deviation(const T* x, Vec<Wide<T>> mean, Part part) {
    return load_wide(x, part) - mean;
}

template <typename T, bool centred, typename G>
void forward_group(const StandardizeArgs& args, std::int64_t k, const G& group) {
    using W = Wide<T>;
    const T* x = static_cast<const T*>(args.x);
    typename G::Value mean{};
    if (centred) mean = group.mean([&](std::int64_t at, auto part) { return load_wide(x + at, part); });
    const typename G::Value variance = group.mean([&](std::int64_t at, auto part) {
        const Vec<W> d = deviation<T>(x + at, mean, part);
        return d * d;
    });
    const typename G::Value r = G::reciprocal_root(variance + static_cast<W>(args.eps));
    group.each([&](std::int64_t at, auto part) { store_wide(static_cast<T*>(args.y) + at, deviation<T>(x + at, mean, part) * r, part); });
    if (centred) group.store_value(static_cast<W*>(args.mean) + k, mean);
    group.store_value(static_cast<W*>(args.variance) + k, variance);
}

template <typename T, bool centred, typename G>
void backward_group(const StandardizeBackwardArgs& args, std::int64_t k, const G& group) {
    using W = Wide<T>;
    const T* x = static_cast<const T*>(args.x);
    const T* dy = static_cast<const T*>(args.dy);
    typename G::Value mean{}, mean_dy{};
    if (centred) {
        mean = group.load_value(static_cast<const W*>(args.mean) + k);
        mean_dy = group.mean([&](std::int64_t at, auto part) { return load_wide(dy + at, part); });
    }
    const typename G::Value r = G::reciprocal_root(group.load_value(static_cast<const W*>(args.variance) + k) + static_cast<W>(args.eps));
    const typename G::Value mean_dy_y =
        group.mean([&](std::int64_t at, auto part) { return load_wide(dy + at, part) * (deviation<T>(x + at, mean, part) * r); });
    group.each([&](std::int64_t at, auto part) {
        const Vec<W> y = deviation<T>(x + at, mean, part) * r;
        store_wide(static_cast<T*>(args.dx) + at, (load_wide(dy + at, part) - mean_dy - y * mean_dy_y) * r, part);
    });
}

/// body(first group, Group or Groups) until every group was seen. Where runs are single elements, groups side by side fill the vectors.
template <typename T, typename Args, typename Body>
void each_group(const Args& args, Body body) {
    const std::int64_t groups = args.groups, inner = args.inner, stride = groups * inner;
    const std::int64_t count = max_of<std::int64_t>(args.outer * inner, 1);
    if (inner != 1)
        return parallel_blocks(groups, max_of<std::int64_t>(task_elements / count, 1), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t k = begin; k < end; ++k) body(k, Group<T>{k * inner, args.outer, stride, inner});
        });
    constexpr std::int64_t step = lanes<Wide<T>>;
    parallel_blocks((groups + step - 1) / step, max_of<std::int64_t>(task_elements / (count * step), 1),
                    [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t k = begin * step; k < min_of(end * step, groups); k += step) {
                            if (groups - k < step)
                                body(k, Groups<T, First>{k, args.outer, stride, {groups - k}});
                            else
                                body(k, Groups<T, All>{k, args.outer, stride, {}});
                        }
                    });
}

template <bool centred>
void forward(const StandardizeArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_group<T>(args, [&](std::int64_t k, const auto& group) { forward_group<T, centred>(args, k, group); });
    });
}

template <bool centred>
void backward(const StandardizeBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        each_group<T>(args, [&](std::int64_t k, const auto& group) { backward_group<T, centred>(args, k, group); });
    });
}

}  // namespace

template <>
void standardize<level>(const StandardizeArgs& args) {
    forward<true>(args);
}

template <>
void rms_standardize<level>(const StandardizeArgs& args) {
    forward<false>(args);
}

template <>
void standardize_backward<level>(const StandardizeBackwardArgs& args) {
    backward<true>(args);
}

template <>
void rms_standardize_backward<level>(const StandardizeBackwardArgs& args) {
    backward<false>(args);
}

}  // namespace pyengine::kernels
