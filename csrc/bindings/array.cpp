// Array as Python sees it: attributes, and the ways in from and out to memory that others own.
#include <pybind11/complex.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"
#include "csrc/bindings/scalar.h"
#include "kernels/half.h"

namespace py = pybind11;

namespace pyengine::bindings {

PyObject* dtype_objects[dtype_count] = {};

namespace {

void set_dtypes(const py::tuple& objects) {
    if (objects.size() != dtype_count) throw ValueError("set_dtypes: wrong number of dtypes; one for each ElementType");
    for (int i = 0; i < dtype_count; ++i) dtype_objects[i] = py::object(objects[static_cast<std::size_t>(i)]).release().ptr();
}

Array from_numpy(py::array source, DType dtype) {
    const auto item = size_of(dtype);
    if (source.itemsize() != item)
        fail_value("from_numpy: item size differs: ", source.itemsize(), ", ", dtype, " has ", item, "; they must be equal");
    const auto rank = static_cast<std::size_t>(source.ndim());
    Dims shape(rank), strides(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        const auto stride = source.strides(static_cast<py::ssize_t>(i));
        if (stride % item)
            fail_value("from_numpy: stride is not a multiple of the item size: ", stride, ", ", item, "; copy the array first");
        shape[i] = source.shape(static_cast<py::ssize_t>(i));
        strides[i] = stride / item;
    }
    void* data = const_cast<void*>(source.data());
    const bool readonly = !source.writeable();
    PyObject* owner = source.release().ptr();
    const auto release = [owner] {
        py::gil_scoped_acquire gil;
        Py_DECREF(owner);
    };
    return Array(std::make_shared<Storage>(data, 0, release, readonly), 0, std::move(shape), std::move(strides), dtype);
}

void check_on_cpu(const char* op, const Array& x) {
    if (x.device() != Device{}) fail_type(op, ": not in the memory of the CPU: ", x.device(), "; move it with .to('cpu')");
}

py::array to_numpy(const Array& x, const py::dtype& dtype) {
    check_on_cpu("to_numpy", x);
    std::vector<py::ssize_t> shape(x.shape().begin(), x.shape().end()), strides(x.strides().begin(), x.strides().end());
    for (auto& stride : strides) stride *= dtype.itemsize();
    auto* keep = new std::shared_ptr<Storage>(x.storage());
    py::capsule base(keep, [](void* p) { delete static_cast<std::shared_ptr<Storage>*>(p); });
    py::array result(dtype, shape, strides, x.raw(), base);
    if (x.storage()->readonly()) result.attr("flags").attr("writeable") = false;
    return result;
}

/// The wait for a GPU is not the other threads'.
Array on_cpu(const Array& x) {
    const py::gil_scoped_release release;
    return to_device(x, {});
}

py::object item(const Array& given) {
    if (given.size() != 1) fail_value("item: not a single element: shape ", given.shape(), "; the size must be 1");
    const Array x = given.device() == Device{} ? given : on_cpu(given);
    switch (x.dtype()) {
        case DType::boolean: return py::bool_(*x.data<bool>());
        case DType::int8: return py::int_(*x.data<std::int8_t>());
        case DType::int16: return py::int_(*x.data<std::int16_t>());
        case DType::int32: return py::int_(*x.data<std::int32_t>());
        case DType::int64: return py::int_(*x.data<std::int64_t>());
        case DType::uint8: return py::int_(*x.data<std::uint8_t>());
        case DType::uint16: return py::int_(*x.data<std::uint16_t>());
        case DType::uint32: return py::int_(*x.data<std::uint32_t>());
        case DType::uint64: return py::int_(*x.data<std::uint64_t>());
        case DType::float16: return py::float_(to_float(*x.data<float16>()));
        case DType::bfloat16: return py::float_(to_float(*x.data<bfloat16>()));
        case DType::float32: return py::float_(*x.data<float>());
        case DType::float64: return py::float_(*x.data<double>());
        case DType::complex64: return py::cast(*x.data<std::complex<float>>());
        case DType::complex128: return py::cast(*x.data<std::complex<double>>());
    }
    throw std::logic_error("item: unknown element type");
}

Array scalar(const py::object& value, DType dtype, Device device) {
    Array x({}, dtype, {});
    if (dtype == DType::complex64)
        *x.data<std::complex<float>>() = std::complex<float>(value.cast<std::complex<double>>());
    else if (dtype == DType::complex128)
        *x.data<std::complex<double>>() = value.cast<std::complex<double>>();
    else if (is_floating(dtype))
        set_scalar(x, value.cast<double>());
    else if (dtype == DType::boolean)
        set_scalar(x, value.cast<bool>());
    else if (is_signed(dtype))
        set_scalar(x, value.cast<std::int64_t>());
    else
        set_scalar(x, value.cast<std::uint64_t>());
    return to_device(x, device);
}

py::buffer_info buffer(const Array& x) {
    if (x.device() != Device{}) fail<BufferError>("buffer: not in the memory of the CPU: ", x.device(), "; move it with .to('cpu')");
    static constexpr const char* formats[dtype_count] = {
        "?", "b", "h",  "i", sizeof(long) == 8 ? "l" : "q", "B", "H", "I", sizeof(long) == 8 ? "L" : "Q", "e", nullptr,
        "f", "d", "Zf", "Zd"};
    const char* format = formats[static_cast<int>(x.dtype())];
    if (!format) fail<BufferError>("buffer: no format for ", x.dtype(), "; convert to float32 first");
    std::vector<py::ssize_t> shape(x.shape().begin(), x.shape().end()), strides(x.strides().begin(), x.strides().end());
    for (auto& stride : strides) stride *= size_of(x.dtype());
    return py::buffer_info(x.raw(), size_of(x.dtype()), format, x.rank(), shape, strides, x.storage()->readonly());
}

}  // namespace

void register_array(py::module_& m) {
    py::class_<Array>(m, "Array", py::buffer_protocol(), "A strided array over a counted buffer; pyengine.Tensor wraps one.")
        .def_property_readonly("shape", &Array::shape)
        .def_property_readonly("strides", &Array::strides)
        .def_property_readonly("dtype", &Array::dtype)
        .def_property_readonly("device", &Array::device)
        .def_property_readonly("ndim", &Array::rank)
        .def_property_readonly("size", &Array::size)
        .def_property_readonly("offset", &Array::offset)
        .def_property_readonly("version", [](const Array& x) { return x.storage()->version(); })
        .def_property_readonly("readonly", [](const Array& x) { return x.storage()->readonly(); })
        .def_property_readonly("address", [](const Array& x) { return reinterpret_cast<std::uintptr_t>(x.raw()); })
        .def("is_contiguous", &Array::is_contiguous)
        .def("bump_version", [](const Array& x) { x.storage()->bump_version(); })
        .def(
            "shares_storage", [](const Array& x, const Array& other) { return x.storage() == other.storage(); }, py::arg("other"))
        .def("item", &item)
        .def_buffer(&buffer);
    m.def("set_dtypes", &set_dtypes, py::arg("objects"));
    m.def("set_default_dtype", &set_default_dtype, py::arg("dtype"));
    m.def(
        "empty", [](Dims shape, DType dtype, Device device) { return Array(std::move(shape), dtype, device); }, py::arg("shape"),
        py::arg("dtype"), py::arg("device"), without_gil());
    m.def("to_device", &to_device, py::arg("x"), py::arg("device"), without_gil());
    m.def("available_devices", &available_devices);
    m.def("scalar", &scalar, py::arg("value"), py::arg("dtype"), py::arg("device"));
    m.def("real_part", &real_part, py::arg("z"));
    m.def("imag_part", &imag_part, py::arg("z"));
    m.def("promote", [](DType a, DType b) { return promote("promote", a, b); }, py::arg("a"), py::arg("b"));
    m.def("from_numpy", &from_numpy, py::arg("source"), py::arg("dtype"));
    m.def("to_numpy", &to_numpy, py::arg("x"), py::arg("dtype"));
}

}  // namespace pyengine::bindings
