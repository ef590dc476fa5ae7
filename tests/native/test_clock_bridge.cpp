// Two clocks in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "live/clock_bridge.h"
#include "live/two_clocks.h"
#include "programs.h"

namespace rtaudio {
namespace {

constexpr int kRate = 1000, kBlock = 8, kSlack = 8;  // an hour is short here

// Two devices; the input's clock is faster by `drift`. Callbacks come late by up to `jitter` of a
// block.
class Devices {
 public:
  Devices(double drift, double jitter)
      : input_period_(1e9 * kBlock / kRate / (1.0 + drift)), jitter_(jitter) {}

  float input(std::int64_t frame) const {
    return static_cast<float>(0.5 * std::sin(0.01 * static_cast<double>(frame)));
  }

  // One output block; what the input device has finished by then is pushed before.
  bool step(bool input_runs = true) {
    const double late = jitter_ * share_(random_);
    const auto now = static_cast<std::int64_t>((++blocks_ + late) * 1e9 * kBlock / kRate);
    for (double end;
         (end = (pushed_ + 1.0) * input_period_ + input_late_) <= static_cast<double>(now);
         ++pushed_) {
      float block[kBlock];
      for (float& x : block) x = input(frame_++);
      if (input_runs) bridge.push(block, kBlock, static_cast<std::int64_t>(end));
      input_late_ = jitter_ * share_(random_) * 1e9 * kBlock / kRate;
    }
    const bool whole = bridge.pull(out, kBlock, now);
    for (const float y : out) {
      largest_step = std::max(largest_step, std::fabs(y - last_));
      last_ = y;
    }
    return whole;
  }

  // Frames by which the ring's fill is off.
  double off() const { return bridge.fill() - bridge.wanted_fill(); }

  ClockBridge bridge{1, kBlock, kSlack, kRate};
  float out[kBlock] = {};
  float largest_step = 0.0f;

 private:
  double input_period_;
  double jitter_;
  double input_late_ = 0.0;
  std::int64_t blocks_ = 0, pushed_ = 0, frame_ = 0;
  float last_ = 0.0f;
  std::minstd_rand random_{1};
  std::uniform_real_distribution<double> share_{0.0, 1.0};
};

class Drifting : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Clocks, Drifting, testing::Values(-200e-6, 200e-6));

TEST_P(Drifting, TheFillStaysWithinABlockForAnHour) {
  Devices devices(GetParam(), 0.25);
  double most = 0.0;
  for (int i = 0; i < 3600 * kRate / kBlock; ++i) {
    ASSERT_TRUE(devices.step());
    if (i == 20) devices.largest_step = 0.0f;  // the beginning is faded in
    if (i > 20) most = std::max(most, std::fabs(devices.off()));
  }
  std::printf("%+.0f ppm for an hour: fill within %.2f blocks\n", 1e6 * GetParam(), most / kBlock);
  EXPECT_LE(most, kBlock);
  EXPECT_NEAR(devices.bridge.drift(), GetParam(), 20e-6);
  EXPECT_LT(devices.largest_step, 0.006f);  // the sine's own
}

TEST(ClockBridge, NeverBendsThePitchByMoreThanItMay) {
  Devices devices(2e-3, 0.0);  // no crystal is so bad
  int breaks = 0;
  for (int i = 0; i < 60 * kRate / kBlock; ++i) {
    breaks += !devices.step();
    ASSERT_LE(std::fabs(devices.bridge.drift()), ClockBridge::kMaxDrift);
    ASSERT_LE(devices.off(), 4.0 * (kBlock + kSlack));  // the delay is bounded all the same
  }
  EXPECT_GT(breaks, 0);
  EXPECT_LT(devices.largest_step, 0.06f);
}

TEST(ClockBridge, AnInputThatPausesIsFadedAndComesBackWithTheSameDelay) {
  Devices devices(100e-6, 0.0);
  int breaks = 0;
  for (int i = 0; i < 2000; ++i) {
    const bool runs = i < 1000 || i >= 1200;
    breaks += !devices.step(runs);
    if (i > 1000 + 20 && i < 1200) {
      for (const float y : devices.out) ASSERT_EQ(y, 0.0f);
    }
    if ((i > 20 && i < 1000) || i > 1210) {
      ASSERT_LE(std::fabs(devices.off()), kBlock) << i;
    }
  }
  EXPECT_EQ(breaks, 1);
  EXPECT_LT(devices.largest_step, 0.11f);
}

TEST(ClockBridge, AnOutputThatPausesDoesNotMakeTheSoundLate) {
  ClockBridge bridge(2, kBlock, kSlack, kRate);
  std::vector<float> x(2 * kBlock), y(2 * kBlock);
  std::int64_t now = 0;
  int breaks = 0;
  for (int i = 0; i < 4000; ++i) {
    now += 1'000'000'000LL * kBlock / kRate;
    bridge.push(x.data(), kBlock, now);
    if (i >= 1000 && i < 1400) continue;  // more than the ring holds
    breaks += !bridge.pull(y.data(), kBlock, now);
    if (i > 1403) {
      ASSERT_LE(std::fabs(bridge.fill() - bridge.wanted_fill()), kBlock) << i;
    }
  }
  EXPECT_GE(breaks, 1);
  EXPECT_LE(breaks, 2);
}

TEST(ClockBridge, ABurstAtTheBeginningIsLeftOut) {
  ClockBridge bridge(1, kBlock, kSlack, kRate);
  const std::vector<float> x(kBlock);
  std::vector<float> y(kBlock);
  constexpr std::int64_t kPeriod = 1'000'000'000LL * kBlock / kRate;
  std::int64_t pushed = 0;
  int breaks = 0;
  for (std::int64_t i = 1; i < 1000; ++i) {
    // Ten blocks too many, a while after the first.
    while (pushed < i + (i > 20 ? 10 : 0)) bridge.push(x.data(), kBlock, i * kPeriod), ++pushed;
    breaks += !bridge.pull(y.data(), kBlock, i * kPeriod);
    if (i * kBlock > 2.2 * kRate) {
      ASSERT_LE(std::fabs(bridge.fill() - bridge.wanted_fill()), kBlock) << i;
    }
  }
  EXPECT_EQ(breaks, 1);
}

TEST(ClockBridge, TwoThreadsAtOnce) {
  ClockBridge bridge(1, kBlock, kSlack, kRate);
  std::atomic<std::int64_t> now{0};
  std::atomic<bool> heard_enough{false};
  std::thread input([&] {
    float x[kBlock];
    std::fill_n(x, kBlock, 0.5f);
    for (int i = 1; !heard_enough.load(); ++i) {
      bridge.push(x, kBlock, i * 1'000'000'000LL * kBlock / kRate);
      now.store(i * 1'000'000'000LL * kBlock / kRate);
      std::this_thread::yield();
    }
  });
  float y[kBlock], loudest = 0.0f;
  while (bridge.num_beats() < 1000) {
    bridge.pull(y, kBlock, now.load());
    for (const float value : y) loudest = std::max(loudest, std::fabs(value));
    std::this_thread::yield();
  }
  heard_enough.store(true);
  input.join();
  EXPECT_LE(loudest, 0.5001f);
}

TEST(ClockBridge, RefusesImpossibleNumbers) {
  EXPECT_THROW(ClockBridge(0, 16, 16, 4000), std::invalid_argument);
  EXPECT_THROW(ClockBridge(1, 0, 16, 4000), std::invalid_argument);
  EXPECT_THROW(ClockBridge(1, 16, -1, 4000), std::invalid_argument);
  EXPECT_THROW(ClockBridge(1, 16, 16, 10), std::invalid_argument);
}

TEST(TwoClocks, CarriesTheInputToTheEnginesOutput) {
  EngineConfig config;
  config.sample_rate = 1000;  // in real time, of which a test has little
  config.block = 8;
  Engine engine(config, nullptr);
  TwoClocks clocks(engine, 8);
  std::vector<float> x(8, 0.5f), y(8);
  for (int i = 0; i < 200; ++i) {
    clocks.capture(x.data(), 8, i == 0 ? 2u : 0u);
    clocks.play(y.data(), 8, i == 0 ? 4u : 0u);
  }
  EXPECT_EQ(engine.counts().frames.get(), 200 * 8);
  EXPECT_EQ(engine.counts().input_overflows.get(), 1);
  EXPECT_EQ(engine.counts().output_underflows.get(), 1);
  EXPECT_EQ(clocks.bridge().num_beats(), 200);
  for (const float value : y) EXPECT_NEAR(value, 0.5f, 1e-3f);
}

}  // namespace
}  // namespace rtaudio
