#include "csrc/ops/elementwise_types.h"

#include <algorithm>

#include "csrc/check.h"

namespace pyengine::ops {
namespace {

using kernels::Activation;
using kernels::BinaryOp;
using kernels::UnaryOp;

constexpr bool to_boolean = true;

constexpr Operation unary_table[] = {
    {"abs", Takes::numbers},
    {"negative", Takes::numbers},
    {"square", Takes::numbers},
    {"sign", Takes::numbers},
    {"bitwise_invert", Takes::integers_and_booleans},
    {"logical_not", Takes::booleans, to_boolean},
    {"sqrt", Takes::floats},
    {"rsqrt", Takes::floats},
    {"reciprocal", Takes::floats},
    {"floor", Takes::rounding},
    {"ceil", Takes::rounding},
    {"round", Takes::rounding},
    {"trunc", Takes::rounding},
    {"exp", Takes::floats},
    {"expm1", Takes::floats},
    {"log", Takes::floats},
    {"log1p", Takes::floats},
    {"log2", Takes::floats},
    {"log10", Takes::floats},
    {"sin", Takes::floats},
    {"cos", Takes::floats},
    {"tan", Takes::floats},
    {"asin", Takes::floats},
    {"acos", Takes::floats},
    {"atan", Takes::floats},
    {"sinh", Takes::floats},
    {"cosh", Takes::floats},
    {"asinh", Takes::floats},
    {"acosh", Takes::floats},
    {"atanh", Takes::floats},
    {"erf", Takes::floats},
    {"isnan", Takes::floats, to_boolean},
    {"isinf", Takes::floats, to_boolean},
    {"isfinite", Takes::floats, to_boolean},
    {"signbit", Takes::floats, to_boolean},
};
static_assert(std::size(unary_table) == static_cast<std::size_t>(UnaryOp::signbit) + 1);

constexpr Operation binary_table[] = {
    {"add", Takes::numbers_and_booleans},
    {"subtract", Takes::numbers},
    {"multiply", Takes::numbers_and_booleans},
    {"floor_divide", Takes::numbers},
    {"remainder", Takes::numbers},
    {"pow", Takes::numbers},
    {"maximum", Takes::numbers_and_booleans},
    {"minimum", Takes::numbers_and_booleans},
    {"divide", Takes::floats},
    {"atan2", Takes::floats},
    {"hypot", Takes::floats},
    {"copysign", Takes::floats},
    {"nextafter", Takes::floats_only},
    {"logaddexp", Takes::floats},
    {"equal", Takes::numbers_and_booleans, to_boolean},
    {"not_equal", Takes::numbers_and_booleans, to_boolean},
    {"less", Takes::numbers_and_booleans, to_boolean},
    {"less_equal", Takes::numbers_and_booleans, to_boolean},
    {"greater", Takes::numbers_and_booleans, to_boolean},
    {"greater_equal", Takes::numbers_and_booleans, to_boolean},
    {"logical_and", Takes::booleans, to_boolean},
    {"logical_or", Takes::booleans, to_boolean},
    {"logical_xor", Takes::booleans, to_boolean},
    {"bitwise_and", Takes::integers_and_booleans},
    {"bitwise_or", Takes::integers_and_booleans},
    {"bitwise_xor", Takes::integers_and_booleans},
    {"bitwise_left_shift", Takes::integers},
    {"bitwise_right_shift", Takes::integers},
};
static_assert(std::size(binary_table) == static_cast<std::size_t>(BinaryOp::bitwise_right_shift) + 1);

constexpr Operation activation_table[] = {
    {"relu", Takes::numbers}, {"sigmoid", Takes::floats},   {"tanh", Takes::floats},     {"silu", Takes::floats},
    {"gelu", Takes::floats},  {"gelu_tanh", Takes::floats}, {"softplus", Takes::floats},
};
static_assert(std::size(activation_table) == static_cast<std::size_t>(Activation::softplus) + 1);

// In the order of the enumerations.
constexpr std::string_view complex_unary_table[] = {
    "abs", "negative", "conj", "square", "reciprocal", "sqrt", "exp",  "expm1", "log",   "log1p", "log2",  "log10", "sin",      "cos",
    "tan", "asin",     "acos", "atan",   "sinh",       "cosh", "tanh", "asinh", "acosh", "atanh", "isnan", "isinf", "isfinite",
};
static_assert(std::size(complex_unary_table) == static_cast<std::size_t>(kernels::ComplexUnary::isfinite) + 1);

constexpr std::string_view complex_binary_table[] = {"add", "subtract", "multiply", "divide", "pow", "equal", "not_equal"};
static_assert(std::size(complex_binary_table) == static_cast<std::size_t>(kernels::ComplexBinary::not_equal) + 1);

template <typename Op>
Op find_complex(std::span<const std::string_view> table, std::string_view name, DType dtype) {
    const auto found = std::find(table.begin(), table.end(), name);
    if (found == table.end()) fail_type(name, ": dtype not supported: ", dtype, "; not defined for complex numbers");
    return static_cast<Op>(found - table.begin());
}

void require(bool allowed, const Operation& operation, DType dtype, const char* rule) {
    if (!allowed) fail_type(operation.name, ": dtype not supported: ", dtype, "; ", rule);
}

DType operand_type(const Operation& operation, DType dtype) {
    const Kind kind = kind_of(dtype);
    switch (operation.takes) {
        case Takes::numbers:
            require(kind != Kind::boolean, operation, dtype, "must be an integer or a float; convert booleans first");
            break;
        case Takes::numbers_and_booleans: break;
        case Takes::integers: require(kind == Kind::integer, operation, dtype, "must be an integer"); break;
        case Takes::integers_and_booleans: require(kind != Kind::floating, operation, dtype, "must be an integer or bool"); break;
        case Takes::booleans: return is_complex(dtype) ? DType::boolean : dtype;
        case Takes::floats: return kind == Kind::floating ? dtype : default_dtype();
        case Takes::floats_only: require(kind == Kind::floating, operation, dtype, "must be a float"); break;
        case Takes::rounding: require(kind != Kind::boolean, operation, dtype, "must be an integer or a float"); break;
    }
    return dtype;
}

}  // namespace

std::span<const Operation> unary_operations() { return unary_table; }
std::span<const Operation> binary_operations() { return binary_table; }
std::span<const Operation> activation_operations() { return activation_table; }

kernels::ComplexUnary complex_unary_operation(std::string_view name, DType dtype) {
    return find_complex<kernels::ComplexUnary>(complex_unary_table, name, dtype);
}
kernels::ComplexBinary complex_binary_operation(std::string_view name, DType dtype) {
    return find_complex<kernels::ComplexBinary>(complex_binary_table, name, dtype);
}

Types types_of(const Operation& operation, DType dtype) {
    const DType operands = operand_type(operation, dtype);
    return {operands, operation.to_boolean ? DType::boolean : operands};
}

}  // namespace pyengine::ops
