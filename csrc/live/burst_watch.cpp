#include "live/burst_watch.h"

#include <algorithm>
#include <cmath>

namespace rtaudio {
namespace {
constexpr double kUneven = 0.25;      // of a block: calls are never quite even
constexpr double kEnoughTime = 0.75;  // of the delay: the worker had it, and missed all the same
}  // namespace

BurstWatch::BurstWatch(int block, int sample_rate, int delay)
    : block_(block),
      delay_(delay / block),
      most_(static_cast<int>(kMostSeconds * sample_rate / block)),
      blocks_a_second_(std::max(1, sample_rate / block)),
      period_ns_(1e9 * block / sample_rate),
      times_(static_cast<std::size_t>(delay_ + most_ + 1)) {}

int BurstWatch::needed(double spread_ns) const noexcept {
  const double blocks = std::ceil(spread_ns / period_ns_ - kUneven);
  return static_cast<int>(std::clamp(blocks, 0.0, static_cast<double>(most_)));
}

void BurstWatch::note(std::int64_t now_ns) noexcept {
  const std::size_t at = static_cast<std::size_t>(count_) % times_.size();
  const std::size_t last = (at + times_.size() - 1) % times_.size();
  if (count_ == 0 || static_cast<double>(now_ns - times_[last]) > 1e9 * kMostSeconds) {
    // The device begins, or begins again: no burst is so long.
    began_ns_ = now_ns - static_cast<std::int64_t>(static_cast<double>(count_) * period_ns_);
    earliest_ = latest_ = 0.0;
  }
  const double late =
      static_cast<double>(now_ns - began_ns_) - static_cast<double>(count_) * period_ns_;
  const bool first = count_ % blocks_a_second_ == 0;
  earliest_ = first ? late : std::min(earliest_, late);
  latest_ = first ? late : std::max(latest_, late);
  times_[at] = now_ns;
  ++count_;
  if (count_ % blocks_a_second_ == 0) end_second();
}

void BurstWatch::end_second() noexcept {
  last_needed_ = needed(latest_ - earliest_);
  most_needed_ = std::max(most_needed_, last_needed_);
  if (++calm_seconds_ < kCalmSeconds) return;
  extra_ = std::min(extra_, most_needed_);
  calm_seconds_ = most_needed_ = 0;
}

bool BurstWatch::excuses_miss() noexcept {
  const std::int64_t now = count_ - 1, given = now - delay_ - extra_;
  if (given < 0 || extra_ >= most_) return false;
  const auto time_of = [&](std::int64_t n) {
    return times_[static_cast<std::size_t>(n) % times_.size()];
  };
  const auto had = static_cast<double>(time_of(now) - time_of(given));
  if (had >= kEnoughTime * delay_ * period_ns_) return false;
  if (num_misses_ == 0 || now - first_miss_ > blocks_a_second_) {
    num_misses_ = 0;
    first_miss_ = now;
  }
  if (++num_misses_ < kMisses) return true;
  num_misses_ = 0;
  extra_ = std::min(most_, std::max({extra_ + 1, last_needed_, needed(latest_ - earliest_)}));
  calm_seconds_ = most_needed_ = 0;
  return true;
}

}  // namespace rtaudio
