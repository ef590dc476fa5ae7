// History of a layer with its time in lanes: planes, one a channel, each a ring whose first frames
// stand again behind its last one (cpu/kernels.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "cpu/kernels.h"

namespace rtaudio {

class PlaneRing {
 public:
  PlaneRing(int channels, int history) : channels_(channels), history_(history) {}

  int frames(int max_frames) const { return plane_ring_frames(history_, max_frames); }
  std::size_t floats(int max_frames) const {
    return plane_state_floats(channels_, history_, max_frames);
  }

  void save(const float* ring, int max_frames, std::int64_t position,
            std::span<float> out) const noexcept {
    const int size = frames(max_frames);
    for (int c = 0; c < channels_; ++c) {
      const float* from = plane(ring, c, size);
      for (int t = 0; t < history_; ++t) {
        out[static_cast<std::size_t>(c * history_ + t)] =
            from[(position + size - history_ + t) % size];
      }
    }
  }

  void load(float* ring, int max_frames, std::int64_t position,
            std::span<const float> in) const noexcept {
    const int size = frames(max_frames);
    for (int c = 0; c < channels_; ++c) {
      float* to = plane(ring, c, size);
      for (int t = 0; t < history_; ++t) {
        const auto at = (position + size - history_ + t) % size;
        to[at] = in[static_cast<std::size_t>(c * history_ + t)];
        if (at < kPlanePad) to[at + size] = to[at];
      }
    }
  }

 private:
  template <class T>
  static T* plane(T* ring, int channel, int size) {
    return ring + channel * plane_floats(size) + kPlanePad;
  }

  int channels_;
  int history_;
};

}  // namespace rtaudio
