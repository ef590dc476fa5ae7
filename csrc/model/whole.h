// A whole signal in one pass, for models whose streams only come near their definition.
#pragma once

#include <memory>
#include <vector>

#include "model/model.h"

namespace rtaudio {

// The answer of model.output_length(num_frames) frames to `input`, [frame][channel], delay removed.
// Throws std::length_error where the signal is too long to be held at once.
std::vector<float> run_whole(std::shared_ptr<const Model> model, const float* input,
                             std::int64_t num_frames, std::vector<float> controls);

}  // namespace rtaudio
