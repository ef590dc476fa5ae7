// Lets a model that cannot keep up rest, and tries again.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rtaudio {

// Times are positions in frames. It trips at the kMisses-th miss within a second, and rests for a
// quarter of the time the trouble has lasted: so whatever the trouble's length, the way back takes
// no more than a quarter of it.
class Breaker {
 public:
  static constexpr int kMisses = 4;

  explicit Breaker(int sample_rate) : second_(sample_rate) {}

  bool resting(std::int64_t now) const noexcept { return now < rest_until_; }

  // True when this miss was one too many.
  bool miss(std::int64_t now) noexcept {
    if (num_misses_ == 0 || now - first_miss_ > second_) {
      num_misses_ = 0;
      first_miss_ = now;
    }
    if (++num_misses_ < kMisses) return false;
    num_misses_ = 0;
    // Two quiet seconds after a rest, the trouble is another one.
    if (now - rest_until_ > 2 * second_ || rest_until_ == 0) trouble_began_ = first_miss_;
    const std::int64_t rest = (now - trouble_began_) / 4;
    rest_until_ = now + std::clamp(rest, second_ / 10, 8 * second_);
    return true;
  }

 private:
  std::int64_t second_;
  std::int64_t first_miss_ = 0;
  std::int64_t trouble_began_ = 0;
  std::int64_t rest_until_ = 0;
  int num_misses_ = 0;
};

}  // namespace rtaudio
