#include "kernels/elementwise_unary.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {
namespace {

std::uint64_t magnitude(std::uint64_t x) { return x; }
std::uint64_t magnitude(std::int64_t x) { return x < 0 ? -wrapping(x) : wrapping(x); }
double magnitude(double x) { return std::fabs(x); }

template <typename T>
T sign(T x) {
    return x > 0 ? T{1} : x < 0 ? static_cast<T>(-1) : x == 0 ? T{0} : x;  // NaN stays
}

using Function = double (*)(double);

void apply_floating(const ElementwiseArgs& args, Function f) { apply_unary<double>(args, f); }

}  // namespace

template <>
void unary<Isa::reference>(UnaryOp op, const ElementwiseArgs& args) {
    switch (op) {
        case UnaryOp::abs: return apply_unary_any(args, [](auto x) { return magnitude(x); });
        case UnaryOp::negative: return apply_unary_any(args, [](auto x) { return -wrapping(x); });
        case UnaryOp::square: return apply_unary_any(args, [](auto x) { return wrapping(x) * wrapping(x); });
        case UnaryOp::sign: return apply_unary_any(args, [](auto x) { return sign(x); });
        case UnaryOp::bitwise_invert:
            if (args.out.type == ElementType::boolean)
                return apply_unary<std::uint64_t>(args, [](std::uint64_t x) { return std::uint64_t{x == 0}; });
            return apply_unary<std::uint64_t>(args, [](std::uint64_t x) { return ~x; });
        case UnaryOp::logical_not: return apply_unary_any(args, [](auto x) { return std::uint64_t{x == 0}; });
        case UnaryOp::sqrt: return apply_floating(args, std::sqrt);
        case UnaryOp::rsqrt: return apply_floating(args, [](double x) { return 1.0 / std::sqrt(x); });
        case UnaryOp::reciprocal: return apply_floating(args, [](double x) { return 1.0 / x; });
        case UnaryOp::floor: return apply_floating(args, std::floor);
        case UnaryOp::ceil: return apply_floating(args, std::ceil);
        case UnaryOp::round: return apply_floating(args, std::nearbyint);
        case UnaryOp::trunc: return apply_floating(args, std::trunc);
        case UnaryOp::exp: return apply_floating(args, std::exp);
        case UnaryOp::expm1: return apply_floating(args, std::expm1);
        case UnaryOp::log: return apply_floating(args, std::log);
        case UnaryOp::log1p: return apply_floating(args, std::log1p);
        case UnaryOp::log2: return apply_floating(args, std::log2);
        case UnaryOp::log10: return apply_floating(args, std::log10);
        case UnaryOp::sin: return apply_floating(args, std::sin);
        case UnaryOp::cos: return apply_floating(args, std::cos);
        case UnaryOp::tan: return apply_floating(args, std::tan);
        case UnaryOp::asin: return apply_floating(args, std::asin);
        case UnaryOp::acos: return apply_floating(args, std::acos);
        case UnaryOp::atan: return apply_floating(args, std::atan);
        case UnaryOp::sinh: return apply_floating(args, std::sinh);
        case UnaryOp::cosh: return apply_floating(args, std::cosh);
        case UnaryOp::asinh: return apply_floating(args, std::asinh);
        case UnaryOp::acosh: return apply_floating(args, std::acosh);
        case UnaryOp::atanh: return apply_floating(args, std::atanh);
        case UnaryOp::erf: return apply_floating(args, std::erf);
        case UnaryOp::isnan: return apply_unary<double>(args, [](double x) { return std::uint64_t{std::isnan(x)}; });
        case UnaryOp::isinf: return apply_unary<double>(args, [](double x) { return std::uint64_t{std::isinf(x)}; });
        case UnaryOp::isfinite: return apply_unary<double>(args, [](double x) { return std::uint64_t{std::isfinite(x)}; });
        case UnaryOp::signbit: return apply_unary<double>(args, [](double x) { return std::uint64_t{std::signbit(x)}; });
    }
}

}  // namespace pyengine::kernels
