#include "live/speaker_queue.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace rtaudio {
namespace {
constexpr double kFadeSeconds = 0.005;
constexpr int kMostSamples = 1 << 28;
}  // namespace

SpeakerQueue::SpeakerQueue(const SpeakerQueueConfig& config)
    : config_(config), step_(static_cast<float>(1.0 / (kFadeSeconds * config.sample_rate))) {
  if (config.sample_rate < 1 || config.channels < 1 || config.prebuffer < 0 ||
      config.capacity <= config.prebuffer || config.capacity > kMostSamples) {
    throw std::invalid_argument(
        "a speaker's queue needs a sample rate, channels, and room for more than its pre-buffer");
  }
  ring_.resize(static_cast<std::size_t>(config.capacity));
}

std::int64_t SpeakerQueue::queued() const noexcept {
  const std::int64_t read = read_.load(std::memory_order_acquire);
  return written_.load(std::memory_order_acquire) - read;
}

int SpeakerQueue::write(const float* x, int count) noexcept {
  const std::int64_t written = written_.load(std::memory_order_relaxed);
  const std::int64_t room = config_.capacity - (written - read_.load(std::memory_order_acquire));
  const int taken = static_cast<int>(std::min<std::int64_t>(count, room));
  for (int i = 0; i < taken; ++i) {
    const bool good = std::fabs(x[i]) <= 1.0f;  // false for NaN
    const float inside = x[i] > 0.0f ? 1.0f : x[i] < 0.0f ? -1.0f : 0.0f;
    ring_[static_cast<std::size_t>((written + i) % config_.capacity)] = good ? x[i] : inside;
  }
  written_.store(written + taken, std::memory_order_release);
  return taken;
}

void SpeakerQueue::finish() noexcept {
  end_.store(written_.load(std::memory_order_relaxed), std::memory_order_release);
}

void SpeakerQueue::cancel() noexcept {
  unwanted_.store(written_.load(std::memory_order_relaxed), std::memory_order_release);
}

float SpeakerQueue::next() noexcept {
  const std::int64_t read = read_.load(std::memory_order_relaxed);
  const std::int64_t unwanted = unwanted_.load(std::memory_order_acquire);
  const std::int64_t end = end_.load(std::memory_order_acquire);
  const std::int64_t waiting = written_.load(std::memory_order_acquire) - read;
  const bool dropping = read < unwanted;
  if (dropping && (!playing_ || gain_ == 0.0f)) {
    read_.store(unwanted, std::memory_order_release);
    playing_ = false;
    gain_ = 0.0f;
    return 0.0f;
  }
  if (!playing_ && waiting > 0 && (waiting >= config_.prebuffer || read < end)) playing_ = true;
  if (!playing_) return 0.0f;
  if (waiting == 0) {
    playing_ = false;
    gain_ = 0.0f;
    if (read != end) underflows_.add();
    splice_ = last_;
    splice_step_ = std::fabs(last_) * step_;
    return 0.0f;
  }
  gain_ = dropping ? std::max(0.0f, gain_ - step_) : std::min(1.0f, gain_ + step_);
  const float x = ring_[static_cast<std::size_t>(read % config_.capacity)];
  read_.store(read + 1, std::memory_order_release);
  played_.add();
  return gain_ == 1.0f ? x : gain_ * x;
}

void SpeakerQueue::process(float* out, std::int64_t frames, bool late) noexcept {
  if (late) late_calls_.add();
  for (std::int64_t t = 0; t < frames; ++t) {
    float y = next();
    if (splice_ != 0.0f) {
      splice_ = splice_ > 0.0f ? std::max(0.0f, splice_ - splice_step_)
                               : std::min(0.0f, splice_ + splice_step_);
      y += splice_;
    }
    last_ = y;
    for (int c = 0; c < config_.channels; ++c) out[t * config_.channels + c] = y;
  }
  frames_.add(frames);
}

}  // namespace rtaudio
