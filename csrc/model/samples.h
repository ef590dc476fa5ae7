// What is let into a model.
#pragma once

#include <cmath>
#include <cstdint>

namespace rtaudio {

// Squares of spectra stay finite below this.
constexpr float kLargestSample = 1e15f;

// NaN, infinities and absurdly large values are zeros, and counted.
inline float let_in(float x, std::int64_t& num_bad_samples) {
  const bool good = std::fabs(x) <= kLargestSample;  // false for NaN
  num_bad_samples += !good;
  return good ? x : 0.0f;
}

}  // namespace rtaudio
