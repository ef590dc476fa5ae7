// Carries sound from one device's clock to another's.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/platform.h"
#include "live/meters.h"

namespace rtaudio {

// A ring that the input device's thread fills and the output device's empties, through an
// interpolator whose step keeps the ring's fill where it should be: a PI loop on the fill, so slow
// that nobody hears it. Two crystals differ by up to some 100 ppm; the step by at most 500.
//
// The fill is that of the moment, not of the last block: between two blocks the input goes on. So
// it does not jump by a block whenever one clock overtakes the other.
class ClockBridge {
 public:
  static constexpr double kMaxDrift = 500e-6;

  // `block`: of both devices. `slack`: frames that a block may come late by. Throws
  // std::invalid_argument.
  ClockBridge(int channels, int block, int slack, int sample_rate);

  int channels() const { return channels_; }
  int block() const { return block_; }
  // Frames that the signal is late by, beyond what a single device with one clock takes.
  int delay() const { return target_ - block_; }

  // The input device's thread: [frame][channel]. What finds no room is dropped.
  void push(const float* in, int frames, std::int64_t now_ns) noexcept RTA_NONBLOCKING;

  // The output device's thread, at most `block` frames. False where the signal breaks: the ring ran
  // dry or over. Then it is faded, and goes on with the fill that it should have.
  bool pull(float* out, int frames, std::int64_t now_ns) noexcept RTA_NONBLOCKING;

  // Of the output device's thread: frames in the ring that are still to be read. It goes up and
  // down by a block.
  int fill() const noexcept {
    return static_cast<int>(pushed_.load(std::memory_order_acquire) - read_);
  }
  // What it is between two blocks, on the average, when the loop has settled.
  double wanted_fill() const { return target_ - 1.5 * block_; }

  // For any thread. The input's clock against the output's, as far as the loop has learnt it:
  double drift() const noexcept { return drift_.load(std::memory_order_relaxed); }
  // frames above the fill that there should be, smoothed over a second;
  double excess() const noexcept { return excess_.load(std::memory_order_relaxed); }
  // grows while both devices are at work.
  std::int64_t num_beats() const noexcept { return beats_.get(); }

 private:
  double captured(std::int64_t pushed, std::int64_t now_ns) const noexcept;
  bool serve(float* out, int frames, std::int64_t pushed, double captured) noexcept;
  void settle() noexcept;
  double watch(double excess, int frames) noexcept;
  void steer(double excess, int frames) noexcept;
  void start_at(double position) noexcept;
  void interpolate(float* out, int frames) noexcept;
  void splice(float* out, int frames, bool begin) noexcept;

  int channels_;
  int block_;
  double rate_;
  int target_;    // frames between what the input device takes in and what is read
  int capacity_;  // frames
  float fade_step_;
  std::vector<float> phases_;  // [phase][tap]
  std::vector<float> ring_;    // [frame][channel]
  std::vector<float> window_;  // [channel][frame]: what a block is made of
  int window_frames_;

  std::int64_t read_ = 0;  // the next output lies at read_ + fraction_
  double fraction_ = 0.0;
  double integral_ = 0.0;
  bool running_ = false;
  std::int64_t settling_ = 0;  // frames until the loop begins
  std::int64_t settle_frames_ = 0;
  double settle_sum_ = 0.0;
  std::int64_t seen_ = 0;
  std::vector<float> last_;    // the last frame given out
  std::vector<float> splice_;  // what is left of a step, at its beginning
  float splice_gain_ = 0.0f;

  std::atomic<double> drift_{0.0};
  std::atomic<double> excess_{0.0};
  Counter beats_;
  // A cache line each, so that the two threads do not slow each other down.
  alignas(64) std::atomic<std::int64_t> pushed_{0};
  std::atomic<std::int64_t> origin_ns_{0};  // when frame 0 was taken in, as the last block says
  alignas(64) std::atomic<std::int64_t> freed_{0};
};

}  // namespace rtaudio
