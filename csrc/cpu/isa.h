// The choice of the instruction-set level, made once at run time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cpu/kernels.h"

namespace rtaudio {

// The levels this processor can run, lowest first.
std::vector<std::string> level_names();

// Null if the level is unknown or this processor lacks it.
const Kernels* find_kernels(std::string_view level);

// The highest level, or the one named by the environment variable RTAUDIO_CPU_ISA. Throws
// std::runtime_error if that level is unknown or the processor lacks it.
const Kernels& select_kernels();

}  // namespace rtaudio
