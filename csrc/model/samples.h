// What is let into a model, counted.
#pragma once

#include <cstdint>

#include "core/samples.h"

namespace rtaudio {

// What is no sample is zero.
inline float let_in(float x, std::int64_t& num_bad_samples) {
  const bool good = is_sample(x);
  num_bad_samples += !good;
  return good ? x : 0.0f;
}

}  // namespace rtaudio
