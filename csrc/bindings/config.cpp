#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "csrc/bindings/register.h"
#include "csrc/isa.h"
#include "csrc/precision.h"
#include "csrc/storage.h"
#include "kernels/cpu/parallel.h"

namespace py = pybind11;

void pyengine::bindings::register_config(py::module_& m) {
    m.attr("version") = PYENGINE_VERSION;
    m.attr("compiler") = PYENGINE_COMPILER;
    m.def("isa", [] { return isa_name(isa()); });
    m.def("set_isa", &set_isa, py::arg("name"));
    m.def("available_isas", [] {
        std::vector<std::string> names;
        for (Isa level : available_isas()) names.push_back(isa_name(level));
        return names;
    });
    m.def("thread_count", &kernels::thread_count);
    m.def("set_thread_count", &kernels::set_thread_count, py::arg("count"));
    m.def("tf32_allowed", &tf32_allowed);
    m.def("allow_tf32", &allow_tf32, py::arg("allowed"));
    m.def("memory_stats", [] {
        const MemoryStats stats = cpu_allocator::stats();
        py::dict result;
        result["in_use"] = stats.in_use;
        result["cached"] = stats.cached;
        result["peak"] = stats.peak;
        return result;
    });
    m.def("empty_cache", &cpu_allocator::empty_cache);
    isa();  // an unknown PYENGINE_ISA fails here, at import, not inside the first op
}
