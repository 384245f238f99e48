// Streams, events, graphs and memory of GPUs; only why there are none, where the CUDA backend was not built.
#include <pybind11/pybind11.h>

#include "csrc/bindings/casters.h"
#include "csrc/bindings/register.h"

#if defined(PYENGINE_HAS_cuda)
#include "csrc/cuda/allocator.h"
#include "csrc/cuda/runtime.h"
#include "csrc/cuda/stream.h"
#endif

namespace py = pybind11;

namespace pyengine::bindings {

#if defined(PYENGINE_HAS_cuda)
namespace {

std::uintptr_t address(cudaStream_t stream) { return reinterpret_cast<std::uintptr_t>(stream); }
cudaStream_t stream_at(std::uintptr_t address) { return reinterpret_cast<cudaStream_t>(address); }

py::dict memory_stats(int device) {
    const cuda::MemoryStats stats = cuda::memory_stats(device);
    py::dict result;
    result["in_use"] = stats.in_use;
    result["cached"] = stats.cached;
    result["peak"] = stats.peak;
    result["free"] = stats.free;
    result["total"] = stats.total;
    return result;
}

py::dict properties(int device) {
    const cuda::Properties p = cuda::properties(device);
    py::dict result;
    result["name"] = p.name;
    result["compute_capability"] = py::make_tuple(p.major, p.minor);
    result["multiprocessors"] = p.multiprocessors;
    result["memory"] = p.memory;
    return result;
}

/// A copy in memory of the CPU that copies to and from GPUs can overlap with.
Array pinned(const Array& x) {
    if (x.device() != Device{}) fail_value("pin_memory: not on the CPU: ", x.device(), "; only the CPU's memory is pinned");
    const auto bytes = static_cast<std::size_t>(x.size() * size_of(x.dtype()));
    void* data = cuda::allocate_pinned(bytes);
    auto storage = std::make_shared<Storage>(data, bytes, [data] { cuda::deallocate_pinned(data); }, false);
    const Array copy(std::move(storage), 0, x.shape(), contiguous_strides(x.shape()), x.dtype());
    assign(copy, x);
    return copy;
}

/// Like to_device, but does not wait for the end: the CPU's side must be pinned, and stay as it is until then.
Array to_device_without_waiting(const Array& x, Device device) {
    const Array from = contiguous(x);
    const Array there(x.shape(), x.dtype(), device);
    cuda::copy_bytes(there.raw(), device, from.raw(), x.device(), static_cast<std::size_t>(x.size() * size_of(x.dtype())), false);
    return there;
}

/// Work that is given to `later` from now on waits for what `earlier` has been given; default streams are those of the GPU `device`.
void order_streams(std::uintptr_t earlier, std::uintptr_t later, int device) {
    if (earlier == later) return;
    const cuda::DeviceGuard guard(device);
    cuda::Event event(false);
    event.record(stream_at(earlier), device);
    cuda::check(cudaStreamWaitEvent(stream_at(later), event.handle(), 0), "cudaStreamWaitEvent");
}

void record_stream(const Array& x, const cuda::Stream& stream) {
    const Device device{DeviceType::cuda, static_cast<std::uint8_t>(stream.device())};
    if (x.device() != device) fail_value("record_stream: not on the stream's GPU: ", x.device(), "; the stream is on ", device);
    cuda::record_stream(x.storage()->data(), stream.handle());
}

/// Over memory of a GPU that belongs to `owner`; which GPU, the driver knows.
Array from_address(std::uintptr_t address, Dims shape, Dims strides, DType dtype, const py::object& owner, bool readonly) {
    cudaPointerAttributes where{};
    if (address) {
        cuda::check(cudaPointerGetAttributes(&where, reinterpret_cast<void*>(address)), "cudaPointerGetAttributes");
        if (where.type != cudaMemoryTypeDevice && where.type != cudaMemoryTypeManaged)
            fail<BufferError>("asarray: not in a GPU's memory: address ", address, "; __cuda_array_interface__ says it is");
    }
    if (address % static_cast<std::uintptr_t>(size_of(dtype)) != 0)
        fail<BufferError>("asarray: misaligned memory: address ", address, " for ", dtype, "; copy the array first");
    PyObject* kept = py::object(owner).release().ptr();
    const auto release = [kept] {
        py::gil_scoped_acquire gil;
        Py_DECREF(kept);
    };
    const Device device{DeviceType::cuda, static_cast<std::uint8_t>(where.device)};
    auto storage = std::make_shared<Storage>(reinterpret_cast<void*>(address), 0, release, readonly, device);
    return Array(std::move(storage), 0, std::move(shape), std::move(strides), dtype);
}

void register_classes(py::module_& m) {
    py::class_<cuda::Stream, std::shared_ptr<cuda::Stream>>(m, "CudaStream")
        .def(py::init<int>(), py::arg("device"))
        .def_property_readonly("address", [](const cuda::Stream& s) { return address(s.handle()); })
        .def_property_readonly("device", &cuda::Stream::device)
        .def("synchronize", &cuda::Stream::synchronize, without_gil())
        .def("query", &cuda::Stream::query)
        .def("wait_event", &cuda::Stream::wait, py::arg("event"));
    py::class_<cuda::Event>(m, "CudaEvent")
        .def(py::init<bool>(), py::arg("timing"))
        .def(
            "record", [](cuda::Event& e, const cuda::Stream& s) { e.record(s.handle(), s.device()); }, py::arg("stream"))
        .def("synchronize", &cuda::Event::synchronize, without_gil())
        .def("query", &cuda::Event::query)
        .def("elapsed_since", &cuda::Event::elapsed_since, py::arg("start"));
    py::class_<cuda::Graph>(m, "CudaGraph")
        .def(py::init<>())
        .def("begin_capture", &cuda::Graph::begin_capture, py::arg("device"), without_gil())
        .def("end_capture", &cuda::Graph::end_capture, py::arg("keep"))
        .def("replay", &cuda::Graph::replay);
}

}  // namespace

void register_cuda(py::module_& m) {
    py::register_exception<cuda::CudaError>(m, "CudaError", PyExc_RuntimeError).attr("__doc__") =
        "What CUDA reports: the call, or the kernel and its launch, that failed, and why.";
    m.attr("cuda_built") = true;
    m.def("cuda_why_none", &cuda::why_none);
    m.def("cuda_properties", &properties, py::arg("device"));
    m.def("cuda_synchronize", &cuda::synchronize, py::arg("device"), without_gil());
    m.def("cuda_memory_stats", &memory_stats, py::arg("device"));
    m.def("cuda_reset_peak", &cuda::reset_peak, py::arg("device"));
    m.def("cuda_empty_cache", &cuda::empty_cache, py::arg("device"), without_gil());
    m.def("cuda_default_stream", &cuda::Stream::default_of, py::arg("device"));
    m.def("cuda_current_stream", &cuda::current_stream_of, py::arg("device"));
    m.def("cuda_set_current_stream", &cuda::set_current_stream, py::arg("stream"));
    m.def("cuda_order_streams", &order_streams, py::arg("earlier"), py::arg("later"), py::arg("device"));
    m.def("cuda_record_stream", &record_stream, py::arg("x"), py::arg("stream"));
    m.def("cuda_pinned", &pinned, py::arg("x"), without_gil());
    m.def("cuda_to_device_without_waiting", &to_device_without_waiting, py::arg("x"), py::arg("device"), without_gil());
    m.def("cuda_from_address", &from_address, py::arg("address"), py::arg("shape"), py::arg("strides"), py::arg("dtype"), py::arg("owner"),
          py::arg("readonly"));
    register_classes(m);
}
#else
void register_cuda(py::module_& m) {
    m.attr("cuda_built") = false;
    m.def("cuda_why_none", [] { return "this build has no CUDA backend: " PYENGINE_WHY_NO_CUDA; });
}
#endif

}  // namespace pyengine::bindings
