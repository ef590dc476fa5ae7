#include "live/fallback.h"

#include <algorithm>

#include "live/clock.h"

namespace rtaudio {
namespace {
constexpr double kFadeSeconds = 0.005;
}

Fallback::Fallback(std::unique_ptr<Runner> runner, int lanes, int delay, int block, int sample_rate,
                   int most_delay)
    : runner_(std::move(runner)),
      lanes_(lanes),
      block_ns_(1e9 * block / sample_rate),
      step_(static_cast<float>(1.0 / (kFadeSeconds * sample_rate))),
      line_(lanes, delay - runner_->delay(), block, most_delay),
      breaker_(sample_rate),
      out_(static_cast<std::size_t>(lanes) * static_cast<std::size_t>(block)) {}

const float* Fallback::run(std::int64_t position, const float* late, int frames) noexcept {
  if (!needed_ || breaker_.resting(position)) return nullptr;
  const std::int64_t start = now_ns();
  const bool good = runner_->run(position, late, out_.data(), frames);
  if (static_cast<double>(now_ns() - start) > block_ns_) {
    late_blocks_.add();
    breaker_.miss(position);
  }
  return good ? out_.data() : nullptr;
}

const float* Fallback::join(std::int64_t position, const float* dry, const float* wet, bool rests,
                            int frames) noexcept {
  const float* late = line_.push(dry, frames);
  needed_ = needed_ || rests;
  const float* own = run(position, late, frames);
  if (own == nullptr || wet == nullptr) {
    const float share = wet != nullptr ? 1.0f : 0.0f;
    // From one model to the other at once: a block of neither, and the mixer hides the steps.
    const bool step = sounds_ && share != share_;
    share_ = share;
    needed_ = needed_ && wet == nullptr;
    const float* only = wet != nullptr ? wet : own;
    sounds_ = only != nullptr && !step;
    return sounds_ ? only : nullptr;
  }
  for (int t = 0; t < frames; ++t) {
    share_ = std::min(1.0f, share_ + step_);
    for (int i = t * lanes_; i < (t + 1) * lanes_; ++i) {
      float& y = out_[static_cast<std::size_t>(i)];
      y = share_ == 1.0f ? wet[i] : y + share_ * (wet[i] - y);
    }
  }
  needed_ = share_ < 1.0f;
  sounds_ = true;
  return out_.data();
}

}  // namespace rtaudio
