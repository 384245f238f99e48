// BufferExporter: a base class whose instances export the buffer of their attribute `_array`. Python classes can define the buffer protocol
// themselves only from Python 3.12 on (PEP 688).
#include <pybind11/pybind11.h>

#include "csrc/bindings/register.h"

namespace py = pybind11;

namespace {

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    PyObject* array = PyObject_GetAttrString(self, "_array");
    if (!array) return -1;
    const int status = PyObject_GetBuffer(array, view, flags);
    Py_DECREF(array);
    return status;
}

PyType_Slot slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(&get_buffer)},
    {Py_tp_doc, const_cast<char*>("Exports the buffer of its attribute _array.")},
    {0, nullptr},
};

PyType_Spec spec = {"pyengine._engine.BufferExporter", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

void pyengine::bindings::register_buffer_exporter(py::module_& m) {
    PyObject* type = PyType_FromSpec(&spec);
    if (!type) throw py::error_already_set();
    m.attr("BufferExporter") = py::reinterpret_steal<py::object>(type);
}
