// A cheaper model that stands in while the first one cannot keep up.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "live/breaker.h"
#include "live/delay_line.h"
#include "live/runner.h"

namespace rtaudio {

// It works in the audio callback, and only while it is needed. From one model to the other the
// sound is faded over 5 ms.
class Fallback {
 public:
  // `delay`: frames from input to output, of both models; `most_delay` is what set_delay() may ask
  // for. Throws std::invalid_argument.
  Fallback(std::unique_ptr<Runner> runner, int lanes, int delay, int block, int sample_rate,
           int most_delay = 0);

  // What is heard of a block: of `wet`, the first model's output or null, and of the own one. Null
  // where neither is there. `rests`: the first model is given nothing.
  const float* join(std::int64_t position, const float* dry, const float* wet, bool rests,
                    int frames) noexcept RTA_NONBLOCKING;

  void set_delay(int delay) noexcept { line_.set_delay(delay - runner_->delay()); }
  // Whether it is heard.
  bool heard() const noexcept { return sounds_ && share_ < 1.0f; }
  // Blocks that took longer than they last.
  std::int64_t num_late_blocks() const noexcept { return late_blocks_.get(); }
  Runner& runner() { return *runner_; }
  const Runner& runner() const { return *runner_; }

 private:
  const float* run(std::int64_t position, const float* late, int frames) noexcept RTA_NONBLOCKING;

  std::unique_ptr<Runner> runner_;
  int lanes_;
  double block_ns_;
  float step_;
  DelayLine line_;  // its input, so that it is as late as the first model
  Breaker breaker_;
  std::vector<float> out_;
  bool needed_ = false;
  bool sounds_ = false;  // one of the two models was heard in the last block
  float share_ = 1.0f;   // of the first one
  Counter late_blocks_;
};

}  // namespace rtaudio
