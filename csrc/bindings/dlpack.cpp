// DLPack capsules both ways, versioned and legacy. A capsule owns its structure until a consumer renames it to used_*.
#include "csrc/bindings/dlpack.h"

#include <pybind11/pybind11.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"

namespace py = pybind11;

namespace pyengine::bindings {
namespace {

template <typename Structure>
constexpr const char* capsule_name = std::is_same_v<Structure, dlpack::Managed> ? "dltensor" : "dltensor_versioned";
template <typename Structure>
constexpr const char* used_name = std::is_same_v<Structure, dlpack::Managed> ? "used_dltensor" : "used_dltensor_versioned";

dlpack::DataType data_type(DType dtype) {
    const auto bits = static_cast<std::uint8_t>(8 * size_of(dtype));
    if (dtype == DType::boolean) return {dlpack::code_bool, 8, 1};
    if (dtype == DType::bfloat16) return {dlpack::code_bfloat, 16, 1};
    if (is_complex(dtype)) return {dlpack::code_complex, bits, 1};
    if (is_floating(dtype)) return {dlpack::code_float, bits, 1};
    return {is_signed(dtype) ? dlpack::code_int : dlpack::code_uint, bits, 1};
}

DType element_type(dlpack::DataType type) {
    for (int i = 0; i < dtype_count; ++i) {
        const auto dtype = static_cast<DType>(i);
        const auto ours = data_type(dtype);
        if (ours.code == type.code && ours.bits == type.bits && type.lanes == 1) return dtype;
    }
    fail_type("from_dlpack: no such element type: code ", int{type.code}, ", ", int{type.bits}, " bits, ", type.lanes,
              " lanes; must be bool, an integer or float of 8 to 64 bits, bfloat16, or complex of 64 or 128 bits, one lane");
}

dlpack::Device dlpack_device(Device device) {
    switch (device.type) {
        case DeviceType::cpu: return {dlpack::device_cpu, 0};
        case DeviceType::cuda: return {dlpack::device_cuda, device.index};
        case DeviceType::simulator: break;
    }
    fail<BufferError>("__dlpack__: not in memory that others know: ", device, "; move it with .to('cpu')");
}

/// Pinned and managed memory is the CPU's as well.
Device device_of(dlpack::Device device) {
    switch (device.type) {
        case dlpack::device_cpu:
        case dlpack::device_cuda_host: return {};
        case dlpack::device_cuda: return device_named(name_of({DeviceType::cuda, static_cast<std::uint8_t>(device.id)}));
        default: fail<BufferError>("from_dlpack: neither CPU nor CUDA memory: device type ", device.type, "; move it to the CPU first");
    }
}

/// An exported structure with what it must keep alive.
template <typename Structure>
struct Export {
    Structure structure{};
    Array array;
    Dims shape, strides;
};

template <typename Structure>
py::object make_capsule(const Array& x, std::uint64_t flags) {
    auto* exported = new Export<Structure>{{}, x, x.shape(), x.strides()};
    Structure& s = exported->structure;
    s.tensor = {x.raw(),
                dlpack_device(x.device()),
                static_cast<std::int32_t>(x.rank()),
                data_type(x.dtype()),
                exported->shape.data(),
                exported->strides.data(),
                0};
    s.context = exported;
    s.deleter = [](Structure* self) { delete static_cast<Export<Structure>*>(self->context); };
    if constexpr (std::is_same_v<Structure, dlpack::ManagedVersioned>) {
        s.major = 1;
        s.minor = 0;
        s.flags = flags;
    }
    PyObject* capsule = PyCapsule_New(&s, capsule_name<Structure>, [](PyObject* self) {
        if (!PyCapsule_IsValid(self, capsule_name<Structure>)) return;  // consumed
        auto* unused = static_cast<Structure*>(PyCapsule_GetPointer(self, capsule_name<Structure>));
        unused->deleter(unused);
    });
    if (!capsule) {
        delete exported;
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::object>(capsule);
}

py::object to_dlpack(const Array& x, bool versioned, bool readonly, bool copied) {
    const std::uint64_t flags = (readonly ? dlpack::flag_read_only : 0) | (copied ? dlpack::flag_copied : 0);
    return versioned ? make_capsule<dlpack::ManagedVersioned>(x, flags) : make_capsule<dlpack::Managed>(x, flags);
}

template <typename Structure>
Array consume(const py::capsule& capsule, bool readonly) {
    auto* s = static_cast<Structure*>(PyCapsule_GetPointer(capsule.ptr(), capsule_name<Structure>));
    if (!s) throw py::error_already_set();
    const dlpack::Tensor& t = s->tensor;
    const Device device = device_of(t.device);
    const DType dtype = element_type(t.dtype);
    const auto rank = static_cast<std::size_t>(t.ndim);
    Dims shape(std::span<const std::int64_t>(t.shape, rank));
    Dims strides = t.strides ? Dims(std::span<const std::int64_t>(t.strides, rank)) : contiguous_strides(shape);
    element_count(shape, dtype);  // rejects sizes that overflow before the capsule is taken over
    std::byte* data = static_cast<std::byte*>(t.data) + t.byte_offset;
    if (device.type == DeviceType::cuda && reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(size_of(dtype)) != 0)
        fail<BufferError>("from_dlpack: misaligned memory on ", device, " for ", dtype, "; copy the array first");
    PyCapsule_SetName(capsule.ptr(), used_name<Structure>);
    const auto release = [s] {
        py::gil_scoped_acquire gil;  // the producer's deleter may need it
        if (s->deleter) s->deleter(s);
    };
    auto storage = std::make_shared<Storage>(data, 0, release, readonly, device);
    return Array(std::move(storage), 0, std::move(shape), std::move(strides), dtype);
}

Array from_dlpack(const py::capsule& capsule) {
    const char* name = PyCapsule_GetName(capsule.ptr());
    if (name && std::string_view(name) == capsule_name<dlpack::ManagedVersioned>) {
        const auto* s = static_cast<dlpack::ManagedVersioned*>(PyCapsule_GetPointer(capsule.ptr(), name));
        if (s->major > 1)
            fail<BufferError>("from_dlpack: unknown version: ", s->major, ".", s->minor, "; versions up to 1.x are understood");
        return consume<dlpack::ManagedVersioned>(capsule, s->flags & dlpack::flag_read_only);
    }
    if (name && std::string_view(name) == capsule_name<dlpack::Managed>) return consume<dlpack::Managed>(capsule, false);
    fail_value("from_dlpack: not a fresh capsule: '", name ? name : "",
               "'; must be 'dltensor' or 'dltensor_versioned', each consumed once");
}

}  // namespace

void register_dlpack(py::module_& m) {
    m.def("to_dlpack", &to_dlpack, py::arg("x"), py::arg("versioned"), py::arg("readonly"), py::arg("copied"));
    m.def("from_dlpack", &from_dlpack, py::arg("capsule"));
}

}  // namespace pyengine::bindings
