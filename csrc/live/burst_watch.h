// Sees to it that a worker has its time though a device asks for several blocks at once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/platform.h"

namespace rtaudio {

// Where a sound server's buffer is larger than a block, several calls come at once, and for the
// last of them the worker has had no time. That is no fault of the model: its delay has to be
// longer by the length of the bursts, for as long as there are any. Times in ns.
class BurstWatch {
 public:
  static constexpr int kMisses = 4;        // within a second: one stall of the machine is no burst
  static constexpr int kCalmSeconds = 10;  // without such long bursts, until the delay shrinks
  static constexpr double kMostSeconds = 0.25;

  // `delay`: the worker's, whole blocks of frames, where calls come evenly.
  BurstWatch(int block, int sample_rate, int delay);

  // The next block is asked for.
  void note(std::int64_t now_ns) noexcept RTA_NONBLOCKING;
  // Of an output that is missing in the block just noted: was it asked for too early? Where that
  // happens again and again, extra() grows.
  bool excuses_miss() noexcept RTA_NONBLOCKING;
  // Frames that the worker's delay has to be longer by, whole blocks.
  int extra() const noexcept { return extra_ * block_; }
  int most_extra() const noexcept { return most_ * block_; }

 private:
  int needed(double spread_ns) const noexcept;
  void end_second() noexcept;

  int block_;
  int delay_;  // here and below: in blocks
  int most_;
  int blocks_a_second_;
  double period_ns_;
  int extra_ = 0;
  std::int64_t count_ = 0;
  std::int64_t began_ns_ = 0;
  std::vector<std::int64_t> times_;  // of the last blocks
  // How late calls were, against an even clock, this second; and what the last one needed.
  double earliest_ = 0.0, latest_ = 0.0;
  int last_needed_ = 0;
  int calm_seconds_ = 0;
  int most_needed_ = 0;  // in those
  int num_misses_ = 0;
  std::int64_t first_miss_ = 0;
};

}  // namespace rtaudio
