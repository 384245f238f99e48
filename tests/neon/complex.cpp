// Functions of complex numbers. The parts of a result share their error, so the bound is of its magnitude (Higham, section 3.6).
#include "csrc/ops/elementwise_types.h"
#include "tests/neon/compare.h"

namespace pyengine::compare {
namespace {

using ops::BinaryOp, ops::UnaryOp;

constexpr UnaryOp unary[] = {UnaryOp::abs,   UnaryOp::negative, UnaryOp::square, UnaryOp::reciprocal, UnaryOp::sqrt,  UnaryOp::exp,
                             UnaryOp::expm1, UnaryOp::log,      UnaryOp::log1p,  UnaryOp::log2,       UnaryOp::log10, UnaryOp::sin,
                             UnaryOp::cos,   UnaryOp::tan,      UnaryOp::asin,   UnaryOp::acos,       UnaryOp::atan,  UnaryOp::sinh,
                             UnaryOp::cosh,  UnaryOp::asinh,    UnaryOp::acosh,  UnaryOp::atanh};
constexpr BinaryOp binary[] = {BinaryOp::add, BinaryOp::subtract, BinaryOp::multiply, BinaryOp::divide};

Array complex_uniform(std::int64_t n, DType dtype, std::uint64_t seed) {
    const Array parts = uniform({2 * n}, real_type(dtype), seed, -3, 3);
    return Array(parts.storage(), 0, {n}, {1}, dtype);
}

/// (n, 2) for complex numbers, (n, 1) for others.
Array parts_of(const Array& x) { return is_complex(x.dtype()) ? as_real(x) : ops::reshape(x, {x.size(), 1}); }

/// 16 ulp as in tests/ops/test_complex.py: near a zero of the function the error is relative to the size of what it was computed from.
Expected expected_of(const Array& exact, const Array& operands, DType part) {
    const Array size = ops::binary(BinaryOp::maximum, ops::unary(UnaryOp::abs, exact), operands);
    return within_ulps(parts_of(exact), number(16), part, ops::reshape(size, {size.size(), 1}));
}

}  // namespace

void compare_complex() {
    for (const DType dtype : {DType::complex64, DType::complex128})
        for (const std::int64_t n : {1, 7, 1003, 20'001}) {
            const Array a = complex_uniform(n, dtype, 1), b = complex_uniform(n, dtype, 2);
            const Array wide_a = astype(a, DType::complex128), wide_b = astype(b, DType::complex128);
            for (const UnaryOp op : unary)
                check(
                    text(ops::unary_operations()[static_cast<std::size_t>(op)].name, dtype, n), [&] { return parts_of(ops::unary(op, a)); },
                    expected_of(ops::unary(op, wide_a), number(1), real_type(dtype)));
            const Array sizes = ops::unary(UnaryOp::abs, wide_a) + ops::unary(UnaryOp::abs, wide_b);
            for (const BinaryOp op : binary) {
                const Array operands = op == BinaryOp::add || op == BinaryOp::subtract ? sizes : number(0);
                check(
                    text(ops::binary_operations()[static_cast<std::size_t>(op)].name, dtype, n),
                    [&] { return parts_of(ops::binary(op, a, b)); },
                    expected_of(ops::binary(op, wide_a, wide_b), operands, real_type(dtype)));
            }
            for (const BinaryOp op : {BinaryOp::equal, BinaryOp::not_equal})
                check_equal("comparison", [&] { return ops::binary(op, a, strided(a)); });
            for (const UnaryOp op : {UnaryOp::isnan, UnaryOp::isinf, UnaryOp::isfinite})
                check_equal("kind of number", [&] { return ops::unary(op, a); });
        }
}

}  // namespace pyengine::compare
