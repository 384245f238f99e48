#pragma once

#include <pybind11/pybind11.h>

namespace pyengine::bindings {

void register_array(pybind11::module_& m);
void register_config(pybind11::module_& m);
void register_cuda(pybind11::module_& m);
void register_conv(pybind11::module_& m);
void register_dlpack(pybind11::module_& m);
void register_elementwise(pybind11::module_& m);
void register_fast(pybind11::module_& m);
void register_linalg(pybind11::module_& m);
void register_index(pybind11::module_& m);
void register_random(pybind11::module_& m);
void register_reduce(pybind11::module_& m);
void register_nn(pybind11::module_& m);
void register_optim(pybind11::module_& m);
void register_pool(pybind11::module_& m);
void register_shape(pybind11::module_& m);
void register_simulator(pybind11::module_& m);
void register_tensor(pybind11::module_& m);

}  // namespace pyengine::bindings
