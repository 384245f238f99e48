#include <pybind11/pybind11.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_reduce(py::module_& m) {
    for (std::size_t i = 0; i < ops::reduce_names().size(); ++i) {
        const auto reduce = [op = static_cast<ops::ReduceOp>(i)](const Array& x, const Dims& axes, bool keepdims) {
            return ops::reduce(op, x, axes, keepdims);
        };
        m.def(ops::reduce_names()[i], reduce, py::arg("x"), py::arg("axes"), py::arg("keepdims"), without_gil());
    }
    m.def("cumulative_sum", &ops::cumulative_sum, py::arg("x"), py::arg("axis"), py::arg("include_initial"), without_gil());
    m.def("cumulative_prod", &ops::cumulative_prod, py::arg("x"), py::arg("axis"), py::arg("include_initial"), without_gil());
    m.def("argmin", &ops::argmin, py::arg("x"), py::arg("axis"), py::arg("keepdims"), without_gil());
    m.def("argmax", &ops::argmax, py::arg("x"), py::arg("axis"), py::arg("keepdims"), without_gil());
}
