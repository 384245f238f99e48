#include "kernels/elementwise_binary.h"

#include "kernels/reference/elementwise.h"

namespace pyengine::kernels {

template <>
bool has_binary<Isa::reference>(BinaryOp op, ElementType type) {
    if (op == BinaryOp::divide) return domain_of(type) == Domain::floating;
    if (op == BinaryOp::subtract) return type != ElementType::boolean;
    return true;
}

template <>
void binary<Isa::reference>(BinaryOp op, const ElementwiseArgs& args) {
    // On booleans, stored as x != 0, the sum of 0s and 1s is their or, the product their and.
    switch (op) {
        case BinaryOp::add: return apply_binary_any(args, [](auto a, auto b) { return wrapping(a) + wrapping(b); });
        case BinaryOp::subtract: return apply_binary_any(args, [](auto a, auto b) { return wrapping(a) - wrapping(b); });
        case BinaryOp::multiply: return apply_binary_any(args, [](auto a, auto b) { return wrapping(a) * wrapping(b); });
        case BinaryOp::divide: return apply_binary<double>(args, [](double a, double b) { return a / b; });
        case BinaryOp::equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a == b}; });
        case BinaryOp::not_equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a != b}; });
        case BinaryOp::less: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a < b}; });
        case BinaryOp::less_equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a <= b}; });
        case BinaryOp::greater: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a > b}; });
        case BinaryOp::greater_equal: return apply_binary_any(args, [](auto a, auto b) { return std::uint64_t{a >= b}; });
    }
}

}  // namespace pyengine::kernels
