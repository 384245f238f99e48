#include <algorithm>

#include "csrc/bindings/fast.h"
#include "csrc/bindings/scalar.h"
#include "csrc/ops.h"

namespace pyengine::bindings {
namespace {

using ops::ReduceOp;

bool is_given(PyObject* value) { return value && value != Py_None; }

/// The arguments of most reductions.
struct Over {
    const Array* x = nullptr;
    Dims axes;
    bool keepdims = false;

    /// False where one is not regular.
    bool read(PyObject* tensor, PyObject* axis, PyObject* keep) {
        x = unrecorded(tensor);
        if (!x) return false;
        const auto wanted = bindings::axes(axis, x->rank());
        const auto kept = flag(keep, false);
        if (!wanted || !kept) return false;
        axes = *wanted;
        keepdims = *kept;
        return true;
    }
};

/// f(x, axis=None, *, keepdims=False)
template <auto compute>
PyObject* over_axes(int op, const Given& given) {
    static constexpr Signature<3> signature{{"", "axis", "keepdims"}, 1, 2};
    PyObject* found[3];
    Over over;
    if (!fit(signature, given, found) || !over.read(found[0], found[1], found[2])) return nullptr;
    if (op == static_cast<int>(ReduceOp::mean) && !is_floating(over.x->dtype())) return nullptr;
    return computed(over.x->size(), [&] { return compute(op, over); });
}

/// f(x, axis=None, *, dtype=None, keepdims=False)
PyObject* in_dtype(int op, const Given& given) {
    static constexpr Signature<4> signature{{"", "axis", "dtype", "keepdims"}, 1, 2};
    PyObject* found[4];
    Over over;
    if (!fit(signature, given, found) || is_given(found[2]) || !over.read(found[0], found[1], found[3])) return nullptr;
    return computed(over.x->size(), [&] { return ops::reduce(static_cast<ReduceOp>(op), *over.x, over.axes, over.keepdims); });
}

Array reduce(int op, const Over& over) { return ops::reduce(static_cast<ReduceOp>(op), *over.x, over.axes, over.keepdims); }

/// The steps of `var` in pyengine/ops/reduce.py.
Array variance(const Over& over, double correction) {
    const Array& x = *over.x;
    const Array wide = size_of(x.dtype()) == 2 ? astype(x, DType::float32) : x;
    double count = 1.0;
    for (std::int64_t axis : over.axes)
        count *= static_cast<double>(x.shape()[static_cast<std::size_t>(normalize_axis("var", axis, x.rank()))]);
    const Array deviation = ops::binary(ops::BinaryOp::subtract, wide, ops::reduce(ReduceOp::mean, wide, over.axes, true));
    const Array squares = ops::binary(ops::BinaryOp::multiply, deviation, deviation);
    const Array divisor({}, wide.dtype(), {});
    set_scalar(divisor, std::max(count - correction, 0.0));
    const Array result = ops::binary(ops::BinaryOp::divide, ops::reduce(ReduceOp::sum, squares, over.axes, over.keepdims), divisor);
    return astype(result, x.dtype());
}

/// f(x, axis=None, *, correction=0.0, keepdims=False)
PyObject* var(int is_std, const Given& given) {
    static constexpr Signature<4> signature{{"", "axis", "correction", "keepdims"}, 1, 2};
    PyObject* found[4];
    Over over;
    if (!fit(signature, given, found) || !over.read(found[0], found[1], found[3]) || !is_floating(over.x->dtype())) return nullptr;
    PyObject* correction = found[2];
    const auto whole = integer(correction);
    if (correction && !whole && !PyFloat_CheckExact(correction)) return nullptr;
    const double less = !correction ? 0.0 : whole ? static_cast<double>(*whole) : PyFloat_AS_DOUBLE(correction);
    return computed(over.x->size(), [&] {
        const Array y = variance(over, less);
        return is_std ? ops::unary(ops::UnaryOp::sqrt, y) : y;
    });
}

/// f(x, axis=None, *, keepdims=False), of one axis or of x flattened
template <auto compute>
PyObject* place(int, const Given& given) {
    static constexpr Signature<3> signature{{"", "axis", "keepdims"}, 1, 2};
    PyObject* found[3];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto keepdims = flag(found[2], false);
    const auto axis = is_given(found[1]) ? integer(found[1]) : 0;
    if (!x || !keepdims || !axis) return nullptr;
    return computed(x->size(), [&] {
        if (is_given(found[1])) return compute(*x, *axis, *keepdims);
        const Array y = compute(ops::reshape(*x, {x->size()}), 0, false);
        return *keepdims ? ops::reshape(y, Dims(x->shape().size(), 1)) : y;
    });
}

/// f(x, *, axis=None, dtype=None, include_initial=False); a vector need not name its axis
template <auto compute>
PyObject* scan(int, const Given& given) {
    static constexpr Signature<4> signature{{"", "axis", "dtype", "include_initial"}, 1, 1};
    PyObject* found[4];
    if (!fit(signature, given, found) || is_given(found[2])) return nullptr;
    const Array* x = unrecorded(found[0]);
    const auto include_initial = flag(found[3], false);
    if (!x || !include_initial) return nullptr;
    const auto axis = is_given(found[1]) ? integer(found[1]) : x->rank() == 1 ? std::optional<std::int64_t>(0) : std::nullopt;
    if (!axis) return nullptr;
    return computed(x->size(), [&] { return compute(*x, *axis, *include_initial); });
}

}  // namespace

void add_fast_reductions() {
    add_fast_op("sum", {in_dtype, static_cast<int>(ReduceOp::sum)});
    add_fast_op("prod", {in_dtype, static_cast<int>(ReduceOp::prod)});
    for (std::size_t i = 0; i < ops::reduce_names().size(); ++i)  // of a name that is there already, the first stays
        add_fast_op(ops::reduce_names()[i], {over_axes<reduce>, static_cast<int>(i)});
    add_fast_op("var", {var, 0});
    add_fast_op("std", {var, 1});
    add_fast_op("argmax", {place<ops::argmax>, 0});
    add_fast_op("argmin", {place<ops::argmin>, 0});
    add_fast_op("cumulative_sum", {scan<ops::cumulative_sum>, 0});
    add_fast_op("cumulative_prod", {scan<ops::cumulative_prod>, 0});
}

}  // namespace pyengine::bindings
