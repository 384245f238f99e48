// What the comparisons of a level with the reference share: numbers, bounds as in tests/tolerance.py, and the check of one case.
#pragma once

#include <functional>
#include <string>

#include "csrc/check.h"
#include "csrc/ops.h"

namespace pyengine::compare {

/// Complex types come behind these.
constexpr int real_types = static_cast<int>(DType::float64) + 1;
constexpr DType floats[] = {DType::float16, DType::bfloat16, DType::float32, DType::float64};
constexpr DType integers[] = {DType::int8,  DType::int16,  DType::int32,  DType::int64,
                              DType::uint8, DType::uint16, DType::uint32, DType::uint64};

// Numbers: the same on every machine

/// In [low, high), rounded to `dtype`.
Array uniform(const Dims& shape, DType dtype, std::uint64_t seed, double low = -1, double high = 1);
/// Any bits: of floats every kind of number, Inf and NaN.
Array random_bits(const Dims& shape, DType dtype, std::uint64_t seed);
/// The same elements, every other one of a larger array, from the last to the first.
Array strided(const Array& x);

// The oracle: the reference in float64

Array wide(const Array& x);
Array absolute(const Array& x);
Array number(double value);
Array operator+(const Array& a, const Array& b);
Array operator-(const Array& a, const Array& b);
Array operator*(const Array& a, const Array& b);
Array operator/(const Array& a, const Array& b);
Array operator*(double a, const Array& b);
Array operator+(double a, const Array& b);
/// The axis stays, with size 1.
Array sum(const Array& x, std::int64_t axis);
Array transposed(const Array& x);  // the last two axes

/// What a result should be, and how far it may lie from that: float64, of one shape.
struct Expected {
    Array value, bound;
};

/// tests/tolerance.py, roundings(): n roundings on partial results of at most `magnitude`.
Expected rounded(const Array& value, const Array& magnitude, std::int64_t n, DType dtype);
/// tests/tolerance.py, elementwise(): `ulps` are of `size`, or of the result where that is larger; they count again for the reference.
Expected within_ulps(const Array& value, const Array& ulps, DType dtype, const Array& size = number(0));

// The checks: of the level under test, with one thread and with three, which must give the same bits

using Op = std::function<Array()>;
void check(const std::string& what, const Op& op, const Expected& expected);
/// The result has the reference's bits; a NaN may be any NaN.
void check_equal(const std::string& what, const Op& op);

template <typename... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    ((out << parts << ' '), ...);
    return out.str();
}

void compare_attention();
void compare_complex();
void compare_elementwise();
void compare_moves();
void compare_optimizer_steps();
void compare_products();
void compare_random();
void compare_reductions();
void compare_rows();

}  // namespace pyengine::compare
