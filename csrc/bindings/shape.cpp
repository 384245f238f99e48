#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_shape(py::module_& m) {
    m.def("reshape", &ops::reshape, py::arg("x"), py::arg("shape"), without_gil());
    m.def("permute_dims", &ops::permute_dims, py::arg("x"), py::arg("axes"));
    m.def("broadcast_to", &broadcast_to, py::arg("x"), py::arg("shape"));
    m.def(
        "broadcast_shapes", [](const Dims& a, const Dims& b) { return broadcast_shapes("broadcast_shapes", a, b); }, py::arg("a"),
        py::arg("b"));
    m.def("slice", &ops::slice, py::arg("x"), py::arg("starts"), py::arg("steps"), py::arg("sizes"));
    m.def("as_strided", &ops::as_strided, py::arg("x"), py::arg("shape"), py::arg("strides"), py::arg("offset"));
    m.def("concat", &ops::concat, py::arg("arrays"), py::arg("axis"), without_gil());
    m.def("contiguous", &contiguous, py::arg("x"), without_gil());
    m.def("astype", &astype, py::arg("x"), py::arg("dtype"), without_gil());
    m.def("assign", &assign, py::arg("target"), py::arg("source"), without_gil());
}
