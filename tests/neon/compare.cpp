// Compares every kernel of one level with the reference. For machines that have no Python, such as AArch64 under qemu:
//
//     compare LEVEL
#include "tests/neon/compare.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "csrc/isa.h"
#include "kernels/cpu/parallel.h"
#include "kernels/philox.h"

namespace pyengine::compare {
namespace {

std::string tested;
int cases = 0, failures = 0;

struct Format {
    int precision, min_exponent;
    double largest;
    double smallest() const { return std::ldexp(1, min_exponent - precision + 1); }
};

Format format_of(DType dtype) {
    switch (dtype) {
        case DType::float16: return {11, -14, 65504};
        case DType::bfloat16: return {8, -126, 0x1.fep127};
        case DType::float32: return {24, -126, std::numeric_limits<float>::max()};
        default: return {53, -1022, std::numeric_limits<double>::max()};
    }
}

Format computed_in(DType dtype) { return format_of(size_of(dtype) == 2 ? DType::float32 : dtype); }

double bound_of_roundings(double magnitude, double expected, std::int64_t n, DType dtype) {
    const Format stored = format_of(dtype), used = computed_in(dtype);
    const double nu = static_cast<double>(n) * std::ldexp(1, -used.precision);
    double bound = nu / (1 - nu) * magnitude + static_cast<double>(n) * used.smallest();
    if (used.precision == 53) bound *= 2;  // of the reference, too
    if (stored.precision < 24) bound += std::ldexp(std::fabs(expected) + bound, -stored.precision) + stored.smallest();
    return bound;
}

double spacing(double x, const Format& format) {
    int exponent = format.min_exponent + 1;
    if (x != 0) std::frexp(x, &exponent);
    return std::ldexp(1, std::max(exponent - 1, format.min_exponent) - format.precision + 1);
}

double bound_of_ulps(double size, double ulps, DType dtype) {
    if (!std::isfinite(size)) return 0;
    const Format stored = format_of(dtype), used = computed_in(dtype);
    const double own = std::ldexp(ulps, stored.precision - used.precision), of_storing = stored.precision < 24 ? 0.5 : 0;
    return (own + of_storing + std::ldexp(std::max(ulps, 1.0), stored.precision - 53)) * spacing(size, stored);
}

/// A float64 array of x's shape, from each element of x and of two others that are broadcast to it.
template <typename F>
Array map(const Array& x, const Array& a, const Array& b, F f) {
    const Array result(x.shape(), DType::float64),
        all[] = {contiguous(x), contiguous(broadcast_to(a, x.shape())), contiguous(broadcast_to(b, x.shape()))};
    for (std::int64_t i = 0; i < x.size(); ++i)
        result.data<double>()[i] = f(all[0].data<double>()[i], all[1].data<double>()[i], all[2].data<double>()[i]);
    return result;
}

/// The error as a share of the bound. Beyond the largest number of the type Inf is right, too.
double share_of_bound(double result, double expected, double bound, double largest) {
    if (result == expected || (std::isnan(result) && std::isnan(expected))) return 0;
    if (std::isinf(result) && (result > 0) == (expected > 0) && std::fabs(expected) + bound >= largest) return 0;
    const double share = std::fabs(result - expected) / bound;
    return std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
}

bool same_bits(const Array& a, const Array& b) {
    return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), static_cast<std::size_t>(a.size() * size_of(a.dtype()))) == 0;
}

/// For floats: 1 where both are NaN, so that what its bits are does not count.
Array without_nan(const Array& x) {
    return is_floating(x.dtype()) ? ops::where(ops::unary(ops::UnaryOp::isnan, x), astype(number(1), x.dtype()), x) : x;
}

/// The level's result, and whether it is the same with three threads. Leaves the reference as the level in use.
std::pair<Array, bool> run_at_level(const Op& op) {
    set_isa(tested);
    kernels::set_thread_count(1);
    const Array result = contiguous(op());
    kernels::set_thread_count(3);
    const bool same = same_bits(result, contiguous(op()));
    set_isa("reference");
    return {result, same};
}

void report(const std::string& what, double share, bool same) {
    const bool right = share <= 1 && same;
    ++cases;
    failures += !right;
    if (!right) std::printf("WRONG %s: error / bound %.2g%s\n", what.c_str(), share, same ? "" : "; the bits depend on the threads");
}

}  // namespace

Array uniform(const Dims& shape, DType dtype, std::uint64_t seed, double low, double high) {
    const Array x(shape, DType::float64);
    for (std::int64_t i = 0; i < x.size(); ++i) {
        const double word = kernels::philox_word(seed, kernels::RandomStream::words32, static_cast<std::uint64_t>(i));
        x.data<double>()[i] = low + (high - low) * 0x1p-32 * word;
    }
    return astype(x, dtype);
}

Array random_bits(const Dims& shape, DType dtype, std::uint64_t seed) {
    const Array x(shape, dtype);
    for (std::int64_t i = 0; i < x.size() * size_of(dtype); ++i) {
        const std::uint32_t word = kernels::philox_word(seed, kernels::RandomStream::words32, static_cast<std::uint64_t>(i));
        static_cast<std::uint8_t*>(x.raw())[i] = static_cast<std::uint8_t>(dtype == DType::boolean ? word & 1 : word);
    }
    return x;
}

Array strided(const Array& x) {
    Dims shape = x.shape(), starts, steps;
    for (std::int64_t& size : shape) {
        starts.push_back(2 * size - 1);
        steps.push_back(-2);
        size *= 2;
    }
    const Array view = ops::slice(Array(shape, x.dtype()), starts, steps, x.shape());
    assign(view, x);
    return view;
}

Array wide(const Array& x) { return astype(x, DType::float64); }
Array absolute(const Array& x) { return ops::unary(ops::UnaryOp::abs, wide(x)); }
Array number(double value) {
    const Array x({}, DType::float64);
    *x.data<double>() = value;
    return x;
}
Array operator+(const Array& a, const Array& b) { return ops::binary(ops::BinaryOp::add, a, b); }
Array operator-(const Array& a, const Array& b) { return ops::binary(ops::BinaryOp::subtract, a, b); }
Array operator*(const Array& a, const Array& b) { return ops::binary(ops::BinaryOp::multiply, a, b); }
Array operator/(const Array& a, const Array& b) { return ops::binary(ops::BinaryOp::divide, a, b); }
Array operator*(double a, const Array& b) { return number(a) * b; }
Array operator+(double a, const Array& b) { return number(a) + b; }
Array sum(const Array& x, std::int64_t axis) { return ops::reduce(ops::ReduceOp::sum, x, {axis}, true); }
Array transposed(const Array& x) {
    Dims axes;
    for (std::int64_t i = 0; i < x.rank() - 2; ++i) axes.push_back(i);
    axes.push_back(x.rank() - 1);
    axes.push_back(x.rank() - 2);
    return ops::permute_dims(x, axes);
}

Expected rounded(const Array& value, const Array& magnitude, std::int64_t n, DType dtype) {
    return {contiguous(value), map(value, magnitude, number(0), [=](double v, double m, double) {
                return bound_of_roundings(m, v, std::max<std::int64_t>(n, 1), dtype);
            })};
}

Expected within_ulps(const Array& value, const Array& ulps, DType dtype, const Array& size) {
    return {contiguous(value),
            map(value, ulps, size, [=](double v, double u, double s) { return bound_of_ulps(std::max(std::fabs(v), s), u, dtype); })};
}

void check(const std::string& what, const Op& op, const Expected& expected) {
    const auto [result, same] = run_at_level(op);
    const double largest = format_of(result.dtype()).largest;
    double worst = result.shape() == expected.value.shape() ? 0 : std::numeric_limits<double>::infinity();
    if (worst == 0) {
        const Array value = wide(result);
        for (std::int64_t i = 0; i < value.size(); ++i)
            worst = std::max(worst, share_of_bound(value.data<double>()[i], expected.value.data<double>()[i],
                                                   expected.bound.data<double>()[i], largest));
    }
    report(what, worst, same);
}

void check_equal(const std::string& what, const Op& op) {
    const auto [result, same] = run_at_level(op);
    const Array expected = contiguous(op());
    const bool equal = result.dtype() == expected.dtype() && same_bits(without_nan(result), without_nan(expected));
    report(what, equal ? 0 : std::numeric_limits<double>::infinity(), same);
}

}  // namespace pyengine::compare

using namespace pyengine::compare;

int main(int count, char** arguments) {
    if (count != 2) return std::fprintf(stderr, "usage: compare LEVEL\n"), 2;
    tested = arguments[1];
    pyengine::set_isa("reference");
    compare_attention();
    compare_complex();
    compare_elementwise();
    compare_moves();
    compare_optimizer_steps();
    compare_products();
    compare_random();
    compare_reductions();
    compare_rows();
    std::printf("%s: %d cases, %d wrong\n", tested.c_str(), cases, failures);
    return failures > 0;
}
