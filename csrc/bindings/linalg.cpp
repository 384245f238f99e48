#include <pybind11/pybind11.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_linalg(py::module_& m) { m.def("matmul", &ops::matmul, py::arg("a"), py::arg("b"), without_gil()); }
