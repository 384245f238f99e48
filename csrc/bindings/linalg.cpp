#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_linalg(py::module_& m) {
    const auto matmul = [](const Array& a, const Array& b, const std::optional<Array>& bias) {
        return ops::matmul(a, b, bias ? &*bias : nullptr);
    };
    m.def("matmul", matmul, py::arg("a"), py::arg("b"), py::arg("bias") = py::none(), without_gil());
}
