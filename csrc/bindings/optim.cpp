#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/ops.h"

namespace py = pybind11;
using namespace pyengine;

void bindings::register_optim(py::module_& m) {
    py::class_<ops::StepOptions>(m, "StepOptions", "What every optimiser's step takes.")
        .def(py::init<double, double, bool>(), py::arg("learning_rate"), py::arg("weight_decay"), py::arg("maximize"));
    m.def("sgd_step", &ops::sgd_step, py::arg("parameter"), py::arg("gradient"), py::arg("momentum_buffer"), py::arg("options"),
          py::arg("momentum"), py::arg("dampening"), py::arg("nesterov"), without_gil());
    m.def("adam_step", &ops::adam_step, py::arg("parameter"), py::arg("gradient"), py::arg("first_moment"), py::arg("second_moment"),
          py::arg("max_second_moment"), py::arg("options"), py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"),
          py::arg("bias_correction1"), py::arg("bias_correction2"), py::arg("decoupled_weight_decay"), without_gil());
    m.def("rmsprop_step", &ops::rmsprop_step, py::arg("parameter"), py::arg("gradient"), py::arg("square_average"),
          py::arg("gradient_average"), py::arg("momentum_buffer"), py::arg("options"), py::arg("alpha"), py::arg("epsilon"),
          py::arg("momentum"), without_gil());
}
