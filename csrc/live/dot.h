// The sum that a FIR filter's output is.
#pragma once

namespace rtaudio {

// `count` a multiple of 8. Eight sums, always in the same order, so that a compiler may use
// vectors.
inline float dot(const float* a, const float* b, int count) noexcept {
  float sums[8] = {};
  for (int i = 0; i < count; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] += a[i + j] * b[i + j];
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace rtaudio
