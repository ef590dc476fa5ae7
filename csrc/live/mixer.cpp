#include "live/mixer.h"

#include <algorithm>
#include <stdexcept>

namespace rtaudio {
namespace {
constexpr double kFadeSeconds = 0.005;
}

Mixer::Mixer(int lanes, int delay, int max_frames, int sample_rate, int most_delay)
    : lanes_(lanes),
      step_(static_cast<float>(1.0 / (kFadeSeconds * sample_rate))),
      line_(lanes, delay, max_frames, most_delay),
      last_(static_cast<std::size_t>(lanes)),
      splice_(static_cast<std::size_t>(lanes)) {
  if (sample_rate < 1) throw std::invalid_argument("a mixer needs a sample rate above zero");
}

void Mixer::mix(const float* dry, const float* wet, bool want_wet, float* out,
                int frames) noexcept {
  const float* late = line_.push(dry, frames);
  if (!started_) share_ = want_wet && wet != nullptr ? 1.0f : 0.0f;  // nothing to fade from
  started_ = true;
  if (jumps_ || (wet == nullptr && share_ > 0.0f)) {
    for (int c = 0; c < lanes_; ++c) {
      splice_[static_cast<std::size_t>(c)] = last_[static_cast<std::size_t>(c)] - late[c];
    }
    splice_gain_ = 1.0f;
    share_ = 0.0f;
    jumps_ = false;
  }
  const float target = wet != nullptr && want_wet ? 1.0f : 0.0f;
  for (int t = 0; t < frames; ++t) {
    if (share_ < target) share_ = std::min(target, share_ + step_);
    if (share_ > target) share_ = std::max(target, share_ - step_);
    if (splice_gain_ > 0.0f) splice_gain_ = std::max(0.0f, splice_gain_ - step_);
    for (int c = 0; c < lanes_; ++c) {
      const std::ptrdiff_t i = std::ptrdiff_t{t} * lanes_ + c;
      float y = share_ == 1.0f ? wet[i] : late[i];
      if (share_ > 0.0f && share_ < 1.0f) y += share_ * (wet[i] - late[i]);
      if (splice_gain_ > 0.0f) y += splice_gain_ * splice_[static_cast<std::size_t>(c)];
      out[i] = y;
    }
  }
  std::copy_n(out + std::ptrdiff_t{frames - 1} * lanes_, lanes_, last_.data());
}

}  // namespace rtaudio
