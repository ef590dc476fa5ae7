// Joins the processed signal and the untouched one, equally late, without a click.
#pragma once

#include <vector>

#include "core/platform.h"
#include "live/delay_line.h"

namespace rtaudio {

class Mixer {
 public:
  // The processed signal comes `delay` frames after the dry one; `most_delay` is what set_delay()
  // may ask for. Throws std::invalid_argument.
  Mixer(int lanes, int delay, int max_frames, int sample_rate, int most_delay = 0);

  // [frame][lane] each. `wet` is null where there is no processed signal: the dry one stands in,
  // and the step between the two is faded away over 5 ms. `want_wet`: which of the two to go to.
  // Where only the processed signal is heard, `out` is `wet`, bit for bit.
  void mix(const float* dry, const float* wet, bool want_wet, float* out,
           int frames) noexcept RTA_NONBLOCKING;

  // The share of the processed signal in the last frame.
  float share() const { return share_; }
  int delay() const { return line_.delay(); }
  // From the next block on; what does not join there is faded away.
  void set_delay(int delay) noexcept {
    line_.set_delay(delay);
    jumps_ = true;
  }

 private:
  int lanes_;
  float step_;
  DelayLine line_;
  float share_ = 0.0f;
  bool started_ = false;
  bool jumps_ = false;
  std::vector<float> last_;    // the last frame given out
  std::vector<float> splice_;  // what is left of a step, at its beginning
  float splice_gain_ = 0.0f;
};

}  // namespace rtaudio
