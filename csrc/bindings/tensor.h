// Tensor as C sees it: an array, and its place on the tape. pyengine/tensor.py derives the class that users know from this one.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "csrc/array.h"

namespace pyengine::bindings {

struct TensorObject {
    PyObject_HEAD std::optional<Array> array;
    PyObject* array_object;  // the array as Python sees it, made when first asked for
    PyObject* node;          // null stands for None in these
    PyObject* hooks;
    PyObject* grad;
    Py_ssize_t index;
    unsigned long long version;
    bool requires_grad;
};

/// A new Tensor, off the tape; null with a Python error set if there is no memory.
PyObject* make_tensor(Array array);

/// `value` as a Tensor, or null if it is none.
TensorObject* as_tensor(PyObject* value);

}  // namespace pyengine::bindings
