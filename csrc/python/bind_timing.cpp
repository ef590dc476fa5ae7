// Times for `rtaudio bench layers`.
#include <pybind11/stl.h>

#include "cpu/isa.h"
#include "model/timing.h"
#include "python/bindings.h"

namespace py = pybind11;

namespace rtaudio {

void bind_timing(py::module_& module) {
  using Unlocked = py::call_guard<py::gil_scoped_release>;
  module.def(
      "measure_multiply_adds",
      [](const std::string& precision, double seconds) {
        return measure_multiply_adds(select_kernels(), weight_format(precision), seconds);
      },
      py::arg("precision"), py::arg("seconds"), Unlocked(),
      "The most multiply-adds a second that this thread does in registers at the level in use.");
  module.def(
      "measure_reads",
      [](std::size_t bytes, double seconds) {
        return measure_reads(select_kernels(), bytes, seconds);
      },
      py::arg("bytes"), py::arg("seconds"), Unlocked(),
      "The most bytes a second that this thread reads of as many as it has just read.");
  py::class_<OperationTimer>(module, "OperationTimer",
                             "One operation of a model, run by itself on noise.")
      .def(py::init([](std::shared_ptr<Model> model, int operation, int lanes, int ticks) {
             return std::make_unique<OperationTimer>(std::move(model), operation, lanes, ticks);
           }),
           py::arg("model").none(false), py::arg("operation"), py::arg("lanes"), py::arg("ticks"))
      .def("hot", &OperationTimer::hot, py::arg("seconds"), Unlocked(),
           "Nanoseconds a call of all lanes: means over short batches of calls in a row.")
      .def("cold", &OperationTimer::cold, py::arg("calls"), py::arg("swept_bytes"), Unlocked(),
           "Nanoseconds of single calls, each after reading as many bytes of other memory.");
}

}  // namespace rtaudio
