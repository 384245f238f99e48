#include <algorithm>
#include <limits>

#include "csrc/bindings/fast.h"
#include "csrc/bindings/scalar.h"
#include "csrc/ops.h"
#include "csrc/ops/elementwise_types.h"

namespace pyengine::bindings {
namespace {

/// A Tensor, or a Python scalar beside one.
class Operand {
public:
    explicit Operand(PyObject* value) : value_(value), array_(unrecorded(value)) {}
    Operand(const Operand&) = delete;
    Operand& operator=(const Operand&) = delete;

    bool is_tensor() const { return array_ && !scalar_; }

    /// False for anything else.
    bool resolve(DType beside) {
        if (array_) return true;
        scalar_ = weak_scalar(value_, beside);
        if (scalar_) array_ = &*scalar_;
        return scalar_.has_value();
    }

    void resolve_as(Array array) { array_ = &scalar_.emplace(std::move(array)); }

    const Array& operator*() const { return *array_; }
    const Array* operator->() const { return array_; }

private:
    PyObject* value_;
    const Array* array_;
    std::optional<Array> scalar_;
};

/// At most, under broadcasting.
std::int64_t elements(const Array& a, const Array& b) {
    const std::int64_t larger = std::max(a.size(), b.size());
    return a.shape() == b.shape() || larger > std::numeric_limits<int>::max() ? larger : a.size() * b.size();
}

bool resolve(Operand& a, Operand& b) {
    if (a.is_tensor()) return b.resolve(a->dtype());
    return b.is_tensor() && a.resolve(b->dtype());
}

template <auto compute>
PyObject* unary(int op, const Given& given) {
    if (given.count != 1 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    return x ? computed(x->size(), [&] { return compute(op, *x); }) : nullptr;
}

Array unary_op(int op, const Array& x) { return ops::unary(static_cast<ops::UnaryOp>(op), x); }
Array activation(int op, const Array& x) { return ops::activation(static_cast<ops::Activation>(op), x); }

/// +x: a copy.
Array positive(int, const Array& x) {
    if (x.dtype() == DType::boolean) throw std::invalid_argument("positive");
    return copy(x, x.dtype());
}

Array copied(int, const Array& x) { return copy(x, x.dtype()); }

/// conj and real: a real x itself.
template <auto compute>
PyObject* itself_if_real(int, const Given& given) {
    if (given.count != 1 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    if (x && !is_complex(x->dtype())) return Py_NewRef(given.values[0]);
    return x ? computed(x->size(), [&] { return compute(*x); }) : nullptr;
}

Array imag(int, const Array& x) {
    if (!is_complex(x.dtype())) throw std::invalid_argument("imag");
    return imag_part(x);
}

PyObject* binary(int op, const Given& given) {
    if (given.count != 2 || given.names) return nullptr;
    Operand a(given.values[0]), b(given.values[1]);
    if (!resolve(a, b)) return nullptr;
    return computed(elements(*a, *b), [&] { return ops::binary(static_cast<ops::BinaryOp>(op), *a, *b); });
}

/// x^2 is a product, as in `_power` of pyengine/ops/elementwise.py.
bool is_square(const Array& x, PyObject* exponent) {
    if (PyFloat_CheckExact(exponent)) return PyFloat_AS_DOUBLE(exponent) == 2.0 && is_floating(x.dtype());
    return integer(exponent) == 2;
}

PyObject* power(int op, const Given& given) {
    if (given.count != 2 || given.names) return nullptr;
    const Array* x = unrecorded(given.values[0]);
    if (!x || !is_square(*x, given.values[1])) return binary(op, given);
    return computed(x->size(), [&] { return ops::unary(ops::UnaryOp::square, *x); });
}

PyObject* where(int, const Given& given) {
    if (given.count != 3 || given.names) return nullptr;
    const Array* condition = unrecorded(given.values[0]);
    Operand a(given.values[1]), b(given.values[2]);
    if (!condition || !resolve(a, b)) return nullptr;
    const std::int64_t size = std::max(elements(*condition, *a), elements(*condition, *b));
    return computed(size, [&] { return ops::where(*condition, *a, *b); });
}

template <typename T>
Array limit(DType dtype, bool upper) {
    using Limits = std::numeric_limits<T>;
    Array x({}, dtype, {});
    set_scalar(x, Limits::has_infinity ? (upper ? Limits::infinity() : -Limits::infinity()) : upper ? Limits::max() : Limits::lowest());
    return x;
}

/// What bounds nothing: infinity, or the largest number there is.
Array unbounded(DType dtype, bool upper) {
    switch (dtype) {
        case DType::boolean: return limit<bool>(dtype, upper);
        case DType::int8: return limit<std::int8_t>(dtype, upper);
        case DType::int16: return limit<std::int16_t>(dtype, upper);
        case DType::int32: return limit<std::int32_t>(dtype, upper);
        case DType::int64: return limit<std::int64_t>(dtype, upper);
        case DType::uint8: return limit<std::uint8_t>(dtype, upper);
        case DType::uint16: return limit<std::uint16_t>(dtype, upper);
        case DType::uint32: return limit<std::uint32_t>(dtype, upper);
        case DType::uint64: return limit<std::uint64_t>(dtype, upper);
        default: return limit<double>(dtype, upper);
    }
}

PyObject* clip(int, const Given& given) {
    static constexpr Signature<3> signature{{"", "min", "max"}, 1, 3};
    PyObject* found[3];
    if (!fit(signature, given, found)) return nullptr;
    const Array* x = unrecorded(found[0]);
    if (!x) return nullptr;
    Operand bounds[] = {Operand(found[1]), Operand(found[2])};
    int missing = 0;
    for (int upper = 0; upper < 2; ++upper) {
        PyObject* value = found[1 + upper];
        if (!value || value == Py_None) {
            bounds[upper].resolve_as(unbounded(x->dtype(), upper != 0));
            ++missing;
        } else if (!bounds[upper].resolve(x->dtype())) {
            return nullptr;
        }
    }
    if (missing == 2) return computed(x->size(), [&] { return copy(*x, x->dtype()); });
    const std::int64_t size = std::max(elements(*x, *bounds[0]), elements(*x, *bounds[1]));
    return computed(size, [&] { return ops::clip(*x, *bounds[0], *bounds[1]); });
}

template <typename Operations>
void add_all(const Operations& operations, RegularCall call) {
    for (std::size_t i = 0; i < operations.size(); ++i) add_fast_op(operations[i].name, {call, static_cast<int>(i)});
}

}  // namespace

void add_fast_elementwise() {
    add_fast_op("pow", {power, static_cast<int>(ops::BinaryOp::pow)});  // before the others: the first of a name stays
    add_all(ops::unary_operations(), unary<unary_op>);
    add_all(ops::binary_operations(), binary);
    add_all(ops::activation_operations(), unary<activation>);
    add_fast_op("positive", {unary<positive>, 0});
    add_fast_op("copy", {unary<copied>, 0});
    add_fast_op("conj", {itself_if_real<ops::conj>, 0});
    add_fast_op("real", {itself_if_real<real_part>, 0});
    add_fast_op("imag", {unary<imag>, 0});
    add_fast_op("where", {where, 0});
    add_fast_op("clip", {clip, 0});
}

}  // namespace pyengine::bindings
