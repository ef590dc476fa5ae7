// Plays a given signal once and hears nothing: what a measurement of the round trip sends.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

#include "live/processor.h"

namespace rtaudio {

class Player final : public Processor {
 public:
  // The same signal on every lane. Throws std::invalid_argument where there is none.
  Player(std::vector<float> signal, int lanes) : signal_(std::move(signal)), lanes_(lanes) {
    if (signal_.empty()) throw std::invalid_argument("a signal to play has one sample or more");
  }

  int delay() const override { return 0; }
  void process(const float* /*in*/, float* out, int frames) noexcept RTA_NONBLOCKING override {
    for (int t = 0; t < frames; ++t) {
      const float x = next_ < signal_.size() ? signal_[next_++] : 0.0f;
      for (int c = 0; c < lanes_; ++c) *out++ = x;
    }
  }
  void reset() noexcept RTA_NONBLOCKING override { next_ = 0; }

 private:
  std::vector<float> signal_;
  int lanes_;
  std::size_t next_ = 0;
};

}  // namespace rtaudio
