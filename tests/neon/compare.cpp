// Compares the four heavy kernels of one level with the reference in float64, and runs each with one thread and with three, which must give
// the same bits. For machines that have no Python, such as AArch64 under qemu:
//
//     compare LEVEL
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>

#include "csrc/check.h"
#include "csrc/isa.h"
#include "csrc/ops.h"
#include "kernels/cpu/parallel.h"
#include "kernels/philox.h"

using namespace pyengine;

namespace {

std::string tested;
int cases = 0, failures = 0;

/// Uniform in [-range, range), rounded to `dtype`; the same on every machine.
Array uniform(const Dims& shape, DType dtype, std::uint64_t seed, double range = 1) {
    Array x(shape, DType::float64);
    for (std::int64_t i = 0; i < x.size(); ++i) {
        const double word = kernels::philox_word(seed, kernels::RandomStream::words32, static_cast<std::uint64_t>(i));
        x.data<double>()[i] = range * (word * 0x1p-31 - 1);
    }
    return astype(x, dtype);
}

Array absolute(const Array& x) {
    const Array result = copy(x, DType::float64);
    for (std::int64_t i = 0; i < result.size(); ++i) result.data<double>()[i] = std::fabs(result.data<double>()[i]);
    return result;
}

Array wide(const Array& x) { return astype(x, DType::float64); }

struct Format {
    int precision;
    double smallest;
};

Format format_of(DType dtype) {
    switch (dtype) {
        case DType::float16: return {11, 0x1p-24};
        case DType::bfloat16: return {8, 0x1p-133};
        case DType::float32: return {24, 0x1p-149};
        default: return {53, 0x1p-1074};
    }
}

/// tests/tolerance.py, roundings(): n roundings on partial results of at most `magnitude`; float64 results are compared with float64.
double bound(double magnitude, double expected, std::int64_t n, DType dtype) {
    const Format stored = format_of(dtype), used = stored.precision < 24 ? format_of(DType::float32) : stored;
    const double nu = static_cast<double>(n) * std::ldexp(1, -used.precision);
    double result = nu / (1 - nu) * magnitude + static_cast<double>(n) * used.smallest;
    if (used.precision == 53) result *= 2;
    if (stored.precision < 24) result += std::ldexp(std::fabs(expected) + result, -stored.precision) + stored.smallest;
    return result;
}

bool same_bits(const Array& a, const Array& b) {
    return std::memcmp(a.raw(), b.raw(), static_cast<std::size_t>(a.size() * size_of(a.dtype()))) == 0;
}

struct Expected {
    Array value, magnitude;  // float64; magnitude is broadcast
    std::int64_t roundings;
};

void check(const std::string& what, const std::function<Array()>& op, const Expected& expected) {
    set_isa(tested);
    kernels::set_thread_count(1);
    const Array result = op();
    kernels::set_thread_count(3);
    const bool same = same_bits(result, op());
    set_isa("reference");
    const Array value = wide(result), magnitude = contiguous(broadcast_to(expected.magnitude, value.shape()));
    double worst = 0;  // error as a share of its bound
    for (std::int64_t i = 0; i < value.size(); ++i) {
        const double exact = expected.value.data<double>()[i], error = std::fabs(value.data<double>()[i] - exact);
        const double share = error / bound(magnitude.data<double>()[i], exact, expected.roundings, result.dtype());
        if (!(share <= worst)) worst = std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
    }
    const bool right = worst <= 1 && same && value.shape() == expected.value.shape();
    failures += !right;
    std::printf("%s %-60s error / bound %.2g%s\n", right ? "ok   " : "WRONG", what.c_str(), worst,
                same ? "" : ", bits depend on the threads");
}

Array constant(double value) {
    Array x({}, DType::float64);
    *x.data<double>() = value;
    return x;
}

std::string text(const Dims& dims, DType dtype) {
    std::ostringstream out;
    out << dims << ' ' << dtype;
    return out.str();
}

constexpr DType floats[] = {DType::float16, DType::bfloat16, DType::float32, DType::float64};

void compare_matmul() {
    for (const Dims& size : {Dims{1, 1, 1}, {1, 65, 33}, {33, 1, 65}, {7, 11, 0}, {8, 12, 16}, {9, 13, 17}, {23, 37, 515}, {64, 96, 1025}})
        for (const DType dtype : floats) {
            const std::int64_t m = size[0], n = size[1], k = size[2];
            const Array a = uniform({m, k}, dtype, 1), transposed = uniform({n, k}, dtype, 2), b = ops::permute_dims(transposed, {1, 0});
            set_isa("reference");
            const Expected expected{ops::matmul(wide(a), wide(b)), ops::matmul(absolute(a), absolute(b)), std::max<std::int64_t>(k, 1)};
            check("matmul " + text(size, dtype), [&] { return ops::matmul(a, b); }, expected);
            check("matmul, B contiguous " + text(size, dtype), [&] { return ops::matmul(a, contiguous(b)); }, expected);
        }
}

void compare_softmax_cross_entropy() {
    constexpr double range = 4;  // so |x - max x| <= 8, and |log p| <= 8 + log C
    for (const Dims& shape : {Dims{3, 1}, {5, 3}, {4, 17}, {2, 1000}, {3, 10, 7}, {2, 5, 4}})
        for (const DType dtype : floats) {
            const Array logits = uniform(shape, dtype, 3, range), exact = wide(logits);
            Dims rows{shape[0]};
            if (shape.size() == 3) rows.push_back(shape[2]);
            Array target(rows, DType::int64);
            for (std::int64_t i = 0; i < target.size(); ++i) target.data<std::int64_t>()[i] = 7 * i % shape[1];
            const Array weight = uniform({shape[1]}, dtype, 4), g = uniform(rows, DType::float32, 5);
            const ops::CrossEntropyOptions options{weight, -1, 0}, wide_options{wide(weight), -1, 0};
            // As derived in tests/ops: x - max is rounded and exp passes it on; sums in blocks of 64, the lanes as a tree, then the blocks.
            const std::int64_t of_sum = std::min<std::int64_t>(shape[1], 64) + 4 + shape[1] / 64;
            const double log_p = 2 * range + std::log(static_cast<double>(shape[1]));
            set_isa("reference");
            const auto [loss, logsumexp] = ops::softmax_cross_entropy(exact, target, wide_options);
            const Array gradient = ops::softmax_cross_entropy_backward(wide(g), logsumexp, exact, target, wide_options);
            check("softmax_cross_entropy " + text(shape, dtype), [&] { return ops::softmax_cross_entropy(logits, target, options).first; },
                  {loss, constant(1 + 4 * range + log_p), 2 * of_sum + 10});
            check("softmax_cross_entropy_backward " + text(shape, dtype),
                  [&] {
                      const Array own = ops::softmax_cross_entropy(logits, target, options).second;
                      return ops::softmax_cross_entropy_backward(g, own, logits, target, options);
                  },
                  {gradient, constant(2 + 2 * log_p + 3 * range), 2 * of_sum + 12});
        }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return std::fprintf(stderr, "usage: compare LEVEL\n"), 2;
    tested = arguments[1];
    compare_matmul();
    compare_softmax_cross_entropy();
    std::printf("%s: %d cases, %d wrong\n", tested.c_str(), cases, failures);
    return failures > 0;
}
