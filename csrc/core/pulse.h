// Pulses of a pitch, whose phase is a whole number of 2^-32 turns, so that it does not depend on
// how long it has run.
#pragma once

#include "core/noise.h"

namespace rtaudio::pulse {

constexpr float kLowest = 1.0f / 2048.0f, kHighest = 0.5f;  // turns a frame

// Turns a frame within bounds; NaN becomes the lowest.
RTA_HD float bounded(float f) { return min(max(f, kLowest), kHighest); }
// What they add to a phase.
RTA_HD std::uint32_t advance(float f) { return static_cast<std::uint32_t>(fma(f, 0x1p32f, 0.5f)); }

// Of 2 pi x.
RTA_HD noise::Pair cos_sin(float x) { return noise::cos_sin_turns(x - __builtin_floorf(x)); }

// sqrt(4 f) * sum_k min(1, 0.5 / f - k) cos(2 pi k p), p in [-0.5, 0.5): all harmonics but the last
// by Dirichlet's formula.
RTA_HD float value(float f, std::uint32_t phase) {
  const float p = static_cast<float>(static_cast<std::int32_t>(phase)) * 0x1p-32f;
  const float harmonics = 0.5f / f;
  const float last = __builtin_floorf(harmonics);
  const float bottom = 2.0f * cos_sin(0.5f * p).second;
  // So near to zero all cosines are 1.
  const float sum =
      abs(bottom) < 1e-4f ? last - 1.0f : cos_sin((last - 0.5f) * p).second / bottom - 0.5f;
  return sqrt(4.0f * f) * fma(harmonics - last, cos_sin(last * p).first, sum);
}

// As floats: its upper and its lower half.
RTA_HD std::uint32_t load(const float* state) {
  return static_cast<std::uint32_t>(state[0]) << 16 | static_cast<std::uint32_t>(state[1]);
}
RTA_HD void store(float* state, std::uint32_t phase) {
  state[0] = static_cast<float>(phase >> 16);
  state[1] = static_cast<float>(phase & 0xffffu);
}

}  // namespace rtaudio::pulse
