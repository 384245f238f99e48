#include "csrc/check.h"
#include "csrc/isa.h"
#include "csrc/loop.h"
#include "csrc/ops.h"
#include "kernels/where.h"

namespace pyengine::ops {
namespace {

// In the order of the enumerations.
constexpr const char* unary_table[] = {"negative", "exp", "log", "sqrt"};
constexpr const char* binary_table[] = {"add",       "subtract", "multiply",   "divide",  "equal",
                                        "not_equal", "less",     "less_equal", "greater", "greater_equal"};
static_assert(std::size(unary_table) == static_cast<std::size_t>(UnaryOp::sqrt) + 1);
static_assert(std::size(binary_table) == static_cast<std::size_t>(BinaryOp::greater_equal) + 1);

const char* name_of(UnaryOp op) { return unary_table[static_cast<int>(op)]; }
const char* name_of(BinaryOp op) { return binary_table[static_cast<int>(op)]; }

Array as_type(const Array& x, DType dtype) { return x.dtype() == dtype ? x : copy(x, dtype); }

DType floating_type(DType dtype) { return is_floating(dtype) ? dtype : DType::float32; }

// Which types ------------------------------------------------------------------------------------------------------------------------

/// What an operation computes in, and what it results in.
struct Types {
    DType operands, result;
};

Types types_of(UnaryOp op, DType x) {
    switch (op) {
        case UnaryOp::negative: return {x, x};
        default: return {floating_type(x), floating_type(x)};
    }
}

Types types_of(BinaryOp op, DType a, DType b) {
    const DType common = promote(name_of(op), a, b);
    switch (op) {
        case BinaryOp::divide: return {floating_type(common), floating_type(common)};
        case BinaryOp::equal:
        case BinaryOp::not_equal:
        case BinaryOp::less:
        case BinaryOp::less_equal:
        case BinaryOp::greater:
        case BinaryOp::greater_equal: return {common, DType::boolean};
        default: return {common, common};
    }
}

const char* rule_of(UnaryOp) { return "the operation is not defined for it, convert first"; }

const char* rule_of(BinaryOp op) {
    return op == BinaryOp::subtract ? "use logical_xor for booleans, or convert first"
                                    : "the operation is not defined for it, convert first";
}

template <typename Op>
void require(bool supported, Op op, DType dtype) {
    if (!supported) fail_type(name_of(op), ": dtype not supported: ", dtype, "; ", rule_of(op));
}

// Into a given output ----------------------------------------------------------------------------------------------------------------

void check_out(const char* op, const Array& out, const Dims& shape, DType result) {
    check_writable(op, out);
    if (kind_of(result) > kind_of(out.dtype()))
        fail_type(op, ": the output cannot hold the result: output ", out.dtype(), ", result ", result, "; its kind must not be lower");
    if (!(broadcast_shapes(op, shape, out.shape()) == out.shape()))
        fail_value(op, ": the output does not have the result's shape: output ", out.shape(), ", result ", shape,
                   "; broadcasting stretches inputs only");
}

/// x, or a copy where writing out element by element would change what is still to be read.
Array apart_from(const Array& x, const Array& out) {
    const bool in_step = x.raw() == out.raw() && x.dtype() == out.dtype() && x.shape() == out.shape() && x.strides() == out.strides();
    return in_step || !may_overlap(out, x) ? x : copy(x, x.dtype());
}

}  // namespace

Array unary(UnaryOp op, const Array& x) {
    const Types types = types_of(op, x.dtype());
    require(at_isa([&]<Isa level> { return kernels::has_unary<level>(op, types.operands); }), op, x.dtype());
    const Array operand = as_type(x, types.operands);
    const Array out(x.shape(), types.result);
    const Loop loop(name_of(op), out, {&operand});
    at_isa([&]<Isa level> { kernels::unary<level>(op, loop.args()); });
    return out;
}

void unary(UnaryOp op, const Array& x, const Array& out) {
    const Types types = types_of(op, x.dtype());
    require(at_isa([&]<Isa level> { return kernels::has_unary<level>(op, types.operands); }), op, x.dtype());
    check_out(name_of(op), out, x.shape(), types.result);
    if (types.result != out.dtype()) return assign(out, unary(op, x));
    const Array operand = apart_from(as_type(x, types.operands), out);
    const Loop loop(name_of(op), out, {&operand});
    at_isa([&]<Isa level> { kernels::unary<level>(op, loop.args()); });
    out.storage()->bump_version();
}

Array binary(BinaryOp op, const Array& a, const Array& b) {
    const Types types = types_of(op, a.dtype(), b.dtype());
    require(at_isa([&]<Isa level> { return kernels::has_binary<level>(op, types.operands); }), op, types.operands);
    const Array left = as_type(a, types.operands), right = as_type(b, types.operands);
    const Array out(broadcast_shapes(name_of(op), a.shape(), b.shape()), types.result);
    const Loop loop(name_of(op), out, {&left, &right});
    at_isa([&]<Isa level> { kernels::binary<level>(op, loop.args()); });
    return out;
}

void binary(BinaryOp op, const Array& a, const Array& b, const Array& out) {
    const Types types = types_of(op, a.dtype(), b.dtype());
    require(at_isa([&]<Isa level> { return kernels::has_binary<level>(op, types.operands); }), op, types.operands);
    check_out(name_of(op), out, broadcast_shapes(name_of(op), a.shape(), b.shape()), types.result);
    if (types.result != out.dtype()) return assign(out, binary(op, a, b));
    const Array left = apart_from(as_type(a, types.operands), out), right = apart_from(as_type(b, types.operands), out);
    const Loop loop(name_of(op), out, {&left, &right});
    at_isa([&]<Isa level> { kernels::binary<level>(op, loop.args()); });
    out.storage()->bump_version();
}

Array where(const Array& condition, const Array& a, const Array& b) {
    const DType dtype = promote("where", a.dtype(), b.dtype());
    if (condition.dtype() != DType::boolean) fail_type("where: condition is not boolean: ", condition.dtype(), "; compare it with 0");
    const Dims shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
    const Array left = as_type(a, dtype), right = as_type(b, dtype);
    const Array out(shape, dtype);
    const Loop loop("where", out, {&condition, &left, &right});
    at_isa([&]<Isa level> { kernels::where<level>(loop.args()); });
    return out;
}

std::span<const char* const> unary_names() { return unary_table; }
std::span<const char* const> binary_names() { return binary_table; }

}  // namespace pyengine::ops
