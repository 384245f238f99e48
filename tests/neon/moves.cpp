// Reading and writing at indices, copies between layouts, and random numbers: all of these have the reference's bits.
#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

/// Integers in [-n, n).
Array indices_below(const Dims& shape, std::int64_t n, std::uint64_t seed) {
    return ops::random_integers(shape, DType::int64, seed, 0, static_cast<std::uint64_t>(-n), static_cast<std::uint64_t>(2 * n));
}

using Write = std::function<void(const Array&)>;

/// `write` changes its argument, a copy of x.
void check_written(const std::string& what, const Array& x, const Write& write) {
    check_equal(what, [&] {
        const Array target = copy(x, x.dtype());
        write(target);
        return target;
    });
}

void compare_index() {
    for (int type = 0; type < real_types; ++type)
        for (const std::int64_t inner : {1, 7, 300}) {
            const auto dtype = static_cast<DType>(type);
            const Dims shape{6, 40, inner};
            const Array x = is_floating(dtype) ? uniform(shape, dtype, 1) : random_bits(shape, dtype, 1);
            const Array at = indices_below({90}, 40, 2), along = indices_below({6, 90, inner}, 40, 3), other = indices_below({90}, 6, 4);
            const Array values = is_floating(dtype) ? uniform({6, 90, inner}, dtype, 5) : random_bits({6, 90, inner}, dtype, 5);
            const Array rows = ops::slice(values, {0, 0, 0}, {1, 1, 1}, {1, 90, inner}), put = ops::reshape(rows, {90, inner});
            const std::string what = text(dtype, inner);
            check_equal("take " + what, [&] { return ops::take(x, at, 1); });
            check_equal("take_along_axis " + what, [&] { return ops::take_along_axis(x, along, 1); });
            check_equal("index_get " + what, [&] { return ops::index_get(x, {other, at}, {0, 1}); });
            check_written("index_put " + what, x, [&](const Array& to) { ops::index_put(to, {other, at}, {0, 1}, put, false); });
            if (dtype == DType::boolean) continue;
            check_written("index_put, accumulate " + what, x, [&](const Array& to) { ops::index_put(to, {other, at}, {0, 1}, put, true); });
            for (const ops::ScatterOp how : {ops::ScatterOp::assign, ops::ScatterOp::add, ops::ScatterOp::min, ops::ScatterOp::max}) {
                const auto name = static_cast<std::size_t>(how);
                check_written(ops::index_update_names()[name] + (' ' + what), x,
                              [&](const Array& to) { ops::index_update(how, to, at, 1, values); });
                check_written(ops::scatter_names()[name] + (' ' + what), x,
                              [&](const Array& to) { ops::scatter(how, to, along, 1, values); });
            }
        }
    const Array hits = random_bits({30, 1501}, DType::boolean, 6);
    for (const std::size_t axis : {0u, 1u}) check_equal("nonzero", [&] { return ops::nonzero(hits)[axis]; });
}

void compare_copies() {
    for (const DType dtype : {DType::int8, DType::bfloat16, DType::float32, DType::float64})
        for (const Dims& shape : {Dims{1, 1}, {3, 5}, {31, 33}, {257, 100}, {7, 70, 41}}) {
            const Array x = transposed(random_bits(shape, dtype, 7)), y = strided(x);
            check_equal(text("copy, transposed", shape, dtype), [&] { return copy(x, dtype); });
            check_equal(text("copy, strided", shape, dtype), [&] { return copy(y, dtype); });
            check_equal(text("concat", shape, dtype), [&] { return ops::concat({x, y, x}, 0); });
        }
}

}  // namespace

void compare_moves() {
    compare_index();
    compare_copies();
}

void compare_random() {
    for (const std::int64_t n : {1, 7, 1003, 70'001})
        for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{3}, (std::uint64_t{1} << 34) - 5}) {
            constexpr std::uint64_t seed = 0x123456789abcdef;
            const std::string what = text(n, offset);
            for (const DType dtype : floats) {
                check_equal(text("random_uniform", dtype) + what, [&] { return ops::random_uniform({n}, dtype, seed, offset); });
                check_equal(text("random_normal", dtype) + what, [&] { return ops::random_normal({n}, dtype, seed, offset); });
                check_equal(text("random_bernoulli", dtype) + what,
                            [&] { return ops::random_bernoulli({n}, dtype, seed, offset, 0.3, 1.25); });
            }
            for (const DType dtype : integers)
                for (const std::uint64_t range : {std::uint64_t{0}, std::uint64_t{10}, (std::uint64_t{1} << 40) + 1})
                    check_equal(text("random_integers", dtype, range) + what,
                                [&] { return ops::random_integers({n}, dtype, seed, offset, static_cast<std::uint64_t>(-3), range); });
            check_equal("random_bernoulli bool " + what, [&] { return ops::random_bernoulli({n}, DType::boolean, seed, offset, 0.3, 1); });
        }
}

}  // namespace pyengine::compare
