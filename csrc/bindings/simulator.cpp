// The simulator's errors, and its record of who touched shared memory.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "csrc/bindings/register.h"

#if defined(PYENGINE_HAS_simulator)
#include "kernels/simulator/report.h"
#include "kernels/simulator/trace.h"
#endif

namespace py = pybind11;

namespace pyengine::bindings {

#if defined(PYENGINE_HAS_simulator)
namespace {

/// One row a touch: block, thread, offset, bytes, writes.
py::array_t<std::int64_t> stop_trace() {
    const auto touches = simulator::stop_trace();
    py::array_t<std::int64_t> table({static_cast<py::ssize_t>(touches.size()), py::ssize_t{5}});
    auto cells = table.mutable_unchecked<2>();
    for (py::ssize_t i = 0; i < cells.shape(0); ++i) {
        const simulator::Touch& touch = touches[static_cast<std::size_t>(i)];
        cells(i, 0) = static_cast<std::int64_t>(touch.block);
        cells(i, 1) = touch.thread;
        cells(i, 2) = touch.offset;
        cells(i, 3) = touch.bytes;
        cells(i, 4) = touch.writes;
    }
    return table;
}

}  // namespace

void register_simulator(py::module_& m) {
    py::register_exception<simulator::SimulatorError>(m, "SimulatorError", PyExc_RuntimeError).attr("__doc__") =
        "A kernel did what hardware leaves undefined, or can never end: what, where in its source, by which thread.";
    m.def("simulator_start_trace", &simulator::start_trace, py::arg("most"));
    m.def("simulator_stop_trace", &stop_trace);
}
#else
void register_simulator(py::module_&) {}
#endif

}  // namespace pyengine::bindings
