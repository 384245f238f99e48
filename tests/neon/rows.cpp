// softmax, log_softmax, softmax_cross_entropy, standardize and their backwards.
#include <cmath>

#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

constexpr double range = 4;  // of logits: |x - max x| <= 2 range, and |log p| <= 2 range + log n

/// As in tests/ops: additions one upon another in a row of n. 64 in a block, then the lanes as a tree, then the blocks.
std::int64_t roundings_of_sum(std::int64_t n) { return std::min<std::int64_t>(n, 64) + 4 + n / 64; }

void compare_softmax() {
    for (const Dims& shape : {Dims{3, 1}, {5, 3}, {4, 17}, {2, 1000}, {40, 999}, {3, 10, 7}, {2, 5, 4}, {3, 70, 300}})
        for (const DType dtype : floats) {
            const Array x = uniform(shape, dtype, 1, -range, range), g = uniform(shape, dtype, 2), g_size = absolute(g);
            const std::int64_t n = roundings_of_sum(shape[1]);
            const std::string what = text(shape, dtype);
            // x - max is rounded and exp passes it on, to the sum as well.
            const Array p = ops::softmax(wide(x), 1), log_p = ops::log_softmax(wide(x), 1);
            check("softmax " + what, [&] { return ops::softmax(x, 1); }, rounded(p, (1 + 4 * range) * p, n + 6, dtype));
            check(
                "log_softmax " + what, [&] { return ops::log_softmax(x, 1); },
                rounded(log_p, 1 + 4 * range + absolute(log_p), n + 6, dtype));
            const Array y = astype(p, dtype), exact = wide(y), log_y = astype(log_p, dtype),
                        exponential = ops::unary(ops::UnaryOp::exp, wide(log_y));
            check(
                "softmax_backward " + what, [&] { return ops::softmax_backward(g, y, 1); },
                rounded(exact * (wide(g) - sum(wide(g) * exact, 1)), exact * (g_size + sum(g_size * exact, 1)), n + 3, dtype));
            check(
                "log_softmax_backward " + what, [&] { return ops::log_softmax_backward(g, log_y, 1); },
                rounded(wide(g) - exponential * sum(wide(g), 1), g_size + exponential * sum(g_size, 1), n + 6, dtype));
        }
}

void compare_softmax_cross_entropy() {
    for (const Dims& shape : {Dims{3, 1}, {5, 3}, {4, 17}, {2, 1000}, {3, 10, 7}, {2, 5, 4}, {40, 1001}})
        for (const DType dtype : floats)
            for (const double smoothing : {0.0, 0.1}) {
                const Array logits = uniform(shape, dtype, 3, -range, range), exact = wide(logits);
                Dims rows{shape[0]};
                if (shape.size() == 3) rows.push_back(shape[2]);
                const Array target(rows, DType::int64);
                for (std::int64_t i = 0; i < target.size(); ++i) target.data<std::int64_t>()[i] = i % 5 == 4 ? -1 : 7 * i % shape[1];
                const DType loss_type = dtype == DType::float64 ? dtype : DType::float32;
                const Array weight = uniform({shape[1]}, dtype, 4), g = uniform(rows, loss_type, 5);
                const ops::CrossEntropyOptions options{weight, -1, smoothing}, wide_options{wide(weight), -1, smoothing};
                const std::int64_t n = roundings_of_sum(shape[1]);
                const double log_p = 2 * range + std::log(static_cast<double>(shape[1]));
                const auto [loss, logsumexp] = ops::softmax_cross_entropy(exact, target, wide_options);
                const Array gradient = ops::softmax_cross_entropy_backward(wide(g), logsumexp, exact, target, wide_options);
                const std::string what = text(shape, dtype, smoothing);
                check(
                    "softmax_cross_entropy " + what, [&] { return ops::softmax_cross_entropy(logits, target, options).first; },
                    rounded(loss, number(1 + 4 * range + log_p), 2 * n + 10, loss_type));
                check(
                    "softmax_cross_entropy_backward " + what,
                    [&] {
                        const Array own = ops::softmax_cross_entropy(logits, target, options).second;
                        return ops::softmax_cross_entropy_backward(g, own, logits, target, options);
                    },
                    rounded(gradient, number(2 + 2 * log_p + 3 * range), 2 * n + 12, dtype));
            }
}

constexpr double eps = 1e-5;

struct StandardizeCase {
    Dims shape, axes;
};

const StandardizeCase standardize_cases[] = {{{5, 3}, {1}},           {{4, 1000}, {1}}, {{33, 7}, {0}},  {{6, 5, 9}, {0, 2}},
                                             {{3, 2, 4, 50}, {2, 3}}, {{40, 999}, {1}}, {{700, 64}, {0}}};

Array mean(const Array& x, const Dims& axes) { return ops::reduce(ops::ReduceOp::mean, x, axes, true); }

/// The bounds of tests/ops/test_norm.py: the mean errs by the roundings of a sum; it enters every deviation, and by it the variance, whose
/// relative error y feels.
void compare_standardize(const StandardizeCase& c, DType dtype, bool centred) {
    const Array x = uniform(c.shape, dtype, 1, -1, 3), g = uniform(c.shape, dtype, 2), exact = wide(x), g_exact = wide(g);
    std::int64_t count = 1;
    for (const std::int64_t axis : c.axes) count *= c.shape[static_cast<std::size_t>(axis)];
    const std::int64_t n = 2 * roundings_of_sum(count);
    const auto op = centred ? ops::standardize : ops::rms_standardize;
    const std::string what = text(centred ? "standardize" : "rms_standardize", c.shape, c.axes, dtype);
    const DType statistics_type = dtype == DType::float64 ? dtype : DType::float32;

    const Array m = centred ? mean(exact, c.axes) : 0.0 * mean(exact, c.axes), deviation = exact - m;
    const Array variance = mean(deviation * deviation, c.axes), r = ops::unary(ops::UnaryOp::rsqrt, eps + variance), y = deviation * r;
    const Array mean_size = mean(absolute(exact), c.axes), spread = centred ? 1 + r * mean_size : number(1), y_size = absolute(y);
    check(what, [&] { return op(x, c.axes, eps).y; }, rounded(y, centred ? spread * (1 + y_size) : y_size, n + 6, dtype));
    check(
        what + "variance", [&] { return op(x, c.axes, eps).variance; },
        rounded(variance, centred ? variance + 2 * (mean(absolute(deviation), c.axes) * mean_size) : variance, n + 3, statistics_type));
    if (centred) check(what + "mean", [&] { return *op(x, c.axes, eps).mean; }, rounded(m, mean_size, n, statistics_type));

    const Array mean_g = centred ? mean(g_exact, c.axes) : number(0);
    const Array dx = r * (g_exact - mean_g - y * mean(g_exact * y, c.axes));
    const Array of_g = absolute(g) + mean(absolute(g), c.axes), of_gy = mean(absolute(g) * (1 + y_size), c.axes);
    check(
        what + "backward",
        [&] {
            const ops::Standardized own = op(x, c.axes, eps);
            return centred ? ops::standardize_backward(g, x, *own.mean, own.variance, c.axes, eps)
                           : ops::rms_standardize_backward(g, x, own.variance, c.axes, eps);
        },
        rounded(dx, r * (of_g + (1 + y_size) * of_gy) * spread, 2 * n + 12, dtype));
}

}  // namespace

void compare_rows() {
    compare_softmax();
    compare_softmax_cross_entropy();
    for (const StandardizeCase& c : standardize_cases)
        for (const DType dtype : floats)
            for (const bool centred : {false, true}) compare_standardize(c, dtype, centred);
}

}  // namespace pyengine::compare
