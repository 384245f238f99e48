// sgd_step, adam_step, rmsprop_step, against their formulae as in tests/optim/test_optimizer_step.py.
#include <cmath>
#include <vector>

#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

/// A step is some twenty operations long; conversion of a setting to the type of the arithmetic is one rounding, too.
constexpr std::int64_t roundings = 32;
constexpr double lr = 0.1, decay = 0.01, epsilon = 1e-8;

using compare::operator+, compare::operator-, compare::operator*;  // those below would hide them

/// The exact result, and the sum of what was added up to it.
struct Term {
    Array value, size;
};

Term exact(const Array& x) { return {wide(x), absolute(x)}; }
Term operator+(const Term& a, const Term& b) { return {a.value + b.value, a.size + b.size}; }
Term operator-(const Term& a, const Term& b) { return {a.value - b.value, a.size + b.size}; }
Term operator*(double a, const Term& b) { return {a * b.value, std::fabs(a) * b.size}; }
Term operator*(const Term& a, const Term& b) { return {a.value * b.value, a.size * b.size}; }
Array root(const Array& x) { return ops::unary(ops::UnaryOp::sqrt, x); }
/// a / (sqrt(b) + epsilon), where the relative error of b counts.
Term over_root(const Term& a, const Term& b) {
    const Array divisor = epsilon + root(b.value);
    return {a.value / divisor, (a.size / divisor) * (1 + b.size / b.value)};
}

struct Operands {
    Operands(std::int64_t n, DType given)
        : dtype(given),
          state_type(dtype == DType::float64 ? dtype : DType::float32),
          parameter(uniform({n}, dtype, 1)),
          gradient(uniform({n}, dtype, 2)),
          moment(uniform({n}, state_type, 3)),
          square(uniform({n}, state_type, 4, 2, 3)),  // above the square of every moment
          greatest(uniform({n}, state_type, 5, 2, 3)) {}

    DType dtype, state_type;
    Array parameter, gradient, moment, square, greatest;
};

using Arrays = std::vector<Array>;

/// `step` changes copies of the arrays in place; the parameter comes first.
void check_step(const std::string& what, const Operands& x, const Arrays& arrays, const std::function<void(const Arrays&)>& step,
                const std::vector<Term>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i)
        check(
            text(what, x.dtype, x.parameter.shape(), "array", i),
            [&] {
                Arrays own;
                for (const Array& array : arrays) own.push_back(copy(array, array.dtype()));
                step(own);
                return own[i];
            },
            rounded(expected[i].value, expected[i].size, roundings, arrays[i].dtype()));
}

void compare_sgd(const Operands& x) {
    const ops::StepOptions options{lr, decay, true};
    const Term p = exact(x.parameter), d = decay * p - exact(x.gradient);
    check_step("sgd_step", x, {x.parameter}, [&](const Arrays& a) { ops::sgd_step(a[0], x.gradient, std::nullopt, options, 0, 0, false); },
               {p - lr * d});
    for (const bool nesterov : {false, true}) {
        const double momentum = 0.9, dampening = nesterov ? 0 : 0.25;
        const Term b = momentum * exact(x.moment) + (1 - dampening) * d;
        check_step("sgd_step, momentum", x, {x.parameter, x.moment},
                   [&](const Arrays& a) { ops::sgd_step(a[0], x.gradient, a[1], options, momentum, dampening, nesterov); },
                   {p - lr * (nesterov ? d + momentum * b : b), b});
    }
}

void compare_adam(const Operands& x, bool decoupled, bool amsgrad) {
    const double beta1 = 0.9, beta2 = 0.99, correction1 = 1 - std::pow(beta1, 3), correction2 = 1 - std::pow(beta2, 3);
    const Term given = exact(x.parameter), g = exact(x.gradient), m0 = exact(x.moment), d = decoupled ? g : g + decay * given;
    const Term p = decoupled ? (1 - lr * decay) * given : given, m = m0 + (1 - beta1) * (d - m0);
    const Term v = beta2 * exact(x.square) + (1 - beta2) * (d * d);
    const auto greater = [](const Array& a, const Array& b) { return ops::binary(ops::BinaryOp::maximum, a, b); };
    const Term top{greater(v.value, wide(x.greatest)), greater(v.size, wide(x.greatest))}, used = amsgrad ? top : v;
    const Term step = over_root(m, 1 / correction2 * used);
    std::vector<Term> expected{p - lr / correction1 * step, m, v};
    Arrays arrays{x.parameter, x.moment, x.square};
    if (amsgrad) {
        expected.push_back(top);
        arrays.push_back(x.greatest);
    }
    check_step(
        text("adam_step", decoupled, amsgrad), x, arrays,
        [&](const Arrays& a) {
            const std::optional<Array> greatest = amsgrad ? std::optional(a[3]) : std::nullopt;
            ops::adam_step(a[0], x.gradient, a[1], a[2], greatest, {lr, decay, false}, beta1, beta2, epsilon, correction1, correction2,
                           decoupled);
        },
        expected);
}

void compare_rmsprop(const Operands& x, bool centred, bool with_momentum) {
    const double alpha = 0.9, momentum = with_momentum ? 0.9 : 0;
    const Term p = exact(x.parameter), d = exact(x.gradient) + decay * p, s = alpha * exact(x.square) + (1 - alpha) * (d * d);
    const Term a0 = exact(x.moment), average = a0 + (1 - alpha) * (d - a0);
    const Term step = over_root(d, centred ? s - average * average : s), b = momentum * exact(x.greatest) + step;
    std::vector<Term> expected{p - lr * (with_momentum ? b : step), s};
    Arrays arrays{x.parameter, x.square};
    if (centred) {
        expected.push_back(average);
        arrays.push_back(x.moment);
    }
    if (with_momentum) {
        expected.push_back(b);
        arrays.push_back(x.greatest);
    }
    check_step(
        text("rmsprop_step", centred, with_momentum), x, arrays,
        [&](const Arrays& a) {
            const std::optional<Array> own_average = centred ? std::optional(a[2]) : std::nullopt;
            const std::optional<Array> buffer = with_momentum ? std::optional(a.back()) : std::nullopt;
            ops::rmsprop_step(a[0], x.gradient, a[1], own_average, buffer, {lr, decay, false}, alpha, epsilon, momentum);
        },
        expected);
}

}  // namespace

void compare_optimizer_steps() {
    for (const DType dtype : floats)
        for (const std::int64_t n : {0, 1, 3, 17, 250, 40'001}) {
            const Operands x(n, dtype);
            compare_sgd(x);
            for (const bool flag : {false, true}) {
                compare_rmsprop(x, flag, false);
                compare_rmsprop(x, flag, true);
                compare_adam(x, flag, false);
            }
            compare_adam(x, false, true);
        }
}

}  // namespace pyengine::compare
