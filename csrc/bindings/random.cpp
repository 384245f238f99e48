#include <pybind11/pybind11.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_random(py::module_& m) {
    const auto shape = py::arg("shape"), dtype = py::arg("dtype"), seed = py::arg("seed"), offset = py::arg("offset"),
               device = py::arg("device");
    m.def("random_uniform", &ops::random_uniform, shape, dtype, seed, offset, device, without_gil());
    m.def("random_normal", &ops::random_normal, shape, dtype, seed, offset, device, without_gil());
    m.def("random_integers", &ops::random_integers, shape, dtype, seed, offset, py::arg("low"), py::arg("range"), device, without_gil());
    m.def("random_bernoulli", &ops::random_bernoulli, shape, dtype, seed, offset, py::arg("p"), py::arg("value"), device, without_gil());
}
