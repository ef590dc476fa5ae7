// Speech that comes in bursts, played without a break: a queue of samples in front of a speaker.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/platform.h"
#include "live/meters.h"

namespace rtaudio {

struct SpeakerQueueConfig {
  int sample_rate = 22050;
  int channels = 1;   // of the device; all of them play the same
  int prebuffer = 0;  // samples that must wait before the sound begins
  int capacity = 0;   // samples that can wait
};

// One thread writes, PortAudio's plays. What begins is faded in over 5 ms, what is broken off is
// faded out.
class SpeakerQueue {
 public:
  // Throws std::invalid_argument for numbers that do not go together.
  explicit SpeakerQueue(const SpeakerQueueConfig& config);

  const SpeakerQueueConfig& config() const { return config_; }

  // The writer's: takes as many samples as there is room for, and says how many.
  int write(const float* x, int count) noexcept RTA_NONBLOCKING;
  // The writer's: what has been written is all there is for now. It is played even if it is
  // shorter than the pre-buffer, and its end is no underflow.
  void finish() noexcept RTA_NONBLOCKING;
  // The writer's: nothing of what has been written is wanted any more.
  void cancel() noexcept RTA_NONBLOCKING;

  // [frame][channel].
  void process(float* out, std::int64_t frames, bool late) noexcept RTA_NONBLOCKING;

  // Samples waiting.
  std::int64_t queued() const noexcept;
  std::int64_t played() const noexcept { return played_.get(); }
  // Times that samples were missing in the middle of speech.
  std::int64_t underflows() const noexcept { return underflows_.get(); }
  // Calls that the device says came too late.
  std::int64_t late_calls() const noexcept { return late_calls_.get(); }
  std::int64_t num_frames() const noexcept { return frames_.get(); }

 private:
  float next() noexcept;

  SpeakerQueueConfig config_;
  float step_;
  std::vector<float> ring_;
  alignas(64) std::atomic<std::int64_t> written_{0};
  std::atomic<std::int64_t> end_{-1};       // a pause, not an underflow, begins here
  std::atomic<std::int64_t> unwanted_{-1};  // samples before it are dropped
  alignas(64) std::atomic<std::int64_t> read_{0};
  // PortAudio's thread alone:
  bool playing_ = false;
  float gain_ = 0.0f;
  float last_ = 0.0f;    // the last sample given out
  float splice_ = 0.0f;  // what a break left, fading
  float splice_step_ = 0.0f;
  Counter played_, underflows_, late_calls_, frames_;
};

}  // namespace rtaudio
