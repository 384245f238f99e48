// The type of fast functions. pyengine/fast.py has the decorator.
#include "csrc/bindings/fast.h"

#include <structmember.h>

#include <map>
#include <string>

#include "csrc/bindings/register.h"
#include "csrc/check.h"

namespace py = pybind11;

namespace pyengine::bindings {
namespace {

std::map<std::string, FastOp, std::less<>>& fast_ops() {
    static std::map<std::string, FastOp, std::less<>> ops;
    return ops;
}

struct FastObject {
    PyObject_HEAD vectorcallfunc vectorcall;
    PyObject* function;
    PyObject* dict;
    PyObject* weak_references;
    FastOp op;
    bool reflected;  // the second operand comes first, as in __radd__
};

FastObject* object(PyObject* self) { return reinterpret_cast<FastObject*>(self); }

/// Of this thread: whether ops are recorded where an input asks for a gradient, and how many want to see every op.
thread_local bool recording = true;
thread_local int watchers = 0;

PyObject* regular_call(const FastObject& fast, Given given) {
    if (watchers != 0) return nullptr;
    PyObject* swapped[2];
    if (fast.reflected) {
        if (given.count != 2) return nullptr;
        swapped[0] = given.values[1];
        swapped[1] = given.values[0];
        given.values = swapped;
    }
    try {
        return fast.op.call(fast.op.op, given);
    } catch (const std::exception&) {
        return nullptr;  // the Python function will find the same fault, and say what it is
    }
}

PyObject* call(PyObject* self, PyObject* const* args, std::size_t flagged_count, PyObject* names) {
    const FastObject& fast = *object(self);
    const Py_ssize_t count = PyVectorcall_NARGS(flagged_count);
    PyObject* result = regular_call(fast, {args, count, names && PyTuple_GET_SIZE(names) > 0 ? names : nullptr});
    return result || PyErr_Occurred() ? result : PyObject_Vectorcall(fast.function, args, flagged_count, names);
}

// The type --------------------------------------------------------------------------------------------------------------------------------

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"function", "op", "reflected", nullptr};
    PyObject* function;
    const char* op;
    int reflected = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Os|p:FastFunction", const_cast<char**>(names), &function, &op, &reflected))
        return nullptr;
    const auto found = fast_ops().find(op);
    if (found == fast_ops().end()) return PyErr_Format(PyExc_ValueError, "FastFunction: no such op: '%s'", op);
    PyObject* self = type->tp_alloc(type, 0);
    if (!self) return nullptr;
    FastObject* fast = object(self);
    fast->vectorcall = &call;
    fast->function = Py_NewRef(function);
    fast->op = found->second;
    fast->reflected = reflected != 0;
    return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(object(self)->function);
    Py_VISIT(object(self)->dict);
    return 0;
}

int clear(PyObject* self) {
    Py_CLEAR(object(self)->function);
    Py_CLEAR(object(self)->dict);
    return 0;
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object(self)->weak_references) PyObject_ClearWeakRefs(self);
    clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* bind(PyObject* self, PyObject* instance, PyObject*) { return instance ? PyMethod_New(self, instance) : Py_NewRef(self); }

PyObject* represent(PyObject* self) { return PyObject_Repr(object(self)->function); }

/// By name, as functions are: pickled and copied.
PyObject* reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

PyMethodDef methods[] = {
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(FastObject, dict), READONLY, nullptr},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(FastObject, vectorcall), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(FastObject, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>("FastFunction(function, op, reflected=False)\n--\n\n`function`, but for regular calls the engine's `op`.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
    {Py_tp_descr_get, reinterpret_cast<void*>(&bind)},
    {Py_tp_repr, reinterpret_cast<void*>(&represent)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"pyengine._engine.FastFunction", sizeof(FastObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR, slots};

}  // namespace

void add_fast_op(std::string_view name, FastOp op) { fast_ops().emplace(name, op); }

const Array* unrecorded(PyObject* value) {
    const TensorObject* tensor = value ? as_tensor(value) : nullptr;
    if (!tensor || !tensor->array || (recording && tensor->requires_grad)) return nullptr;
    return tensor->array->device() == Device{} ? &*tensor->array : nullptr;
}

void register_fast(py::module_& m) {
    add_fast_elementwise();
    add_fast_reductions();
    add_fast_shapes();
    add_fast_indexing();
    PyObject* type = PyType_FromSpec(&spec);
    if (!type) throw py::error_already_set();
    m.attr("FastFunction") = py::reinterpret_steal<py::object>(type);
    m.def("set_recording", [](bool wanted) { recording = wanted; }, py::arg("wanted"));
    m.def("add_watchers", [](int count) { watchers += count; }, py::arg("count"));
}

}  // namespace pyengine::bindings
