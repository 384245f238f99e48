#include "kernels/elementwise_binary.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {
namespace {

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    if (b == 0) return 0;
    if (b == -1) return static_cast<std::int64_t>(-wrapping(a));
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
std::uint64_t floor_divide(std::uint64_t a, std::uint64_t b) { return b == 0 ? 0 : a / b; }

double floor_divide(double a, double b) {
    const double ratio = a / b;
    if (std::isnan(ratio) || std::isinf(a) || std::isinf(b) || b == 0) return ratio;
    const bool same_sign = (a < 0) == (b < 0);
    const double rest = std::fmod(a, b);
    const double quotient = std::nearbyint((a - rest) / b) - (rest != 0 && !same_sign ? 1 : 0);
    return quotient == 0 ? std::copysign(0.0, ratio) : quotient;
}

std::int64_t remainder_of(std::int64_t a, std::int64_t b) {
    if (b == 0 || b == -1) return 0;
    const std::int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
std::uint64_t remainder_of(std::uint64_t a, std::uint64_t b) { return b == 0 ? 0 : a % b; }

double remainder_of(double a, double b) {
    const double rest = std::fmod(a, b);
    if (rest == 0) return std::copysign(0.0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

std::uint64_t power(std::uint64_t a, std::uint64_t b) {
    std::uint64_t result = 1;
    for (; b > 0; b /= 2, a *= a)
        if (b % 2 == 1) result *= a;
    return result;
}
std::uint64_t power(std::int64_t a, std::int64_t b) {
    if (b >= 0) return power(wrapping(a), wrapping(b));
    return a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? ~std::uint64_t{0} : 0;
}
double power(double a, double b) { return std::pow(a, b); }

template <typename T>
T larger(T a, T b) {
    return a > b || a != a ? a : b;
}
template <typename T>
T smaller(T a, T b) {
    return a < b || a != a ? a : b;
}

double log_add_exp(double a, double b) {
    if (a == b) return a + std::log(2.0);
    return larger(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}

int width_of(ElementType type) {
    switch (type) {
        case ElementType::int8:
        case ElementType::uint8: return 8;
        case ElementType::int16:
        case ElementType::uint16: return 16;
        case ElementType::int32:
        case ElementType::uint32: return 32;
        default: return 64;
    }
}

template <typename Wide>
void left_shift(const ElementwiseArgs& args) {
    const Wide width = width_of(args.out.type);
    apply_binary<Wide>(args, [width](Wide a, Wide b) { return b >= 0 && b < width ? wrapping(a) << b : std::uint64_t{0}; });
}

template <typename Wide>
void right_shift(const ElementwiseArgs& args) {
    const Wide width = width_of(args.out.type);
    apply_binary<Wide>(args, [width](Wide a, Wide b) { return b >= 0 && b < width ? a >> b : a < 0 ? ~Wide{0} : Wide{0}; });
}

/// The neighbour of a towards b, among the numbers of the operands' own type.
double next_after(ElementType type, double a, double b) {
    if (type == ElementType::float64) return std::nextafter(a, b);
    if (type == ElementType::float32) return std::nextafter(static_cast<float>(a), static_cast<float>(b));
    if (std::isnan(a) || std::isnan(b)) return a + b;
    if (a == b) return b;
    // precision p and least exponent e: the gap above |a| = f 2^k, f in [1/2, 1), is 2^(k - p); below a power of two it is half that.
    const int p = type == ElementType::float16 ? 11 : 8, e = type == ElementType::float16 ? -13 : -125;
    const double largest = type == ElementType::float16 ? 65504.0 : 0x1.fep127;
    if (std::isinf(a)) return std::copysign(largest, a);
    int k = e;
    const bool power_of_two = a != 0 && std::fabs(std::frexp(a, &k)) == 0.5;
    const bool shrinks = a != 0 && (a < 0) == (a < b);
    const double gap = std::ldexp(1.0, std::max(k - (shrinks && power_of_two && k > e ? 1 : 0), e) - p);
    const double result = a < b ? a + gap : a - gap;
    return result == 0 ? std::copysign(0.0, a) : std::fabs(result) > largest ? std::copysign(HUGE_VAL, a) : result;
}

}  // namespace

template <>
void binary<Isa::reference>(BinaryOp op, const ElementwiseArgs& args) {
    const ElementType type = args.in[0].type;
    const bool is_signed = domain_of(type) == Domain::signed_integer;
    // On booleans, stored as x != 0, the sum of 0s and 1s is their or, the product their and.
    switch (op) {
        case BinaryOp::add: return apply_binary_any(args, [](auto a, auto b) { return wrapping(a) + wrapping(b); });
        case BinaryOp::subtract: return apply_binary_any(args, [](auto a, auto b) { return wrapping(a) - wrapping(b); });
        case BinaryOp::multiply: return apply_binary_any(args, [](auto a, auto b) { return wrapping(a) * wrapping(b); });
        case BinaryOp::floor_divide: return apply_binary_any(args, [](auto a, auto b) { return floor_divide(a, b); });
        case BinaryOp::remainder: return apply_binary_any(args, [](auto a, auto b) { return remainder_of(a, b); });
        case BinaryOp::pow: return apply_binary_any(args, [](auto a, auto b) { return power(a, b); });
        case BinaryOp::maximum: return apply_binary_any(args, [](auto a, auto b) { return larger(a, b); });
        case BinaryOp::minimum: return apply_binary_any(args, [](auto a, auto b) { return smaller(a, b); });
        case BinaryOp::divide: return apply_binary<double>(args, [](double a, double b) { return a / b; });
        case BinaryOp::atan2: return apply_binary<double>(args, [](double a, double b) { return std::atan2(a, b); });
        case BinaryOp::hypot: return apply_binary<double>(args, [](double a, double b) { return std::hypot(a, b); });
        case BinaryOp::copysign: return apply_binary<double>(args, [](double a, double b) { return std::copysign(a, b); });
        case BinaryOp::nextafter: return apply_binary<double>(args, [type](double a, double b) { return next_after(type, a, b); });
        case BinaryOp::logaddexp: return apply_binary<double>(args, log_add_exp);
        case BinaryOp::equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a == b}; });
        case BinaryOp::not_equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a != b}; });
        case BinaryOp::less: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a < b}; });
        case BinaryOp::less_equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a <= b}; });
        case BinaryOp::greater: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a > b}; });
        case BinaryOp::greater_equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a >= b}; });
        case BinaryOp::logical_and: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a != 0 && b != 0}; });
        case BinaryOp::bitwise_and: return apply_binary<std::uint64_t>(args, [](std::uint64_t a, std::uint64_t b) { return a & b; });
        case BinaryOp::logical_or: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a != 0 || b != 0}; });
        case BinaryOp::bitwise_or: return apply_binary<std::uint64_t>(args, [](std::uint64_t a, std::uint64_t b) { return a | b; });
        case BinaryOp::logical_xor: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{(a != 0) != (b != 0)}; });
        case BinaryOp::bitwise_xor: return apply_binary<std::uint64_t>(args, [](std::uint64_t a, std::uint64_t b) { return a ^ b; });
        case BinaryOp::bitwise_left_shift: return is_signed ? left_shift<std::int64_t>(args) : left_shift<std::uint64_t>(args);
        case BinaryOp::bitwise_right_shift: return is_signed ? right_shift<std::int64_t>(args) : right_shift<std::uint64_t>(args);
    }
}

}  // namespace pyengine::kernels
