// reduce, argreduce, scan, argsort, searchsorted and the pools.
#include <cmath>

#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

using ops::ReduceOp;

struct ReduceCase {
    Dims shape, axes;
};

// As in tests/ops/test_reduce.py: small ones, and beyond one task, one leaf of a row and one tile of columns.
const ReduceCase reduce_cases[] = {{{1}, {0}},          {{5, 0}, {1}},     {{7, 33}, {1}},      {{33, 7}, {0}},
                                   {{3, 5, 9}, {0, 2}}, {{100'003}, {0}},  {{3, 40'001}, {1}},  {{40'001, 3}, {0}},
                                   {{40'001, 3}, {1}},  {{257, 300}, {0}}, {{40, 33, 49}, {1}}, {{40, 33, 49}, {0, 2}}};

std::int64_t count_of(const ReduceCase& c) {
    std::int64_t count = 1;
    for (const std::int64_t axis : c.axes) count *= c.shape[static_cast<std::size_t>(axis)];
    return count;
}

/// Additions one upon another: blocks of 32, then a balanced tree (kernels/reduce.h).
std::int64_t roundings_of_sum(std::int64_t n) { return n <= 32 ? n - 1 : 31 + static_cast<std::int64_t>(std::ceil(std::log2(n / 32.0))); }

void compare_reduce() {
    for (const ReduceCase& c : reduce_cases)
        for (const DType dtype : floats)
            for (const bool reversed : {false, true}) {
                const Array plain = uniform(c.shape, dtype, 1), x = reversed ? strided(plain) : plain, exact = wide(x);
                const auto of = [&](ReduceOp op, const Array& from) { return ops::reduce(op, from, c.axes, false); };
                const std::int64_t n = count_of(c);
                const std::string what = text(c.shape, c.axes, x.strides(), dtype);
                check(
                    "sum " + what, [&] { return of(ReduceOp::sum, x); },
                    rounded(of(ReduceOp::sum, exact), of(ReduceOp::sum, absolute(x)), roundings_of_sum(n), dtype));
                check(
                    "mean " + what, [&] { return of(ReduceOp::mean, x); },
                    rounded(of(ReduceOp::mean, exact), of(ReduceOp::mean, absolute(x)), roundings_of_sum(n) + 1, dtype));
                if (n > 10'000) continue;  // a product's bound is void in float32 long before
                const Array factors = astype(uniform(c.shape, DType::float64, 2, 0.9, 1.1), dtype),
                            from = reversed ? strided(factors) : factors;
                const Array value = of(ReduceOp::prod, wide(from));
                check("prod " + what, [&] { return of(ReduceOp::prod, from); }, rounded(value, value, n, dtype));
            }
}

void compare_choices() {
    for (const ReduceCase& c : reduce_cases)
        for (int type = 0; type < real_types; ++type) {
            const auto dtype = static_cast<DType>(type);
            const Array x = random_bits(c.shape, dtype, 3), view = strided(x),
                        numbers = is_floating(dtype) ? uniform(c.shape, dtype, 4) : x;
            const std::string what = text(c.shape, c.axes, dtype);
            for (const ReduceOp op :
                 {ReduceOp::sum, ReduceOp::prod, ReduceOp::min, ReduceOp::max, ReduceOp::any, ReduceOp::all, ReduceOp::count_nonzero}) {
                if (is_floating(dtype) && op <= ReduceOp::prod) continue;  // compared with a bound
                if (count_of(c) == 0 && (op == ReduceOp::min || op == ReduceOp::max)) continue;
                for (const Array* from : {&x, &view, &numbers})
                    check_equal(ops::reduce_names()[static_cast<std::size_t>(op)] + (' ' + what),
                                [&] { return ops::reduce(op, *from, c.axes, true); });
            }
            if (c.axes.size() > 1 || count_of(c) == 0) continue;
            for (const Array* from : {&x, &view, &numbers}) {
                check_equal("argmin " + what, [&] { return ops::argmin(*from, c.axes[0], false); });
                check_equal("argmax " + what, [&] { return ops::argmax(*from, c.axes[0], false); });
            }
        }
}

/// In order, in float64: the bits are given.
void compare_scan() {
    for (const Dims& shape : {Dims{1, 1}, {7, 33}, {3, 40'001}, {501, 130}})
        for (int type = 0; type < real_types; ++type)
            for (const std::int64_t axis : {0, 1})
                for (const bool initial : {false, true}) {
                    const auto dtype = static_cast<DType>(type);
                    const Array x = is_floating(dtype) ? uniform(shape, dtype, 5, 0.5, 1.5) : random_bits(shape, dtype, 5);
                    check_equal(text("cumulative_sum", shape, axis, dtype), [&] { return ops::cumulative_sum(x, axis, initial); });
                    check_equal(text("cumulative_prod", shape, axis, dtype), [&] { return ops::cumulative_prod(x, axis, initial); });
                }
}

void compare_sort() {
    for (int type = 0; type < real_types; ++type)
        for (const Dims& shape : {Dims{3, 1}, {5, 33}, {20, 700}, {1, 5000}}) {
            const auto dtype = static_cast<DType>(type);
            const Array x = random_bits(shape, dtype, 6), few = astype(astype(uniform(shape, DType::float64, 7, 0, 5), DType::int8), dtype);
            for (const Array* from : {&x, &few})
                for (const bool flag : {false, true}) {
                    check_equal(text("argsort", shape, dtype), [&] { return ops::argsort(*from, 1, flag); });
                    const Array row = ops::reshape(*from, {from->size()}), sorted = ops::take(row, ops::argsort(row, 0, false), 0);
                    check_equal(text("searchsorted", shape, dtype), [&] { return ops::searchsorted(sorted, x, flag); });
                }
        }
}

/// Windows of 3, stride 2, padding 1, cut at the border.
ops::PoolWindows windows_of(const Dims& size) {
    ops::PoolWindows windows{{}, {}, {}, {1, 1, 1}};
    for (std::size_t axis = 0; axis < 3; ++axis)
        for (std::int64_t start = -1; start < size[axis]; start += 2) {
            const std::int64_t first = std::max<std::int64_t>(start, 0), count = std::min(start + 3, size[axis]) - first;
            windows.first[axis].push_back(first);
            windows.count[axis].push_back(count);
            windows.divisor[axis].push_back(count);
        }
    return windows;
}

void compare_pool() {
    for (const Dims& shape : {Dims{2, 1, 1, 1}, {3, 1, 1, 40}, {5, 1, 13, 18}, {2, 5, 6, 7}, {40, 1, 33, 31}})
        for (const DType dtype : floats) {
            const Dims size{shape[1], shape[2], shape[3]};
            const ops::PoolWindows windows = windows_of(size);
            const std::string what = text(shape, dtype);
            const Array x = uniform(shape, dtype, 8), indices = ops::max_pool(x, windows).second, y = uniform(indices.shape(), dtype, 9);
            for (const Array& from : {x, random_bits(shape, dtype, 10)}) {
                check_equal("max_pool " + what, [&] { return ops::max_pool(from, windows).first; });
                check_equal("max_pool, indices " + what, [&] { return ops::max_pool(from, windows).second; });
            }
            check_equal("max_pool_gather " + what, [&] { return ops::max_pool_gather(x, indices); });
            check_equal("max_pool_scatter " + what, [&] { return ops::max_pool_scatter(y, indices, size); });
            // 26 additions and three divisions at most; in the transpose eight windows meet.
            check(
                "avg_pool " + what, [&] { return ops::avg_pool(x, windows); },
                rounded(ops::avg_pool(wide(x), windows), ops::avg_pool(absolute(x), windows), 29, dtype));
            check(
                "avg_pool_transpose " + what, [&] { return ops::avg_pool_transpose(y, size, windows); },
                rounded(ops::avg_pool_transpose(wide(y), size, windows), ops::avg_pool_transpose(absolute(y), size, windows), 11, dtype));
        }
}

}  // namespace

void compare_reductions() {
    compare_reduce();
    compare_choices();
    compare_scan();
    compare_sort();
    compare_pool();
}

}  // namespace pyengine::compare
