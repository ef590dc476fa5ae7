// Which noise a lane draws, kept as four floats of a layer's state: halves of 16 bits of its seed
// and of its stream's number, which noise::source_of reads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "core/noise.h"
#include "model/layer.h"

namespace rtaudio {

constexpr int kNoiseFloats = 4;

inline void set_noise(float* state, const LaneSettings& settings) noexcept {
  const std::uint32_t words[] = {settings.seed, settings.stream};
  for (int i = 0; i < kNoiseFloats; ++i) {
    state[i] = static_cast<float>(words[i / 2] >> 16 * (i % 2) & 0xffffu);
  }
}

// A saved state is not trusted; NaN counts as 0.
inline void load_noise(float* state, std::span<const float> saved) noexcept {
  for (std::size_t i = 0; i < kNoiseFloats; ++i) {
    state[i] = std::floor(std::min(65535.0f, std::max(0.0f, saved[i])));
  }
}

}  // namespace rtaudio
