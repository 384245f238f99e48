// Reading regular arguments. Nothing here runs Python code: what would have to is not regular.
#include "csrc/bindings/fast.h"
#include "csrc/bindings/scalar.h"

namespace pyengine::bindings {
namespace {

template <typename Number>
std::optional<Array> filled(DType dtype, Number value) {
    Array x({}, dtype, {});
    set_scalar(x, value);
    return x;
}

bool holds(DType dtype, std::int64_t value) {
    const auto bits = 8 * size_of(dtype);
    if (!is_signed(dtype)) return value >= 0 && (bits == 64 || value >> bits == 0);
    return bits == 64 || (value >= -(std::int64_t{1} << (bits - 1)) && value < std::int64_t{1} << (bits - 1));
}

bool names(PyObject* given, const char* parameter) { return PyUnicode_CompareWithASCIIString(given, parameter) == 0; }

}  // namespace

std::optional<std::int64_t> integer(PyObject* value) {
    if (!value || !PyLong_CheckExact(value)) return std::nullopt;
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) return std::nullopt;
    return number;
}

std::optional<bool> flag(PyObject* value, bool otherwise) {
    if (!value) return otherwise;
    if (!PyBool_Check(value)) return std::nullopt;
    return value == Py_True;
}

std::optional<Dims> integers(PyObject* value) {
    if (const auto one = integer(value)) return Dims{*one};
    if (!value || !(PyTuple_CheckExact(value) || PyList_CheckExact(value))) return std::nullopt;
    Dims dims;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
        const auto number = integer(PySequence_Fast_GET_ITEM(value, i));
        if (!number) return std::nullopt;
        dims.push_back(*number);
    }
    return dims;
}

std::optional<Dims> axes(PyObject* value, std::int64_t rank) {
    if (value && value != Py_None) return integers(value);
    Dims all;
    for (std::int64_t axis = 0; axis < rank; ++axis) all.push_back(axis);
    return all;
}

std::optional<Dims> marked(const Dims& axes, std::int64_t rank) {
    Dims marks(static_cast<std::size_t>(rank));
    for (std::int64_t axis : axes) {
        if (axis < -rank || axis >= rank) return std::nullopt;
        std::int64_t& mark = marks[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
        if (mark++) return std::nullopt;
    }
    return marks;
}

std::optional<Array> weak_scalar(PyObject* value, DType beside) {
    const Kind kind = kind_of(beside);
    if (!value) return std::nullopt;
    if (PyBool_Check(value)) return filled(beside, std::int64_t{value == Py_True});
    if (PyFloat_CheckExact(value)) return filled(kind < Kind::floating ? default_dtype() : beside, PyFloat_AS_DOUBLE(value));
    const auto number = integer(value);
    if (!number) return std::nullopt;
    if (kind == Kind::boolean) return filled(DType::int64, *number);
    if (kind != Kind::integer) return filled(beside, static_cast<double>(*number));
    return holds(beside, *number) ? filled(beside, *number) : std::nullopt;
}

bool fit(const char* const* parameters, Py_ssize_t n, Py_ssize_t positional_only, Py_ssize_t positional, const Given& given,
         PyObject** found) {
    if (given.count > positional) return false;
    for (Py_ssize_t i = 0; i < n; ++i) found[i] = i < given.count ? given.values[i] : nullptr;
    for (Py_ssize_t k = 0; given.names && k < PyTuple_GET_SIZE(given.names); ++k) {
        Py_ssize_t i = positional_only;
        while (i < n && !names(PyTuple_GET_ITEM(given.names, k), parameters[i])) ++i;
        if (i == n || found[i]) return false;
        found[i] = given.values[given.count + k];
    }
    return true;
}

}  // namespace pyengine::bindings
