#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"
#include "csrc/ops/elementwise_types.h"

namespace py = pybind11;
using namespace pyengine;

namespace {

/// A pointer would do, but pybind11 takes None for one only when it tries the overloads a second time.
using Out = std::optional<Array>;

const Array* pointer(const Out& out) { return out ? &*out : nullptr; }

py::arg_v out() { return py::arg("out") = py::none(); }

void define(py::module_& m, const char* name, ops::UnaryOp op) {
    m.def(
        name, [op](const Array& x, const Out& out) { return ops::unary(op, x, pointer(out)); }, py::arg("x"), out(),
        bindings::without_gil());
}

void define(py::module_& m, const char* name, ops::BinaryOp op) {
    const auto call = [op](const Array& a, const Array& b, const Out& out) { return ops::binary(op, a, b, pointer(out)); };
    m.def(name, call, py::arg("a"), py::arg("b"), out(), bindings::without_gil());
}

void define(py::module_& m, const std::string& name, ops::Activation f) {
    const auto forward = [f](const Array& x, const Out& out) { return ops::activation(f, x, pointer(out)); };
    const auto backward = [f](const Array& g, const Array& saved) { return ops::activation_backward(f, g, saved); };
    m.def(name.c_str(), forward, py::arg("x"), out(), bindings::without_gil());
    m.def((name + "_backward").c_str(), backward, py::arg("g"), py::arg("saved"), bindings::without_gil());
}

template <typename Op>
void define_all(py::module_& m, std::span<const ops::Operation> operations) {
    for (std::size_t i = 0; i < operations.size(); ++i) define(m, operations[i].name, static_cast<Op>(i));
}

}  // namespace

void bindings::register_elementwise(py::module_& m) {
    define_all<ops::UnaryOp>(m, ops::unary_operations());
    define_all<ops::BinaryOp>(m, ops::binary_operations());
    define_all<ops::Activation>(m, ops::activation_operations());
    const auto clip = [](const Array& x, const Array& low, const Array& high, const Out& out) {
        return ops::clip(x, low, high, pointer(out));
    };
    m.def("clip", clip, py::arg("x"), py::arg("low"), py::arg("high"), out(), without_gil());
    m.def("multiply_add", &ops::multiply_add, py::arg("a"), py::arg("b"), py::arg("c"), without_gil());
    m.def("conj", &ops::conj, py::arg("x"), without_gil());
    m.def("where", &ops::where, py::arg("condition"), py::arg("a"), py::arg("b"), without_gil());
    m.def("copy", &copy, py::arg("x"), py::arg("dtype"), without_gil());
}
