// From one sample rate to another, a block at a time, with a delay that is small and constant.
#pragma once

#include <cstdint>
#include <vector>

#include "core/platform.h"

namespace rtaudio {

// A polyphase FIR filter of windowed_sinc's: between 48 and 16 kHz the passband ends at 7.2 kHz,
// and the delay is 1.44 ms.
class Resampler {
 public:
  // `more_delay`: fractions of an input sample to add. Throws std::invalid_argument for rates whose
  // ratio needs too large a table, with the way out.
  Resampler(int input_rate, int output_rate, int lanes, int max_frames, double more_delay = 0.0);

  // The least delay between two rates, in samples of the input.
  static double least_delay(int input_rate, int output_rate);
  int lanes() const { return lanes_; }
  int max_frames() const { return max_frames_; }
  // Samples of the input that the output lags behind.
  double delay() const { return delay_; }
  // The most frames that `frames` of input can give.
  int max_output(int frames) const;

  // [frame][lane]; at most max_frames at a time. Returns the frames written: those whose time the
  // input has reached.
  int push(const float* in, int frames, float* out) noexcept RTA_NONBLOCKING;
  void reset() noexcept RTA_NONBLOCKING;

 private:
  int lanes_;
  int max_frames_;
  std::int64_t in_step_;   // of a fraction of lowest terms: out = in * out_step / in_step
  std::int64_t out_step_;  // also the number of phases
  double delay_;
  int taps_;                   // a multiple of 8
  int stride_;                 // floats of a lane's line
  int past_;                   // samples of the past that the next output may need
  std::vector<float> phases_;  // [phase][tap], oldest sample first
  std::vector<float> lines_;   // [lane][past_ + max_frames]
  std::int64_t phase_ = 0;     // of the next output
  std::int64_t ahead_ = 0;     // input frames that it still waits for
};

}  // namespace rtaudio
