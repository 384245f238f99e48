#include "kernels/softmax.h"

#include "kernels/cpu/log_sum_exp.h"
#include "kernels/cpu/parallel.h"
#include "kernels/with_type.h"

namespace pyengine::kernels {
namespace {

constexpr std::int64_t task_elements = 1 << 14;

template <typename T, bool logarithm>
void forward_row(const T* x, T* y, std::int64_t n) {
    using W = Wide<T>;
    constexpr bool keeps_exp = !is_half<T> && !logarithm;  // y can hold exp(x - max) unrounded until the sum is known
    const W max = row_max(x, n);
    const W sum = sum_vectors<T>(n, [&](std::int64_t i, auto part) {
        const Vec<W> e = vexp<W>(load_wide(x + i, part, minus_infinity<W>) - max);
        if constexpr (keeps_exp) store_wide(y + i, e, part);
        return e;
    });
    const W log_sum = scalar_log<W>(sum);
    each_vector<T>(n, [&](std::int64_t i, auto part) {
        if constexpr (keeps_exp)
            store_wide(y + i, load_wide(y + i, part) / sum, part);
        else if constexpr (logarithm)
            store_wide(y + i, (load_wide(x + i, part) - max) - log_sum, part);
        else
            store_wide(y + i, vexp<W>(load_wide(x + i, part) - max) / sum, part);
    });
}

template <typename T, bool logarithm, typename Part>
void forward_columns(const T* x, T* y, std::int64_t n, std::int64_t stride, Part part) {
    using W = Wide<T>;
    const Vec<W> max = column_max(x, n, stride, part);
    const Vec<W> sum = sum_down<W>(n, [&](std::int64_t j) { return vexp<W>(load_wide(x + j * stride, part) - max); });
    const Vec<W> log_sum = vlog<W>(sum);
    for (std::int64_t j = 0; j < n; ++j) {
        const Vec<W> shifted = load_wide(x + j * stride, part) - max;
        store_wide(y + j * stride, logarithm ? shifted - log_sum : vexp<W>(shifted) / sum, part);
    }
}

template <bool logarithm, typename W>
inline Vec<W> pull(Vec<W> y, Vec<W> dy, Vec<W> sum) {
    return logarithm ? dy - vexp<W>(y) * sum : y * (dy - sum);
}

template <typename T, bool logarithm>
void backward_row(const T* y, const T* dy, T* dx, std::int64_t n) {
    using W = Wide<T>;
    const Vec<W> sum = broadcast<W>(sum_vectors<T>(n, [&](std::int64_t i, auto part) {
        const Vec<W> gradient = load_wide(dy + i, part);
        return logarithm ? gradient : gradient * load_wide(y + i, part);
    }));
    each_vector<T>(n, [&](std::int64_t i, auto part) {
        store_wide(dx + i, pull<logarithm, W>(load_wide(y + i, part), load_wide(dy + i, part), sum), part);
    });
}

template <typename T, bool logarithm, typename Part>
void backward_columns(const T* y, const T* dy, T* dx, std::int64_t n, std::int64_t stride, Part part) {
    using W = Wide<T>;
    const Vec<W> sum = sum_down<W>(n, [&](std::int64_t j) {
        const Vec<W> gradient = load_wide(dy + j * stride, part);
        return logarithm ? gradient : gradient * load_wide(y + j * stride, part);
    });
    for (std::int64_t j = 0; j < n; ++j) {
        const std::int64_t at = j * stride;
        store_wide(dx + at, pull<logarithm, W>(load_wide(y + at, part), load_wide(dy + at, part), sum), part);
    }
}

/// row(offset) for every row where inner is 1, else columns(offset, part) for a vector of columns at a time.
template <typename T, typename Args, typename Row, typename Columns>
void each(const Args& args, Row row, Columns columns) {
    const std::int64_t n = args.n, inner = args.inner;
    if (n == 0) return;
    if (inner == 1)
        return parallel_blocks(args.outer, max_of<std::int64_t>(task_elements / n, 1), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t o = begin; o < end; ++o) row(o * n);
        });
    constexpr std::int64_t step = lanes<Wide<T>>;
    const std::int64_t vectors = (inner + step - 1) / step;
    parallel_blocks(args.outer * vectors, max_of<std::int64_t>(task_elements / (n * step), 1), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t v = begin; v < end; ++v) {
            const std::int64_t i = v % vectors * step, offset = v / vectors * n * inner + i;
            inner - i < step ? columns(offset, First{inner - i}) : columns(offset, All{});
        }
    });
}

template <bool logarithm>
void forward(const SoftmaxArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const T* x = static_cast<const T*>(args.x);
        T* y = static_cast<T*>(args.y);
        each<T>(
            args, [&](std::int64_t at) { forward_row<T, logarithm>(x + at, y + at, args.n); },
            [&](std::int64_t at, auto part) { forward_columns<T, logarithm>(x + at, y + at, args.n, args.inner, part); });
    });
}

template <bool logarithm>
void backward(const SoftmaxBackwardArgs& args) {
    with_float_type(args.type, [&]<typename T> {
        const T* y = static_cast<const T*>(args.y);
        const T* dy = static_cast<const T*>(args.dy);
        T* dx = static_cast<T*>(args.dx);
        each<T>(
            args, [&](std::int64_t at) { backward_row<T, logarithm>(y + at, dy + at, dx + at, args.n); },
            [&](std::int64_t at, auto part) { backward_columns<T, logarithm>(y + at, dy + at, dx + at, args.n, args.inner, part); });
    });
}

}  // namespace

template <>
void softmax<level>(const SoftmaxArgs& args) {
    forward<false>(args);
}

template <>
void log_softmax<level>(const SoftmaxArgs& args) {
    forward<true>(args);
}

template <>
void softmax_backward<level>(const SoftmaxBackwardArgs& args) {
    backward<false>(args);
}

template <>
void log_softmax_backward<level>(const SoftmaxBackwardArgs& args) {
    backward<true>(args);
}

}  // namespace pyengine::kernels
