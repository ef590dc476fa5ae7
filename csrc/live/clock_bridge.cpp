#include "live/clock_bridge.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "live/dot.h"
#include "live/windowed_sinc.h"

namespace rtaudio {
namespace {

constexpr int kPhases = 256;  // between two of them coefficients are interpolated: -96 dB
constexpr int kTaps = 48;     // kSincHalfWidth to each side, and whole vectors
constexpr int kPastTaps = 24;
static_assert(kTaps >= 2 * kSincHalfWidth && kPastTaps > kSincHalfWidth);

constexpr double kLoopHz = 0.02;           // natural frequency of the loop, critically damped
constexpr double kSmoothingSeconds = 1.0;  // of the fill: callbacks come late by milliseconds
constexpr double kMostSeconds = 0.25;      // of sound too much: what is older is left out at once
constexpr double kSettleSeconds = 2.0;
constexpr double kFarSeconds = 0.002;  // more than the loop should have to make up for
constexpr double kFadeSeconds = 0.005;

int checked(int value, int least, int most, const char* what) {
  if (value < least || value > most) throw std::invalid_argument(what);
  return value;
}

}  // namespace

ClockBridge::ClockBridge(int channels, int block, int slack, int sample_rate)
    : channels_(checked(channels, 1, 64, "a bridge between two clocks has 1 to 64 channels")),
      block_(checked(block, 1, sample_rate, "a bridge's blocks are 1 frame to 1 second long")),
      rate_(checked(sample_rate, 1000, 768000, "live sound runs at 1000 to 768000 Hz")),
      target_(2 * block + checked(slack, 0, sample_rate, "a bridge's slack is at most a second") +
              kTaps - kPastTaps),
      capacity_(target_ + 2 * static_cast<int>(kMostSeconds * rate_) + kTaps + block),
      fade_step_(static_cast<float>(1.0 / (kFadeSeconds * rate_))),
      window_frames_(block + static_cast<int>(2.0 * kMaxDrift * block) + kTaps + 2) {
  phases_.resize(static_cast<std::size_t>((kPhases + 1) * kTaps));
  for (int phase = 0; phase <= kPhases; ++phase) {
    double taps[kTaps], sum = 0.0;
    for (int i = 0; i < kTaps; ++i) {
      taps[i] = windowed_sinc(i - kPastTaps - static_cast<double>(phase) / kPhases);
      sum += taps[i];
    }
    float* to = phases_.data() + phase * kTaps;
    for (int i = 0; i < kTaps; ++i) to[i] = static_cast<float>(taps[i] / sum);
  }
  const auto floats = [&](int frames) {
    return static_cast<std::size_t>(frames) * static_cast<std::size_t>(channels);
  };
  ring_.resize(floats(capacity_));
  window_.resize(floats(window_frames_));
  last_.resize(floats(1));
  splice_.resize(floats(1));
}

void ClockBridge::push(const float* in, int frames, std::int64_t now_ns) noexcept {
  const std::int64_t pushed = pushed_.load(std::memory_order_relaxed);
  if (pushed + frames - freed_.load(std::memory_order_acquire) > capacity_) return;
  const int at = static_cast<int>(pushed % capacity_);
  const int first = std::min(frames, capacity_ - at);
  std::copy_n(in, first * channels_, ring_.data() + std::ptrdiff_t{at} * channels_);
  std::copy_n(in + std::ptrdiff_t{first} * channels_, (frames - first) * channels_, ring_.data());
  const std::int64_t end = pushed + frames;
  const auto rate = static_cast<std::int64_t>(rate_);
  const std::int64_t length_ns = end / rate * 1'000'000'000 + end % rate * 1'000'000'000 / rate;
  origin_ns_.store(now_ns - length_ns, std::memory_order_relaxed);
  pushed_.store(end, std::memory_order_release);
}

// Frames that the input device has taken in, those that it has not handed over yet among them.
double ClockBridge::captured(std::int64_t pushed, std::int64_t now_ns) const noexcept {
  const auto origin = origin_ns_.load(std::memory_order_relaxed);
  const double frames = 1e-9 * static_cast<double>(now_ns - origin) * rate_;
  const auto least = static_cast<double>(pushed);
  return std::clamp(frames, least, least + block_);
}

bool ClockBridge::pull(float* out, int frames, std::int64_t now_ns) noexcept {
  const std::int64_t pushed = pushed_.load(std::memory_order_acquire);
  if (pushed != seen_) beats_.add();
  seen_ = pushed;
  const bool whole = serve(out, frames, pushed, captured(pushed, now_ns));
  for (int c = 0; c < channels_; ++c) {
    last_[static_cast<std::size_t>(c)] = out[std::ptrdiff_t{frames - 1} * channels_ + c];
  }
  freed_.store(std::max<std::int64_t>(0, read_ - kPastTaps), std::memory_order_release);
  return whole;
}

bool ClockBridge::serve(float* out, int frames, std::int64_t pushed, double captured) noexcept {
  const bool was_running = running_;
  bool jumped = false;
  if (running_) {
    const double position = static_cast<double>(read_) + fraction_;
    const double surplus = watch(captured - position - target_, frames);
    jumped = surplus != 0.0;
    if (jumped) start_at(position + surplus);
  } else if (pushed >= target_ + kTaps && captured - static_cast<double>(read_) >= target_) {
    start_at(captured - target_);
    settle();
    running_ = true;
  }
  const double last = fraction_ + (frames - 1) * (1.0 + drift());
  if (running_ && read_ + static_cast<std::int64_t>(last) + kTaps - kPastTaps > pushed) {
    running_ = false;
    read_ = pushed + kPastTaps;  // what comes after a pause has nothing to do with what was before
  }
  if (running_) {
    interpolate(out, frames);
  } else {
    std::fill_n(out, frames * channels_, 0.0f);
  }
  splice(out, frames, jumped || running_ != was_running);
  return !(jumped || (was_running && !running_));
}

// The first seconds only show how the blocks come: a server may begin with a burst of them.
void ClockBridge::settle() noexcept {
  settling_ = static_cast<std::int64_t>(kSettleSeconds * rate_);
  settle_sum_ = 0.0;
  settle_frames_ = 0;
}

// Frames to leave out at once, or to go back by; without them the loop is at work.
double ClockBridge::watch(double excess, int frames) noexcept {
  if (excess > kMostSeconds * rate_) {  // the output paused
    settle();
    return excess;
  }
  if (settling_ <= 0) {
    steer(excess, frames);
    const double smooth = excess_.load(std::memory_order_relaxed);
    return smooth > target_ - block_ ? smooth : 0.0;
  }
  settling_ -= frames;
  settle_frames_ += frames;
  settle_sum_ += excess * frames;
  if (settling_ > 0) return 0.0;
  const double mean = settle_sum_ / static_cast<double>(settle_frames_);
  const bool is_far = std::fabs(mean) > kFarSeconds * rate_;
  return is_far ? std::max(mean, -kMostSeconds * rate_) : 0.0;
}

void ClockBridge::steer(double excess, int frames) noexcept {
  constexpr double kLoop = 2.0 * std::numbers::pi * kLoopHz;
  const double seconds = frames / rate_;
  const double before = excess_.load(std::memory_order_relaxed);
  const double smooth = before + (excess - before) * std::min(1.0, seconds / kSmoothingSeconds);
  integral_ += kLoop * kLoop * smooth * seconds / rate_;
  integral_ = std::clamp(integral_, -kMaxDrift, kMaxDrift);
  const double drift = std::clamp(integral_ + 2.0 * kLoop * smooth / rate_, -kMaxDrift, kMaxDrift);
  excess_.store(smooth, std::memory_order_relaxed);
  drift_.store(drift, std::memory_order_relaxed);
}

void ClockBridge::start_at(double position) noexcept {
  const double whole = std::floor(position);
  read_ = static_cast<std::int64_t>(whole);
  fraction_ = position - whole;
  excess_.store(0.0, std::memory_order_relaxed);
}

void ClockBridge::interpolate(float* out, int frames) noexcept {
  const double step = 1.0 + drift();
  const int reach = static_cast<int>(fraction_ + (frames - 1) * step) + kTaps;
  for (int i = 0; i < reach; ++i) {
    // Before the first frame there is silence.
    const std::int64_t from = read_ - kPastTaps + i;
    const float* frame = ring_.data() + (from < 0 ? 0 : from % capacity_) * channels_;
    for (int c = 0; c < channels_; ++c) {
      window_[static_cast<std::size_t>(c * window_frames_ + i)] = from < 0 ? 0.0f : frame[c];
    }
  }
  for (int t = 0; t < frames; ++t) {
    const double position = fraction_ + t * step;
    const int whole = static_cast<int>(position);
    const double phase = (position - whole) * kPhases;
    const int lower = std::min(static_cast<int>(phase), kPhases - 1);
    const auto share = static_cast<float>(phase - lower);
    const float* a = phases_.data() + std::ptrdiff_t{lower} * kTaps;
    const float* b = a + kTaps;
    float taps[kTaps];
    for (int i = 0; i < kTaps; ++i) taps[i] = a[i] + share * (b[i] - a[i]);
    for (int c = 0; c < channels_; ++c) {
      const float* x = window_.data() + std::ptrdiff_t{c} * window_frames_ + whole;
      out[std::ptrdiff_t{t} * channels_ + c] = dot(taps, x, kTaps);
    }
  }
  const double end = fraction_ + frames * step;
  const double whole = std::floor(end);
  read_ += static_cast<std::int64_t>(whole);
  fraction_ = end - whole;
}

// A step in the signal is faded away over 5 ms.
void ClockBridge::splice(float* out, int frames, bool begin) noexcept {
  if (begin) {
    for (int c = 0; c < channels_; ++c) {
      const auto i = static_cast<std::size_t>(c);
      splice_[i] = last_[i] - out[c];
    }
    splice_gain_ = 1.0f;
  }
  for (int t = 0; t < frames && splice_gain_ > 0.0f; ++t) {
    splice_gain_ = std::max(0.0f, splice_gain_ - fade_step_);
    for (int c = 0; c < channels_; ++c) {
      out[std::ptrdiff_t{t} * channels_ + c] += splice_gain_ * splice_[static_cast<std::size_t>(c)];
    }
  }
}

}  // namespace rtaudio
