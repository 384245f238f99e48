#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_pool(py::module_& m) {
    using Lists = std::array<Dims, 3>;
    const auto windows = [](const Lists& first, const Lists& count, const Lists& divisor, const Dims& step) {
        return ops::PoolWindows{{first[0], first[1], first[2]}, {count[0], count[1], count[2]}, {divisor[0], divisor[1], divisor[2]}, step};
    };
    m.def(
        "max_pool",
        [=](const Array& x, const Lists& first, const Lists& count, const Lists& divisor, const Dims& step) {
            return ops::max_pool(x, windows(first, count, divisor, step));
        },
        py::arg("x"), py::arg("first"), py::arg("count"), py::arg("divisor"), py::arg("step"), without_gil());
    m.def(
        "avg_pool",
        [=](const Array& x, const Lists& first, const Lists& count, const Lists& divisor, const Dims& step) {
            return ops::avg_pool(x, windows(first, count, divisor, step));
        },
        py::arg("x"), py::arg("first"), py::arg("count"), py::arg("divisor"), py::arg("step"), without_gil());
    m.def(
        "avg_pool_transpose",
        [=](const Array& y, const Dims& in_size, const Lists& first, const Lists& count, const Lists& divisor, const Dims& step) {
            return ops::avg_pool_transpose(y, in_size, windows(first, count, divisor, step));
        },
        py::arg("y"), py::arg("in_size"), py::arg("first"), py::arg("count"), py::arg("divisor"), py::arg("step"), without_gil());
    m.def("max_pool_gather", &ops::max_pool_gather, py::arg("x"), py::arg("indices"), without_gil());
    m.def("max_pool_scatter", &ops::max_pool_scatter, py::arg("y"), py::arg("indices"), py::arg("in_size"), without_gil());
}
