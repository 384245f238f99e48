#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_conv(py::module_& m) {
    m.def(
        "conv",
        [](const Array& x, const Array& w, const std::optional<Array>& bias, const Dims& size, const Dims& stride, const Dims& dilation,
           const Dims& padding, std::int64_t groups) { return ops::conv(x, w, bias, size, {stride, dilation, padding, groups}); },
        py::arg("x"), py::arg("w"), py::arg("bias").none(true), py::arg("size"), py::arg("stride"), py::arg("dilation"), py::arg("padding"),
        py::arg("groups"), without_gil());
    m.def(
        "conv_transpose",
        [](const Array& y, const Array& w, const std::optional<Array>& bias, const Dims& size, const Dims& stride, const Dims& dilation,
           const Dims& padding, std::int64_t groups) { return ops::conv_transpose(y, w, bias, size, {stride, dilation, padding, groups}); },
        py::arg("y"), py::arg("w"), py::arg("bias").none(true), py::arg("size"), py::arg("stride"), py::arg("dilation"), py::arg("padding"),
        py::arg("groups"), without_gil());
    m.def(
        "conv_weight_gradient",
        [](const Array& x, const Array& y, const Dims& kernel_size, const Dims& stride, const Dims& dilation, const Dims& padding,
           std::int64_t groups) { return ops::conv_weight_gradient(x, y, kernel_size, {stride, dilation, padding, groups}); },
        py::arg("x"), py::arg("y"), py::arg("kernel_size"), py::arg("stride"), py::arg("dilation"), py::arg("padding"), py::arg("groups"),
        without_gil());
}
