// What this machine offers: CUDA devices, instruction-set levels.
#include <pybind11/stl.h>

#include "cpu/isa.h"
#include "cuda/device.h"
#include "python/bindings.h"

namespace py = pybind11;

namespace rtaudio {

void bind_system(py::module_& module) {
  module.attr("__version__") = RTAUDIO_VERSION;

  py::class_<CudaDevice>(module, "CudaDevice", "One CUDA device.")
      .def_readonly("name", &CudaDevice::name)
      .def_readonly("compute_major", &CudaDevice::compute_major)
      .def_readonly("compute_minor", &CudaDevice::compute_minor)
      .def_readonly("memory_bytes", &CudaDevice::memory_bytes)
      .def_readonly("num_multiprocessors", &CudaDevice::num_multiprocessors);

  py::class_<CudaReport>(module, "CudaReport", "The CUDA devices, or why there are none.")
      .def_readonly("devices", &CudaReport::devices)
      .def_readonly("reason", &CudaReport::reason, "A sentence when `devices` is empty.")
      .def_readonly("runtime_version", &CudaReport::runtime_version)
      .def_readonly("driver_version", &CudaReport::driver_version);

  module.def("query_cuda", &query_cuda, py::call_guard<py::gil_scoped_release>(),
             "Ask the CUDA runtime which devices there are.");

  module.def("supported_cpu_levels", &level_names,
             "The instruction-set levels this processor can run, lowest first.");
  module.def(
      "cpu_level", [] { return std::string(select_kernels().name); },
      "The level in use: the highest, or the one RTAUDIO_CPU_ISA forces. RuntimeError if that "
      "level is unknown or the processor lacks it.");
}

}  // namespace rtaudio
