// How Dims and DType cross into Python: a tuple of ints, and the DType objects of pyengine/dtypes.py.
#pragma once

#include <pybind11/pybind11.h>

#include "csrc/array.h"
#include "csrc/check.h"

namespace pyengine::bindings {

namespace py = pybind11;

/// Set once by pyengine/dtypes.py, in the order of ElementType.
extern PyObject* dtype_objects[dtype_count];

/// Every op releases the GIL while it computes.
using without_gil = py::call_guard<py::gil_scoped_release>;

}  // namespace pyengine::bindings

namespace pybind11::detail {

template <>
struct type_caster<pyengine::Dims> {
    PYBIND11_TYPE_CASTER(pyengine::Dims, const_name("tuple[int, ...]"));

    bool load(handle source, bool) {
        if (!PyTuple_Check(source.ptr()) && !PyList_Check(source.ptr())) return false;
        const Py_ssize_t size = PySequence_Fast_GET_SIZE(source.ptr());
        value = pyengine::Dims(static_cast<std::size_t>(size));
        for (Py_ssize_t i = 0; i < size; ++i) {
            PyObject* item = PySequence_Fast_GET_ITEM(source.ptr(), i);
            if (!PyIndex_Check(item)) return false;
            const Py_ssize_t number = PyNumber_AsSsize_t(item, PyExc_OverflowError);
            if (number == -1 && PyErr_Occurred()) throw error_already_set();
            value[static_cast<std::size_t>(i)] = number;
        }
        return true;
    }

    static handle cast(const pyengine::Dims& dims, return_value_policy, handle) {
        PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(dims.size()));
        for (std::size_t i = 0; i < dims.size(); ++i) PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(dims[i]));
        return tuple;
    }
};

template <>
struct type_caster<pyengine::Device> {
    PYBIND11_TYPE_CASTER(pyengine::Device, const_name("str"));

    bool load(handle source, bool) {
        if (!PyUnicode_Check(source.ptr())) return false;
        value = pyengine::device_named(source.cast<std::string>());
        return true;
    }

    static handle cast(pyengine::Device device, return_value_policy, handle) {
        return PyUnicode_InternFromString(pyengine::name_of(device).c_str());
    }
};

template <>
struct type_caster<pyengine::DType> {
    PYBIND11_TYPE_CASTER(pyengine::DType, const_name("pyengine.dtypes.DType"));

    bool load(handle source, bool) {
        for (int i = 0; i < pyengine::dtype_count; ++i) {
            if (source.ptr() != pyengine::bindings::dtype_objects[i]) continue;
            value = static_cast<pyengine::DType>(i);
            return true;
        }
        return false;
    }

    static handle cast(pyengine::DType dtype, return_value_policy, handle) {
        return handle(pyengine::bindings::dtype_objects[static_cast<int>(dtype)]).inc_ref();
    }
};

}  // namespace pybind11::detail
