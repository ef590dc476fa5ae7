// The parts of the Python module, one function a file.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "cpu/kernels.h"

namespace rtaudio {

void bind_live(pybind11::module_& module);
void bind_model(pybind11::module_& module);
void bind_session(pybind11::module_& module);
void bind_speaker(pybind11::module_& module);
void bind_step(pybind11::module_& module);
void bind_system(pybind11::module_& module);
void bind_timing(pybind11::module_& module);

// Throws std::invalid_argument for a name that is none of a precision.
WeightFormat weight_format(const std::string& precision);

}  // namespace rtaudio
