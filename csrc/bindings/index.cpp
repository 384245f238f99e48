#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_index(py::module_& m) {
    const auto x = py::arg("x"), indices = py::arg("indices"), axis = py::arg("axis"), axes = py::arg("axes"), values = py::arg("values");
    m.def("index_get", &ops::index_get, x, indices, axes, without_gil());
    m.def("index_put", &ops::index_put, x, indices, axes, values, py::arg("accumulate"), without_gil());
    m.def("take", &ops::take, x, indices, axis, without_gil());
    m.def("take_along_axis", &ops::take_along_axis, x, indices, axis, without_gil());
    for (std::size_t i = 0; i < ops::index_update_names().size(); ++i) {
        const auto how = static_cast<ops::ScatterOp>(i);
        const auto update = [how](const Array& target, const Array& at, std::int64_t along, const Array& source) {
            ops::index_update(how, target, at, along, source);
        };
        const auto scatter = [how](const Array& target, const Array& at, std::int64_t along, const Array& source) {
            ops::scatter(how, target, at, along, source);
        };
        m.def(ops::index_update_names()[i], update, x, indices, axis, values, without_gil());
        m.def(ops::scatter_names()[i], scatter, x, indices, axis, values, without_gil());
    }
    m.def("argsort", &ops::argsort, x, axis, py::arg("descending"), without_gil());
    m.def("searchsorted", &ops::searchsorted, py::arg("sorted"), values, py::arg("right"), without_gil());
    m.def("nonzero", &ops::nonzero, x, without_gil());
}
