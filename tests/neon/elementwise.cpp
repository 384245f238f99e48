// unary, binary, activation and its backward, where, clip, cast.
#include <cmath>
#include <iterator>

#include "csrc/ops/elementwise_types.h"
#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

constexpr double special[] = {0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 2.5, INFINITY, -INFINITY, NAN, 1e-6, -1e-6, 300, -300};
constexpr std::int64_t specials = std::size(special);

/// Special values at even places, every pair of them between a (which = 0) and b (which = 1), and numbers in [low, high) at the others.
Array mixed(std::int64_t n, DType dtype, int which, double low, double high) {
    const Array x = uniform({n}, DType::float64, static_cast<std::uint64_t>(which), low, high);
    for (std::int64_t i = 0; i < n; i += 2) x.data<double>()[i] = special[(which == 0 ? i / 2 : i / 2 / specials) % specials];
    return astype(x, dtype);
}

constexpr std::int64_t all_pairs = 2 * specials * specials + 3, several_tasks = 40'001;

/// f(dtype, layout, n) for every float type: contiguous, of several tasks, and with a stride.
template <typename F>
void for_each_layout(F f) {
    for (const DType dtype : floats) {
        f(dtype, [](const Array& x) { return x; }, all_pairs);
        f(dtype, strided, all_pairs);
    }
    f(DType::float32, [](const Array& x) { return x; }, several_tasks);
}

/// The error that kernels/elementwise_unary.h and the docstrings claim; up to half an ulp there is one right answer.
struct UnaryCase {
    ops::UnaryOp op;
    double ulps, low = -20, high = 20;
};

using enum ops::UnaryOp;
constexpr UnaryCase unary_cases[] = {
    {abs, 0},
    {negative, 0},
    {square, 0.5},
    {sign, 0},
    {sqrt, 0.5},
    {rsqrt, 2},
    {reciprocal, 0.5},
    {floor, 0},
    {ceil, 0},
    {round, 0},
    {trunc, 0},
    {exp, 1.2, -110, 100},
    {expm1, 2.1, -110, 100},
    {log, 1, 0, 1e4},
    {log1p, 1.6, -1, 50},
    {log2, 1.5, 0, 1e4},
    {log10, 2, 0, 1e4},
    {sin, 1},
    {cos, 1},
    {tan, 1.5},
    {asin, 1.5, -1.1, 1.1},
    {acos, 1.5, -1.1, 1.1},
    {atan, 1.5},
    {sinh, 3, -95, 95},
    {cosh, 3, -95, 95},
    {asinh, 3},
    {acosh, 3, 0.5, 50},
    {atanh, 3, -1.1, 1.1},
    {erf, 2.7, -6, 6},
    {isnan, 0},
    {isinf, 0},
    {isfinite, 0},
    {signbit, 0},
};

void compare_unary() {
    for (const UnaryCase& c : unary_cases)
        for_each_layout([&](DType dtype, auto layout, std::int64_t n) {
            const Array x = layout(mixed(n, dtype, 0, c.low, c.high));
            const std::string what = text(ops::unary_operations()[static_cast<std::size_t>(c.op)].name, dtype, x.strides());
            const auto op = [&] { return ops::unary(c.op, x); };
            if (c.ulps <= 0.5) return check_equal(what, op);
            check(what, op, within_ulps(ops::unary(c.op, wide(x)), number(c.ulps), dtype));
        });
    for (const DType dtype : integers)
        for (const ops::UnaryOp op : {abs, negative, square, sign, bitwise_invert}) {
            const Array x = random_bits({1003}, dtype, 1);
            check_equal(text(ops::unary_operations()[static_cast<std::size_t>(op)].name, dtype), [&] { return ops::unary(op, x); });
        }
    const Array x = random_bits({1003}, DType::boolean, 1);
    check_equal("logical_not", [&] { return ops::unary(logical_not, x); });
}

struct BinaryCase {
    ops::BinaryOp op;
    double ulps;
};

constexpr BinaryCase binary_cases[] = {
    {ops::BinaryOp::add, 0.5},       {ops::BinaryOp::subtract, 0.5}, {ops::BinaryOp::multiply, 0.5}, {ops::BinaryOp::floor_divide, 1},
    {ops::BinaryOp::remainder, 0.5}, {ops::BinaryOp::pow, 1.5},      {ops::BinaryOp::maximum, 0},    {ops::BinaryOp::minimum, 0},
    {ops::BinaryOp::divide, 0.5},    {ops::BinaryOp::atan2, 1.5},    {ops::BinaryOp::hypot, 1.5},    {ops::BinaryOp::copysign, 0},
    {ops::BinaryOp::nextafter, 0},   {ops::BinaryOp::logaddexp, 3},  {ops::BinaryOp::equal, 0},      {ops::BinaryOp::not_equal, 0},
    {ops::BinaryOp::less, 0},        {ops::BinaryOp::less_equal, 0}, {ops::BinaryOp::greater, 0},    {ops::BinaryOp::greater_equal, 0},
};

std::string name_of_binary(ops::BinaryOp op) { return ops::binary_operations()[static_cast<std::size_t>(op)].name; }

void compare_binary() {
    using enum ops::BinaryOp;
    for (const BinaryCase& c : binary_cases)
        for_each_layout([&](DType dtype, auto layout, std::int64_t n) {
            const Array a = layout(mixed(n, dtype, 0, -20, 20)), b = layout(mixed(n, dtype, 1, -20, 20));
            const std::string what = text(name_of_binary(c.op), dtype, a.strides());
            // Which of 0 and -0 is the greater is left open; the sum with 0 is 0 for both.
            const bool any_zero = c.op == maximum || c.op == minimum;
            const Array zero = astype(number(0), dtype);
            const auto op = [&] { return any_zero ? ops::binary(c.op, a, b) + zero : ops::binary(c.op, a, b); };
            if (c.ulps <= 0.5) return check_equal(what, op);
            const Array size = ops::binary(maximum, ops::binary(maximum, absolute(a), absolute(b)), number(1));
            check(what, op, within_ulps(ops::binary(c.op, wide(a), wide(b)), number(c.ulps), dtype, c.op == logaddexp ? size : number(0)));
        });
    for (const DType dtype : integers)
        for (std::size_t i = 0; i < ops::binary_operations().size(); ++i) {
            const auto op = static_cast<ops::BinaryOp>(i);
            if (op == nextafter) continue;  // of floats alone
            const Array a = random_bits({1003}, dtype, 1), b = random_bits({1003}, dtype, 2);
            const Array small = astype(uniform({1003}, DType::float64, 3, 0, 9), dtype);  // for powers and shifts
            if (op >= divide && op <= logaddexp) continue;                                // integers become float32 first
            check_equal(text(name_of_binary(op), dtype), [&] { return ops::binary(op, a, b); });
            check_equal(text(name_of_binary(op), dtype, "small"), [&] { return ops::binary(op, a, small); });
        }
}

struct ActivationCase {
    ops::Activation f;
    double ulps;
};

constexpr ActivationCase activation_cases[] = {
    {ops::Activation::relu, 0}, {ops::Activation::sigmoid, 3},   {ops::Activation::tanh, 3},     {ops::Activation::silu, 4},
    {ops::Activation::gelu, 8}, {ops::Activation::gelu_tanh, 3}, {ops::Activation::softplus, 3},
};

/// What kernels/activation.h claims for negative x on top, where f falls off as exp(-u).
Array ulps_of_exponent(ops::Activation f, const Array& x) {
    const Array below = ops::binary(ops::BinaryOp::minimum, x, number(0)), square = below * below;
    if (f == ops::Activation::gelu) return square;
    if (f == ops::Activation::gelu_tanh) return absolute(6 * 0.7978845608028654 * (below + 0.044715 * (square * below)));
    return number(0);
}

void compare_activation() {
    for (const ActivationCase& c : activation_cases)
        for_each_layout([&](DType dtype, auto layout, std::int64_t n) {
            const Array x = layout(mixed(n, dtype, 0, -12, 12)), g = layout(uniform({n}, dtype, 5));
            const std::string what = text(ops::activation_operations()[static_cast<std::size_t>(c.f)].name, dtype, x.strides());
            const auto op = [&] { return ops::activation(c.f, x); };
            if (c.f == ops::Activation::relu)
                check_equal(what, op);
            else
                check(what, op, within_ulps(ops::activation(c.f, wide(x)), c.ulps + ulps_of_exponent(c.f, wide(x)), dtype));
            // A dozen roundings on terms of about |g|: tests/ops/test_activations.py.
            check(
                what + "backward", [&] { return ops::activation_backward(c.f, g, x); },
                within_ulps(ops::activation_backward(c.f, wide(g), wide(x)), number(12), dtype, number(1)));
        });
}

void compare_conversions() {
    for (int in = 0; in < real_types; ++in)
        for (int out = 0; out < real_types; ++out)
            for (const std::int64_t n : {std::int64_t{4001}, several_tasks}) {
                const auto from = static_cast<DType>(in), to = static_cast<DType>(out);
                const Array x = random_bits({n}, from, 7), reversed = strided(x);
                check_equal(text("cast", from, "to", to), [&] { return copy(x, to); });
                check_equal(text("cast, strided", from, "to", to), [&] { return copy(reversed, to); });
                if (is_floating(from) && n < several_tasks) {  // most random bits are far outside the range of the others
                    const Array near = mixed(n, from, 0, -300, 300);
                    check_equal(text("cast, small", from, "to", to), [&] { return copy(near, to); });
                }
            }
    for (const DType dtype : {DType::float16, DType::bfloat16}) {  // every number there is
        const Array all({1 << 16}, dtype);
        for (std::int64_t i = 0; i < all.size(); ++i) all.data<std::uint16_t>()[i] = static_cast<std::uint16_t>(i);
        for (const DType to : floats) check_equal(text("cast, all", dtype, "to", to), [&] { return copy(all, to); });
    }
}

void compare_choices() {
    for (int type = 0; type < real_types; ++type)
        for (const std::int64_t n : {std::int64_t{1003}, several_tasks}) {
            const auto dtype = static_cast<DType>(type);
            const Array a = random_bits({n}, dtype, 1), b = random_bits({n}, dtype, 2), c = strided(random_bits({n}, dtype, 3));
            const Array condition = random_bits({n}, DType::boolean, 4);
            check_equal(text("where", dtype), [&] { return ops::where(condition, a, c); });
            check_equal(text("clip", dtype), [&] { return ops::clip(a, b, c); });
        }
}

}  // namespace

void compare_elementwise() {
    compare_unary();
    compare_binary();
    compare_activation();
    compare_conversions();
    compare_choices();
}

}  // namespace pyengine::compare
