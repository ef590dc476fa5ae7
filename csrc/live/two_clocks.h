// An input and an output device that have a clock each, and one engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "live/clock_bridge.h"
#include "live/engine.h"

namespace rtaudio {

// The engine goes by the output's clock; the input crosses over to it.
class TwoClocks {
 public:
  // `slack`: frames that an input block may come late by. Throws std::invalid_argument.
  TwoClocks(Engine& engine, int slack);

  // Each of its device's thread; [frame][channel], `flags` are PortAudio's.
  void capture(const float* in, std::int64_t frames, unsigned long flags) noexcept RTA_NONBLOCKING;
  void play(float* out, std::int64_t frames, unsigned long flags) noexcept RTA_NONBLOCKING;

  const ClockBridge& bridge() const { return bridge_; }

 private:
  Engine& engine_;
  ClockBridge bridge_;
  std::vector<float> in_;
  bool captured_ = false;
  std::atomic<unsigned long> input_flags_{0};
};

}  // namespace rtaudio
