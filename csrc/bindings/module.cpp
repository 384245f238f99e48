// The extension module pyengine._engine: one register_* for each family of ops.
#include <pybind11/pybind11.h>

#include "csrc/bindings/register.h"
#include "csrc/check.h"

namespace py = pybind11;
using namespace pyengine;

PYBIND11_MODULE(_engine, m) {
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const ValueError& e) {
            py::set_error(PyExc_ValueError, e.what());
        } catch (const TypeError& e) {
            py::set_error(PyExc_TypeError, e.what());
        } catch (const IndexError& e) {
            py::set_error(PyExc_IndexError, e.what());
        } catch (const BufferError& e) {
            py::set_error(PyExc_BufferError, e.what());
        }
    });
    py::register_exception<OutOfMemoryError>(m, "OutOfMemoryError", PyExc_MemoryError).attr("__doc__") =
        "There is not enough memory: what was asked for, what is held, and what is free. Arrays made before are untouched.";

    bindings::register_array(m);
    bindings::register_tensor(m);
    bindings::register_config(m);
    bindings::register_conv(m);
    bindings::register_cuda(m);
    bindings::register_dlpack(m);
    bindings::register_elementwise(m);
    bindings::register_fast(m);
    bindings::register_linalg(m);
    bindings::register_index(m);
    bindings::register_random(m);
    bindings::register_reduce(m);
    bindings::register_nn(m);
    bindings::register_optim(m);
    bindings::register_pool(m);
    bindings::register_shape(m);
    bindings::register_simulator(m);
}
