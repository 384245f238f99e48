#include <optional>

#include "csrc/check.h"
#include "csrc/loop.h"
#include "csrc/ops.h"
#include "csrc/ops/elementwise_types.h"
#include "kernels/clip.h"
#include "kernels/complex.h"
#include "kernels/multiply_add.h"
#include "kernels/where.h"

namespace pyengine::ops {
namespace {

/// x in a given dtype: itself, or a converted copy.
class Operand {
public:
    Operand(const Array& x, DType dtype) {
        if (x.dtype() != dtype) converted_.emplace(copy(x, dtype));
        array_ = converted_ ? &*converted_ : &x;
    }
    Operand(const Operand&) = delete;
    Operand& operator=(const Operand&) = delete;
    const Array* get() const { return array_; }

private:
    std::optional<Array> converted_;
    const Array* array_;
};

using Inputs = std::initializer_list<const Array*>;

void check_out(const char* op, const Array* out, const Dims& shape, DType result) {
    if (!out) return;
    check_writable(op, *out);
    if (kind_of(result) > kind_of(out->dtype()))
        fail_type(op, ": the output cannot hold the result: output ", out->dtype(), ", result ", result, "; its kind must not be lower");
    if (!(broadcast_shapes(op, shape, out->shape()) == out->shape()))
        fail_value(op, ": the output does not have the result's shape: output ", out->shape(), ", result ", shape,
                   "; broadcasting stretches inputs only");
}

/// Whether writing out element by element leaves every input as it was until it is read.
bool can_write_directly(const Array& out, Inputs inputs) {
    return std::all_of(inputs.begin(), inputs.end(), [&](const Array* x) {
        const bool in_step =
            x->raw() == out.raw() && x->dtype() == out.dtype() && x->shape() == out.shape() && x->strides() == out.strides();
        return in_step || !may_overlap(out, *x);
    });
}

template <typename Kernel>
void run(const Array& out, Inputs inputs, Kernel kernel) {
    const Loop loop(out, inputs);
    on_device(out.device(), [&]<Isa level> { kernel.template operator()<level>(loop.args()); });
}

/// The kernel's result in a new array, or in `out` if there is one.
template <typename Kernel>
Array compute(const char* op, const Dims& shape, DType result, const Array* out, Inputs inputs, Kernel kernel) {
    const Device device = common_device(op, inputs);
    if (out && out->dtype() == result && out->device() == device && can_write_directly(*out, inputs)) {
        run(*out, inputs, kernel);
        out->storage()->bump_version();
        return *out;
    }
    Array fresh(shape, result, device);
    run(fresh, inputs, kernel);
    if (!out) return fresh;
    assign(*out, fresh);
    return *out;
}

template <typename Op>
const Operation& at(std::span<const Operation> operations, Op op) {
    return operations[static_cast<std::size_t>(op)];
}

/// Whether numbers are 0 needs no type that holds both; a complex one is asked on the way to a boolean.
DType common_type(const Operation& operation, DType a, DType b) {
    if (operation.takes != Takes::booleans) return promote(operation.name, a, b);
    return a == b && !is_complex(a) ? a : DType::boolean;
}

Array complex_unary(const char* name, const Array& x, const Array* out) {
    const kernels::ComplexUnary op = complex_unary_operation(name, x.dtype());
    const DType result = op == kernels::ComplexUnary::abs     ? real_type(x.dtype())
                         : op >= kernels::ComplexUnary::isnan ? DType::boolean
                                                              : x.dtype();
    check_out(name, out, x.shape(), result);
    return compute(name, x.shape(), result, out, {&x}, [op]<Isa level>(const auto& args) { kernels::complex_unary<level>(op, args); });
}

Array complex_binary(const char* name, DType common, const Array& a, const Array& b, const Array* out) {
    const kernels::ComplexBinary op = complex_binary_operation(name, common);
    const DType result = op >= kernels::ComplexBinary::equal ? DType::boolean : common;
    const Dims shape = broadcast_shapes(name, a.shape(), b.shape());
    check_out(name, out, shape, result);
    const Operand left(a, common), right(b, common);
    return compute(name, shape, result, out, {left.get(), right.get()},
                   [op]<Isa level>(const auto& args) { kernels::complex_binary<level>(op, args); });
}

/// Both parts at once, along one more axis.
Array where_complex(const Array& condition, const Array& a, const Array& b, const Dims& shape) {
    const Array fresh(shape, a.dtype(), common_device("where", {&condition, &a, &b}));
    Dims condition_shape = condition.shape(), condition_strides = condition.strides();
    condition_shape.push_back(1);
    condition_strides.push_back(0);
    const Array both = condition.view(std::move(condition_shape), std::move(condition_strides), condition.offset());
    const Array left = as_real(a), right = as_real(b);
    run(as_real(fresh), {&both, &left, &right}, []<Isa level>(const auto& args) { kernels::where<level>(args); });
    return fresh;
}

}  // namespace

Array conj(const Array& x) { return is_complex(x.dtype()) ? complex_unary("conj", x, nullptr) : copy(x, x.dtype()); }

Array unary(UnaryOp op, const Array& x, const Array* out) {
    const Operation& operation = at(unary_operations(), op);
    if (is_complex(x.dtype()) && operation.takes != Takes::booleans) return complex_unary(operation.name, x, out);
    const Types types = types_of(operation, x.dtype());
    check_out(operation.name, out, x.shape(), types.result);
    if (operation.takes == Takes::rounding && !is_floating(x.dtype())) return out ? (assign(*out, x), *out) : copy(x, x.dtype());
    const Operand operand(x, types.operands);
    return compute(operation.name, x.shape(), types.result, out, {operand.get()},
                   [op]<Isa level>(const auto& args) { kernels::unary<level>(op, args); });
}

Array binary(BinaryOp op, const Array& a, const Array& b, const Array* out) {
    const Operation& operation = at(binary_operations(), op);
    const DType common = common_type(operation, a.dtype(), b.dtype());
    if (is_complex(common)) return complex_binary(operation.name, common, a, b, out);
    const Types types = types_of(operation, common);
    const Dims shape = broadcast_shapes(operation.name, a.shape(), b.shape());
    check_out(operation.name, out, shape, types.result);
    const Operand left(a, types.operands), right(b, types.operands);
    return compute(operation.name, shape, types.result, out, {left.get(), right.get()},
                   [op]<Isa level>(const auto& args) { kernels::binary<level>(op, args); });
}

Array activation(Activation f, const Array& x, const Array* out) {
    const Operation& operation = at(activation_operations(), f);
    if (is_complex(x.dtype())) return complex_unary(operation.name, x, out);
    const Types types = types_of(operation, x.dtype());
    check_out(operation.name, out, x.shape(), types.result);
    const Operand operand(x, types.operands);
    return compute(operation.name, x.shape(), types.result, out, {operand.get()},
                   [f]<Isa level>(const auto& args) { kernels::activation<level>(f, args); });
}

Array activation_backward(Activation f, const Array& g, const Array& saved) {
    const char* op = at(activation_operations(), f).name;
    const DType dtype = promote(op, g.dtype(), saved.dtype());
    if (!is_floating(dtype)) fail_type(op, ": gradient is not floating: ", dtype, "; only floats have gradients");
    const Dims shape = broadcast_shapes(op, g.shape(), saved.shape());
    const Operand left(g, dtype), right(saved, dtype);
    return compute(op, shape, dtype, nullptr, {left.get(), right.get()},
                   [f]<Isa level>(const auto& args) { kernels::activation_backward<level>(f, args); });
}

Array where(const Array& condition, const Array& a, const Array& b) {
    const DType dtype = promote("where", a.dtype(), b.dtype());
    if (condition.dtype() != DType::boolean) fail_type("where: condition is not boolean: ", condition.dtype(), "; compare it with 0 first");
    const Dims shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
    const Operand left(a, dtype), right(b, dtype);
    if (is_complex(dtype)) return where_complex(condition, *left.get(), *right.get(), shape);
    return compute("where", shape, dtype, nullptr, {&condition, left.get(), right.get()},
                   []<Isa level>(const auto& args) { kernels::where<level>(args); });
}

Array clip(const Array& x, const Array& low, const Array& high, const Array* out) {
    const DType dtype = promote("clip", x.dtype(), promote("clip", low.dtype(), high.dtype()));
    if (is_complex(dtype)) fail_type("clip: dtype not supported: ", dtype, "; complex numbers have no order");
    const Dims shape = broadcast_shapes("clip", x.shape(), broadcast_shapes("clip", low.shape(), high.shape()));
    check_out("clip", out, shape, dtype);
    const Operand value(x, dtype), least(low, dtype), most(high, dtype);
    return compute("clip", shape, dtype, out, {value.get(), least.get(), most.get()},
                   []<Isa level>(const auto& args) { kernels::clip<level>(args); });
}

Array multiply_add(const Array& a, const Array& b, const Array& c) {
    const char* op = "multiply_add";
    const DType dtype = promote(op, a.dtype(), promote(op, b.dtype(), c.dtype()));
    if (!is_floating(dtype)) fail_type(op, ": dtype not supported: ", dtype, "; must be a real floating dtype");
    const Dims shape = broadcast_shapes(op, a.shape(), broadcast_shapes(op, b.shape(), c.shape()));
    const Operand left(a, dtype), right(b, dtype), added(c, dtype);
    return compute(op, shape, dtype, nullptr, {left.get(), right.get(), added.get()},
                   []<Isa level>(const auto& args) { kernels::multiply_add<level>(args); });
}

}  // namespace pyengine::ops
