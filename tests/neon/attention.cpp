// scaled_dot_product_attention, forward and backward, against its definition in matrix products and softmax.
#include <cmath>

#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

enum class Mask { none, boolean, added };

struct Case {
    std::int64_t batch, heads, group, queries, keys, width, value_width;
    bool causal;
    Mask mask;
    double dropout;
};

constexpr Case cases[] = {
    {1, 1, 1, 1, 1, 1, 1, false, Mask::none, 0},         {2, 2, 1, 17, 65, 16, 8, false, Mask::none, 0},
    {1, 2, 2, 65, 63, 17, 33, true, Mask::none, 0},      {2, 1, 3, 20, 33, 8, 3, false, Mask::boolean, 0},
    {1, 2, 1, 64, 64, 3, 16, true, Mask::added, 0},      {1, 2, 2, 67, 131, 5, 4, false, Mask::none, 0.3},
    {1, 3, 1, 150, 140, 24, 24, true, Mask::boolean, 0},
};

/// (queries, keys): true where a key is shown; the first always is.
Array shown_of(const Case& c) {
    const Array shown({c.queries, c.keys}, DType::boolean);
    for (std::int64_t i = 0; i < c.queries; ++i)
        for (std::int64_t j = 0; j < c.keys; ++j)
            shown.data<bool>()[i * c.keys + j] = j == 0 || ((c.mask != Mask::boolean || (7 * i + 3 * j) % 5 != 0) && (!c.causal || j <= i));
    return shown;
}

/// (batch, heads * group, n, width) as (batch, heads, group, n, width), and back.
Array split(const Array& x, std::int64_t heads) {
    const Dims& s = x.shape();
    return ops::reshape(x, {s[0], heads, s[1] / heads, s[2], s[3]});
}
Array joined(const Array& x) {
    const Dims& s = x.shape();
    return ops::reshape(contiguous(x), {s[0], s[1] * s[2], s[3], s[4]});
}

void compare_case(const Case& c, DType dtype) {
    // As layers have it: q is a view of (batch, queries, heads, width).
    const Array q = ops::permute_dims(uniform({c.batch, c.queries, c.heads * c.group, c.width}, dtype, 1, -2, 2), {0, 2, 1, 3});
    const Array k = uniform({c.batch, c.heads, c.keys, c.width}, dtype, 2, -2, 2),
                v = uniform({c.batch, c.heads, c.keys, c.value_width}, dtype, 3);
    const Array g = uniform({c.batch, c.heads * c.group, c.queries, c.value_width}, dtype, 4);
    const Array shown = shown_of(c), added = uniform({c.queries, c.keys}, dtype, 5);
    ops::AttentionOptions options{std::nullopt, c.causal, 1 / std::sqrt(static_cast<double>(c.width)), c.dropout, 6, 7};
    if (c.mask == Mask::boolean) options.mask = shown;
    if (c.mask == Mask::added) options.mask = added;

    const Array q5 = split(wide(q), c.heads), k5 = split(wide(k), c.heads), v5 = split(wide(v), c.heads), g5 = split(wide(g), c.heads);
    const Array bias = (c.mask == Mask::added ? wide(added) : number(0)) + ops::where(shown, number(0), number(-INFINITY));
    const Array scores = options.scale * ops::matmul(q5, transposed(k5)) + bias, p = ops::softmax(scores, 4);
    const Array kept = split(
        ops::random_bernoulli({c.batch, c.heads * c.group, c.queries, c.keys}, DType::float64, 6, 7, 1 - c.dropout, 1 / (1 - c.dropout)),
        c.heads);
    // As in tests/ops/test_attention.py: a score errs by its roundings times its terms; a weight by its own score's error and by the sum's.
    const Array terms =
        options.scale * ops::matmul(absolute(q5), transposed(absolute(k5))) + (c.mask == Mask::added ? absolute(added) : number(0));
    const Array sensitivity = 1 + std::log(static_cast<double>(c.keys)) + 4 * ops::reduce(ops::ReduceOp::max, terms, {4}, true);
    const std::int64_t n = c.queries + c.keys + c.width + c.value_width + 30;
    const std::string what = text("scaled_dot_product_attention", q.shape(), k.shape(), v.shape(), dtype);

    const auto forward = [&] { return ops::scaled_dot_product_attention(q, k, v, options); };
    const Array out = ops::matmul(p * kept, v5);
    check(what, [&] { return forward().first; }, rounded(joined(out), joined(sensitivity * ops::matmul(p * kept, absolute(v5))), n, dtype));
    const Dims rows{c.batch, c.heads * c.group, c.queries}, first(5);
    const Array first_scores = ops::slice(scores - ops::log_softmax(scores, 4), first, Dims(5, 1), sensitivity.shape());
    check(
        what + "logsumexp", [&] { return forward().second; },
        rounded(ops::reshape(contiguous(first_scores), rows), ops::reshape(contiguous(sensitivity), rows), n,
                dtype == DType::float64 ? dtype : DType::float32));

    const Array delta = sum(g5 * out, 4), delta_size = sum(absolute(g5) * absolute(out), 4);
    const Array ds = p * (kept * ops::matmul(g5, transposed(v5)) - delta);
    const Array ds_size = p * sensitivity * (kept * ops::matmul(absolute(g5), transposed(absolute(v5))) + delta_size);
    // The backward reads the result as it was stored, with the rounding to 16 bits.
    const double unit = dtype == DType::float16 ? 0x1p-11 : dtype == DType::bfloat16 ? 0x1p-8 : 0;
    const Array stored = unit * (p * delta_size);
    const auto gradients = [&] {
        const auto [result, logsumexp] = forward();
        return ops::scaled_dot_product_attention_backward(g, q, k, v, result, logsumexp, options);
    };
    const auto expected = [&](const Array& value, const Array& size, const Array& of_storing) {
        const Expected exact = rounded(value, size, n, dtype);
        return Expected{exact.value, contiguous(exact.bound + of_storing)};
    };
    const double s = options.scale;
    check(
        what + "dq", [&] { return std::get<0>(gradients()); },
        expected(joined(s * ops::matmul(ds, k5)), joined(s * ops::matmul(ds_size, absolute(k5))),
                 joined(s * ops::matmul(stored, absolute(k5)))));
    const auto over_group = [](const Array& x) { return joined(sum(x, 2)); };
    check(
        what + "dk", [&] { return std::get<1>(gradients()); },
        expected(over_group(s * ops::matmul(transposed(ds), q5)), over_group(s * ops::matmul(transposed(ds_size), absolute(q5))),
                 over_group(s * ops::matmul(transposed(stored), absolute(q5)))));
    check(
        what + "dv", [&] { return std::get<2>(gradients()); },
        expected(over_group(ops::matmul(transposed(p * kept), g5)),
                 over_group(ops::matmul(transposed(p * kept * sensitivity), absolute(g5))), number(0)));
}

}  // namespace

void compare_attention() {
    for (const Case& c : cases)
        for (const DType dtype : floats) compare_case(c, dtype);
}

}  // namespace pyengine::compare
