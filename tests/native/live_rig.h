// A device that the test is, and a processor that misbehaves on demand.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "live/clock.h"
#include "live/engine.h"
#include "programs.h"

namespace rtaudio {

inline constexpr int kRate = 1000;  // a second is short here
inline constexpr int kBlock = 8;

// Gives its input back, `delay` frames later, and misbehaves on demand.
class FaultyProcessor final : public Processor {
 public:
  struct Faults {
    float gain = 0.5f;
    std::atomic<bool> nan{false};
    std::atomic<bool> stuck{false};
    std::atomic<bool> slow{false};  // a block takes longer than it lasts
    std::atomic<int> num_resets{0};
  };

  FaultyProcessor(int lanes, int delay, std::shared_ptr<Faults> faults)
      : lanes_(lanes), delay_(delay), faults_(std::move(faults)) {
    line_.resize(static_cast<std::size_t>(lanes * delay));
  }
  int delay() const override { return delay_; }
  void process(const float* in, float* out, int frames) noexcept RTA_NONBLOCKING override {
    const std::int64_t until = now_ns() + 1'250'000'000LL * frames / kRate;
    while (faults_->stuck.load() || (faults_->slow.load() && now_ns() < until)) {
      // As root this thread has a priority with which it would take a core from all others.
      RTA_WAKE(std::this_thread::sleep_for(std::chrono::microseconds(20)));
    }
    for (int i = 0; i < frames * lanes_; ++i) {
      float& cell = line_[static_cast<std::size_t>(at_)];
      at_ = (at_ + 1) % static_cast<int>(line_.size());
      out[i] = faults_->nan.load() ? kNan : faults_->gain * cell;
      cell = in[i];
    }
  }
  void reset() noexcept RTA_NONBLOCKING override {
    ++faults_->num_resets;
    std::fill(line_.begin(), line_.end(), 0.0f);
  }

 private:
  int lanes_;
  int delay_;
  std::shared_ptr<Faults> faults_;
  std::vector<float> line_;
  int at_ = 0;
};

// An engine with a device that plays a sine, a processor that halves it and, if asked for, a
// fallback that takes a quarter of it.
struct Rig {
  explicit Rig(EngineConfig config, int delay = 16, int fallback_delay = 0) : config(config) {
    cheaper->gain = 0.25f;
    std::unique_ptr<Processor> fallback;
    if (fallback_delay > 0) {
      fallback = std::make_unique<FaultyProcessor>(config.lanes, fallback_delay, cheaper);
    }
    engine = std::make_unique<Engine>(
        config, std::make_unique<FaultyProcessor>(config.lanes, delay, faults),
        std::move(fallback));
  }

  float input(std::int64_t frame) const {
    return 0.5f * std::sin(0.01f * static_cast<float>(frame));
  }

  // The output of the next block, after everything given so far has been worked on.
  std::vector<float> block(bool patient = true) {
    std::vector<float> in(static_cast<std::size_t>(config.block));
    for (float& x : in) x = input(frame++);
    std::vector<float> out(in.size());
    if (patient) wait();
    // By a clock that goes with the sound, however fast the test is.
    engine->process_at(frame * 1'000'000'000 / kRate, in.data(), out.data(), config.block, 0);
    return out;
  }

  void wait() const {
    while (engine->worker() && engine->worker()->num_waiting() > 0) {
      std::this_thread::yield();
    }
  }

  // Is the block just given out the processed signal, the fallback's, the untouched one, or
  // another thing?
  enum class Heard { wet, cheaper, dry, mixed };
  Heard heard(const std::vector<float>& out) const {
    const auto is = [&](float gain) {
      for (int i = 0; i < config.block; ++i) {
        const std::int64_t t = frame - config.block + i - engine->delay();
        if (out[static_cast<std::size_t>(i)] != gain * (t < 0 ? 0.0f : input(t))) return false;
      }
      return true;
    };
    return is(faults->gain)    ? Heard::wet
           : is(cheaper->gain) ? Heard::cheaper
           : is(1.0f)          ? Heard::dry
                               : Heard::mixed;
  }

  EngineConfig config;
  std::shared_ptr<FaultyProcessor::Faults> faults = std::make_shared<FaultyProcessor::Faults>();
  std::shared_ptr<FaultyProcessor::Faults> cheaper = std::make_shared<FaultyProcessor::Faults>();
  std::unique_ptr<Engine> engine;
  std::int64_t frame = 0;
};

inline EngineConfig config_with(Placement placement) {
  EngineConfig config;
  config.sample_rate = kRate;
  config.block = kBlock;
  config.placement = placement;
  return config;
}

}  // namespace rtaudio
