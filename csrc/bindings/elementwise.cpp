#include <pybind11/pybind11.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_elementwise(py::module_& m) {
    const auto out = py::arg("out").none(true) = py::none();
    for (std::size_t i = 0; i < ops::unary_names().size(); ++i) {
        const auto unary = [op = static_cast<ops::UnaryOp>(i)](const Array& x, const Array* out) {
            if (!out) return ops::unary(op, x);
            ops::unary(op, x, *out);
            return *out;
        };
        m.def(ops::unary_names()[i], unary, py::arg("x"), out, without_gil());
    }
    for (std::size_t i = 0; i < ops::binary_names().size(); ++i) {
        const auto binary = [op = static_cast<ops::BinaryOp>(i)](const Array& a, const Array& b, const Array* out) {
            if (!out) return ops::binary(op, a, b);
            ops::binary(op, a, b, *out);
            return *out;
        };
        m.def(ops::binary_names()[i], binary, py::arg("a"), py::arg("b"), out, without_gil());
    }
    m.def("where", &ops::where, py::arg("condition"), py::arg("a"), py::arg("b"), without_gil());
    m.def("copy", &copy, py::arg("x"), py::arg("dtype"), without_gil());
}
