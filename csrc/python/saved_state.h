// A stream's saved state as arrays and back. What comes back is untrusted.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <string>

#include "model/stream.h"

namespace rtaudio {

pybind11::dict to_dict(const Stream::Saved& saved);

// The state in `state` with the names, sizes and types of `like`, which the stream would save.
// Throws std::invalid_argument, in a sentence, where it differs.
Stream::Saved from_dict(const std::map<std::string, pybind11::array>& state,
                        const Stream::Saved& like);

}  // namespace rtaudio
