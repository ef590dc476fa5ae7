// A processor at work, and what its surroundings need to know of every block: may it be heard?
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "live/meters.h"
#include "live/processor.h"

namespace rtaudio {

constexpr int kMaxControls = 16;

class Runner {
 public:
  // Throws std::invalid_argument where the processor has more than kMaxControls.
  Runner(std::unique_ptr<Processor> processor, int lanes, int sample_rate);

  int delay() const { return processor_->delay(); }
  int num_controls() const { return processor_->num_controls(); }

  // Seconds that the longest of `blocks` blocks of noise takes, the first few and what other
  // programs take apart; resets afterwards.
  // Allocates: before the sound starts.
  double measure_worst(int block, int blocks);

  // `frames` of the signal from `position` on. False where `out` may not be heard: it would hold
  // NaN, or what lies before a gap or a reset is still in it.
  bool run(std::int64_t position, const float* in, float* out, int frames) noexcept RTA_NONBLOCKING;

  // Of any thread; heard from the next block on.
  void set_control(int index, float value) noexcept {
    controls_[static_cast<std::size_t>(index)].store(value, std::memory_order_relaxed);
    controls_changed_.store(true, std::memory_order_release);
  }
  void request_reset() noexcept { reset_requested_.store(true, std::memory_order_release); }

  std::int64_t num_bad_blocks() const { return bad_blocks_.get(); }
  std::int64_t num_gaps() const { return gaps_.get(); }
  std::int64_t num_resets() const { return resets_.get(); }
  const LoadHistogram& load() const { return load_; }

 private:
  void obey() noexcept RTA_NONBLOCKING;
  void restart() noexcept RTA_NONBLOCKING;

  std::unique_ptr<Processor> processor_;
  int lanes_;
  int sample_rate_;
  std::int64_t next_position_ = 0;
  std::int64_t unheard_ = 0;  // frames until the output is good again
  std::array<std::atomic<float>, kMaxControls> controls_{};
  std::atomic<bool> controls_changed_{false};
  std::atomic<bool> reset_requested_{false};
  Counter bad_blocks_;
  Counter gaps_;
  Counter resets_;
  LoadHistogram load_;
};

}  // namespace rtaudio
