#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

namespace {

void register_softmax(py::module_& m) {
    m.def("softmax", &ops::softmax, py::arg("x"), py::arg("axis"), bindings::without_gil());
    m.def("log_softmax", &ops::log_softmax, py::arg("x"), py::arg("axis"), bindings::without_gil());
    m.def("softmax_backward", &ops::softmax_backward, py::arg("dy"), py::arg("y"), py::arg("axis"), bindings::without_gil());
    m.def("log_softmax_backward", &ops::log_softmax_backward, py::arg("dy"), py::arg("y"), py::arg("axis"), bindings::without_gil());
}

void register_softmax_cross_entropy(py::module_& m) {
    const auto options = [](const std::optional<Array>& weight, std::int64_t ignore_index, double label_smoothing) {
        return ops::CrossEntropyOptions{weight, ignore_index, label_smoothing};
    };
    m.def(
        "softmax_cross_entropy",
        [=](const Array& logits, const Array& target, const std::optional<Array>& weight, std::int64_t ignore_index,
            double label_smoothing) { return ops::softmax_cross_entropy(logits, target, options(weight, ignore_index, label_smoothing)); },
        py::arg("logits"), py::arg("target"), py::arg("weight"), py::arg("ignore_index"), py::arg("label_smoothing"),
        bindings::without_gil());
    m.def(
        "softmax_cross_entropy_backward",
        [=](const Array& grad, const Array& logsumexp, const Array& logits, const Array& target, const std::optional<Array>& weight,
            std::int64_t ignore_index, double label_smoothing) {
            return ops::softmax_cross_entropy_backward(grad, logsumexp, logits, target, options(weight, ignore_index, label_smoothing));
        },
        py::arg("grad"), py::arg("logsumexp"), py::arg("logits"), py::arg("target"), py::arg("weight"), py::arg("ignore_index"),
        py::arg("label_smoothing"), bindings::without_gil());
}

void register_standardize(py::module_& m) {
    m.def(
        "standardize",
        [](const Array& x, const Dims& axes, double eps) {
            ops::Standardized result = ops::standardize(x, axes, eps);
            return std::tuple(result.y, *result.mean, result.variance);
        },
        py::arg("x"), py::arg("axes"), py::arg("eps"), bindings::without_gil());
    m.def(
        "rms_standardize",
        [](const Array& x, const Dims& axes, double eps) {
            ops::Standardized result = ops::rms_standardize(x, axes, eps);
            return std::pair(result.y, result.variance);
        },
        py::arg("x"), py::arg("axes"), py::arg("eps"), bindings::without_gil());
    m.def("standardize_backward", &ops::standardize_backward, py::arg("dy"), py::arg("x"), py::arg("mean"), py::arg("variance"),
          py::arg("axes"), py::arg("eps"), bindings::without_gil());
    m.def("rms_standardize_backward", &ops::rms_standardize_backward, py::arg("dy"), py::arg("x"), py::arg("mean_square"), py::arg("axes"),
          py::arg("eps"), bindings::without_gil());
}

void register_attention(py::module_& m) {
    py::class_<ops::AttentionOptions>(m, "AttentionOptions")
        .def(py::init([](const std::optional<Array>& mask, bool causal, double scale, double dropout, std::uint64_t seed,
                         std::uint64_t offset) { return ops::AttentionOptions{mask, causal, scale, dropout, seed, offset}; }),
             py::arg("mask"), py::arg("causal"), py::arg("scale"), py::arg("dropout"), py::arg("seed"), py::arg("offset"));
    m.def("scaled_dot_product_attention", &ops::scaled_dot_product_attention, py::arg("q"), py::arg("k"), py::arg("v"), py::arg("options"),
          bindings::without_gil());
    m.def("scaled_dot_product_attention_backward", &ops::scaled_dot_product_attention_backward, py::arg("dout"), py::arg("q"), py::arg("k"),
          py::arg("v"), py::arg("out"), py::arg("logsumexp"), py::arg("options"), bindings::without_gil());
}

}  // namespace

void bindings::register_nn(py::module_& m) {
    register_attention(m);
    register_standardize(m);
    register_softmax(m);
    register_softmax_cross_entropy(m);
}
