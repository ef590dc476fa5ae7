// What is let into a model.
#pragma once

#include "core/vecmath.h"

namespace rtaudio {

// Squares of spectra stay finite below this.
constexpr float kLargestSample = 1e15f;

// NaN, infinities and absurdly large values are not.
RTA_HD bool is_sample(float x) { return abs(x) <= kLargestSample; }

}  // namespace rtaudio
