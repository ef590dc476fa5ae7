#include "live/mixer.h"

#include <algorithm>
#include <stdexcept>

namespace rtaudio {
namespace {
constexpr double kFadeSeconds = 0.005;
}

Mixer::Mixer(int lanes, int delay, int max_frames, int sample_rate)
    : lanes_(lanes),
      delay_(delay),
      size_(delay + max_frames),
      step_(static_cast<float>(1.0 / (kFadeSeconds * sample_rate))) {
  if (lanes < 1 || delay < 0 || max_frames < 1 || sample_rate < 1) {
    throw std::invalid_argument("a mixer needs lanes, frames and a sample rate above zero");
  }
  const auto floats = [&](int frames) {
    return static_cast<std::size_t>(frames) * static_cast<std::size_t>(lanes);
  };
  line_.resize(floats(size_));
  last_.resize(floats(1));
  splice_.resize(floats(1));
}

void Mixer::push_dry(const float* dry, int frames) noexcept {
  const int first = std::min(frames, size_ - write_);
  std::copy_n(dry, first * lanes_, line_.data() + std::ptrdiff_t{write_} * lanes_);
  std::copy_n(dry + std::ptrdiff_t{first} * lanes_, (frames - first) * lanes_, line_.data());
}

void Mixer::mix(const float* dry, const float* wet, bool want_wet, float* out,
                int frames) noexcept {
  push_dry(dry, frames);
  int read = write_ - delay_;
  if (read < 0) read += size_;
  write_ = (write_ + frames) % size_;
  if (!started_) share_ = want_wet && wet != nullptr ? 1.0f : 0.0f;  // nothing to fade from
  started_ = true;
  if (wet == nullptr && share_ > 0.0f) {
    for (int c = 0; c < lanes_; ++c) {
      splice_[static_cast<std::size_t>(c)] =
          last_[static_cast<std::size_t>(c)] - line_[static_cast<std::size_t>(read * lanes_ + c)];
    }
    splice_gain_ = 1.0f;
    share_ = 0.0f;
  }
  const float target = wet != nullptr && want_wet ? 1.0f : 0.0f;
  for (int t = 0; t < frames; ++t) {
    const float* late = line_.data() + std::ptrdiff_t{read} * lanes_;
    if (++read == size_) read = 0;
    if (share_ < target) share_ = std::min(target, share_ + step_);
    if (share_ > target) share_ = std::max(target, share_ - step_);
    if (splice_gain_ > 0.0f) splice_gain_ = std::max(0.0f, splice_gain_ - step_);
    for (int c = 0; c < lanes_; ++c) {
      const std::ptrdiff_t i = std::ptrdiff_t{t} * lanes_ + c;
      float y = share_ == 1.0f ? wet[i] : late[c];
      if (share_ > 0.0f && share_ < 1.0f) y += share_ * (wet[i] - late[c]);
      if (splice_gain_ > 0.0f) y += splice_gain_ * splice_[static_cast<std::size_t>(c)];
      out[i] = y;
    }
  }
  std::copy_n(out + std::ptrdiff_t{frames - 1} * lanes_, lanes_, last_.data());
}

}  // namespace rtaudio
