// TensorBase: the memory of a Tensor. In C, so that a call of the engine can make its result without running Python.
#include "csrc/bindings/tensor.h"

#include <structmember.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"

namespace py = pybind11;

namespace pyengine::bindings {
namespace {

PyTypeObject* base_type = nullptr;
PyTypeObject* tensor_type = nullptr;  // pyengine.Tensor

TensorObject* object(PyObject* self) { return reinterpret_cast<TensorObject*>(self); }

/// The array; raises AttributeError where __init__ has not run.
const Array& array_of(PyObject* self) {
    if (!object(self)->array) throw py::attribute_error("_array");
    return *object(self)->array;
}

/// What `f` returns, its C++ exceptions as Python's.
template <typename F>
PyObject* translated(F f) {
    try {
        return py::cast(f()).release().ptr();
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const py::builtin_exception& error) {
        error.set_error();
    }
    return nullptr;
}

int set_array(PyObject* self, PyObject* value, void*) {
    py::detail::make_caster<Array> caster;
    if (!value || !caster.load(value, false)) {
        PyErr_Format(PyExc_TypeError, "Tensor: not an Array of the engine: %R", value ? value : Py_None);
        return -1;
    }
    object(self)->array = py::detail::cast_op<const Array&>(caster);
    Py_INCREF(value);
    Py_XSETREF(object(self)->array_object, value);
    return 0;
}

PyObject* get_array(PyObject* self, void*) {
    PyObject*& made = object(self)->array_object;
    if (!made) made = translated([&] { return array_of(self); });
    Py_XINCREF(made);
    return made;
}

// Life ------------------------------------------------------------------------------------------------------------------------------------

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
    PyObject* self = type->tp_alloc(type, 0);  // zeroed
    if (self) new (&object(self)->array) std::optional<Array>();
    return self;
}

int initialize(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"array", "node", "index", nullptr};
    PyObject *array = nullptr, *node = nullptr;
    Py_ssize_t index = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|On:Tensor", const_cast<char**>(names), &array, &node, &index)) return -1;
    if (set_array(self, array, nullptr) < 0) return -1;
    TensorObject* tensor = object(self);
    tensor->requires_grad = node && node != Py_None;
    tensor->index = index;
    tensor->version = tensor->requires_grad ? tensor->array->storage()->version() : 0;
    if (tensor->requires_grad) Py_INCREF(node);
    Py_XSETREF(tensor->node, tensor->requires_grad ? node : nullptr);
    Py_CLEAR(tensor->hooks);
    Py_CLEAR(tensor->grad);
    return 0;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(object(self)->node);
    Py_VISIT(object(self)->hooks);
    Py_VISIT(object(self)->grad);
    return 0;
}

int clear(PyObject* self) {
    Py_CLEAR(object(self)->node);
    Py_CLEAR(object(self)->hooks);
    Py_CLEAR(object(self)->grad);
    return 0;
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    Py_CLEAR(object(self)->array_object);
    object(self)->array.~optional<Array>();
    type->tp_free(self);
    Py_DECREF(type);
}

// Attributes ------------------------------------------------------------------------------------------------------------------------------

template <PyObject* TensorObject::* field>
PyObject* get_field(PyObject* self, void*) {
    PyObject* value = object(self)->*field;
    return py::handle(value ? value : Py_None).inc_ref().ptr();
}

template <PyObject* TensorObject::* field>
int set_field(PyObject* self, PyObject* value, void*) {
    PyObject* kept = value == Py_None ? nullptr : value;
    Py_XINCREF(kept);
    Py_XSETREF(object(self)->*field, kept);
    return 0;
}

template <auto get>
PyObject* property(PyObject* self, void*) {
    return translated([&] { return (array_of(self).*get)(); });
}

PyObject* get_requires_grad(PyObject* self, void*) { return PyBool_FromLong(object(self)->requires_grad); }

int set_requires_grad(PyObject* self, PyObject* value, void*) {
    const int wanted = value ? PyObject_IsTrue(value) : 0;
    if (wanted < 0) return -1;
    object(self)->requires_grad = wanted != 0;
    return 0;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    PyObject* array = get_array(self, nullptr);
    if (!array) return -1;
    const int status = PyObject_GetBuffer(array, view, flags);
    Py_DECREF(array);
    return status;
}

PyGetSetDef attributes[] = {
    {"_array", get_array, set_array, "The engine's array.", nullptr},
    {"_node", get_field<&TensorObject::node>, set_field<&TensorObject::node>, "What computed it, or None.", nullptr},
    {"_hooks", get_field<&TensorObject::hooks>, set_field<&TensorObject::hooks>, "Hooks on the gradient of a leaf, or None.", nullptr},
    {"grad", get_field<&TensorObject::grad>, set_field<&TensorObject::grad>, "The gradient that backward() has added up here, or None.",
     nullptr},
    {"_requires_grad", get_requires_grad, set_requires_grad, "Whether ops on it are recorded.", nullptr},
    {"shape", property<&Array::shape>, nullptr, "The sizes of its axes.", nullptr},
    {"dtype", property<&Array::dtype>, nullptr, "The type of its elements.", nullptr},
    {"ndim", property<&Array::rank>, nullptr, "The number of its axes.", nullptr},
    {"size", property<&Array::size>, nullptr, "The number of its elements.", nullptr},
    {"strides", property<&Array::strides>, nullptr, "Steps between neighbours along each axis, in elements.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef members[] = {
    {"_index", T_PYSSIZET, offsetof(TensorObject, index), 0, "Which of its node's outputs it is."},
    {"_version", T_ULONGLONG, offsetof(TensorObject, version), 0, "The version of its memory that its node made."},
    {nullptr, 0, 0, 0, nullptr},
};

constexpr const char* doc = "TensorBase(array, node=None, index=0)\n--\n\nAn array of the engine, and its place on the tape.";

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(doc)},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_init, reinterpret_cast<void*>(&initialize)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_bf_getbuffer, reinterpret_cast<void*>(&get_buffer)},
    {0, nullptr},
};

PyType_Spec spec = {"pyengine._engine.TensorBase", sizeof(TensorObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                    slots};

void set_tensor_type(const py::type& type) {
    if (!PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type.ptr()), base_type))
        throw py::type_error("set_tensor_type: not derived from TensorBase");
    tensor_type = reinterpret_cast<PyTypeObject*>(py::type(type).release().ptr());
}

}  // namespace

PyObject* make_tensor(Array array) {
    PyObject* self = tensor_type->tp_alloc(tensor_type, 0);
    if (self) new (&object(self)->array) std::optional<Array>(std::move(array));
    return self;
}

TensorObject* as_tensor(PyObject* value) {
    return Py_IS_TYPE(value, tensor_type) || PyObject_TypeCheck(value, tensor_type) ? object(value) : nullptr;
}

void register_tensor(py::module_& m) {
    base_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (!base_type) throw py::error_already_set();
    m.attr("TensorBase") = py::handle(reinterpret_cast<PyObject*>(base_type));
    m.def("set_tensor_type", &set_tensor_type, py::arg("type"));
}

}  // namespace pyengine::bindings
