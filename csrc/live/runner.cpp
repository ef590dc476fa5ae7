#include "live/runner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "live/clock.h"

namespace rtaudio {
namespace {

// The value that a share of all lies below.
double quantile(std::vector<std::int64_t>& values, double share) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return static_cast<double>(values[static_cast<std::size_t>(share * last)]);
}

bool all_finite(const float* x, int n) noexcept {
  // NaN and infinity times zero are NaN, and stay so in a sum.
  float sum = 0.0f;
  for (int i = 0; i < n; ++i) sum += x[i] * 0.0f;
  return sum == 0.0f;
}

}  // namespace

Runner::Runner(std::unique_ptr<Processor> processor, int lanes, int sample_rate)
    : processor_(std::move(processor)), lanes_(lanes), sample_rate_(sample_rate) {
  if (processor_->num_controls() > kMaxControls) {
    throw std::invalid_argument("live use serves " + std::to_string(kMaxControls) +
                                " controls, and this model has " +
                                std::to_string(processor_->num_controls()));
  }
  for (auto& control : controls_) control.store(std::numeric_limits<float>::quiet_NaN());
}

double Runner::measure_worst(int block, int blocks) {
  const auto floats = static_cast<std::size_t>(block) * static_cast<std::size_t>(lanes_);
  std::vector<float> in(floats), out(floats);
  std::mt19937 generator(1);
  std::normal_distribution<float> noise(0.0f, 0.1f);
  std::vector<std::int64_t> computed, passed;
  constexpr int kFirst = 8;  // caches and pages
  for (int i = 0; i < blocks + kFirst; ++i) {
    for (float& x : in) x = noise(generator);
    const std::int64_t start = now_ns(), cpu_start = thread_cpu_ns();
    processor_->process(in.data(), out.data(), block);
    if (i < kFirst) continue;
    computed.push_back(thread_cpu_ns() - cpu_start);
    passed.push_back(now_ns() - start);
  }
  processor_->reset();
  if (computed.empty()) return 0.0;
  // On a busy machine the longest block is somebody else's doing, so its own work counts; but a
  // processor that waits takes time without any.
  return 1e-9 * std::max(quantile(computed, 0.99), quantile(passed, 0.5));
}

void Runner::obey() noexcept {
  if (controls_changed_.exchange(false, std::memory_order_acquire)) {
    for (int i = 0; i < num_controls(); ++i) {
      const float value = controls_[static_cast<std::size_t>(i)].load(std::memory_order_relaxed);
      if (!std::isnan(value)) processor_->set_control(i, value);
    }
  }
  if (reset_requested_.exchange(false, std::memory_order_acquire)) restart();
}

void Runner::restart() noexcept {
  processor_->reset();
  resets_.add();
  unheard_ = processor_->delay();
}

bool Runner::run(std::int64_t position, const float* in, float* out, int frames) noexcept {
  obey();
  if (position != next_position_) {
    gaps_.add();
    unheard_ = processor_->delay();
  }
  next_position_ = position + frames;
  const std::int64_t start = now_ns();
  processor_->process(in, out, frames);
  load_.add(1e-9 * static_cast<double>(now_ns() - start) * sample_rate_ / frames);
  if (!all_finite(out, frames * lanes_)) {
    bad_blocks_.add();
    restart();
    return false;
  }
  const bool good = unheard_ <= 0;
  unheard_ = std::max<std::int64_t>(0, unheard_ - frames);
  return good;
}

}  // namespace rtaudio
