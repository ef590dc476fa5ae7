// A model that cannot keep up: what is heard instead, and the way back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <thread>
#include <vector>

#include "live_rig.h"

namespace rtaudio {
namespace {

using Heard = Rig::Heard;
constexpr int kPerSecond = kRate / kBlock;

// Blocks from second 1 to second 3 are the trouble; what was heard of each of five seconds' blocks.
// No step is larger than a fade of 5 ms makes it.
template <typename Trouble>
std::vector<Heard> overload(Rig& rig, float largest_step, Trouble&& trouble) {
  std::vector<Heard> heard;
  float last = 0.0f;
  for (int i = 0; i < 5 * kPerSecond; ++i) {
    if (i == kPerSecond) {
      rig.wait();
      trouble(true);
    }
    if (i == 3 * kPerSecond) trouble(false);
    const bool troubled = i >= kPerSecond && i < 3 * kPerSecond;
    const std::vector<float> out = rig.block(!troubled);
    for (const float y : out) {
      EXPECT_LT(std::fabs(y - last), largest_step) << i;
      last = y;
    }
    heard.push_back(rig.heard(out));
  }
  for (int i = 0; i < kPerSecond; ++i) EXPECT_EQ(heard[static_cast<std::size_t>(i)], Heard::wet);
  return heard;
}

int count(const std::vector<Heard>& heard, Heard what, int from, int to) {
  return static_cast<int>(std::count(heard.begin() + from, heard.begin() + to, what));
}

// The model is heard again within a second, as late as ever, and stays.
void expect_recovery(const Rig& rig, const std::vector<Heard>& heard) {
  EXPECT_GE(rig.engine->counts().overloads.get(), 1);
  const auto first =
      std::find(heard.begin() + 3 * kPerSecond, heard.begin() + 4 * kPerSecond, Heard::wet);
  EXPECT_NE(first, heard.begin() + 4 * kPerSecond);
}

// A model that is stuck for two seconds: the dry signal in its place.
TEST(Overload, IsConcealedAndPasses) {
  Rig rig(config_with(Placement::worker));
  const auto heard = overload(rig, 0.06f, [&](bool on) { rig.faults->stuck = on; });
  EXPECT_EQ(count(heard, Heard::dry, kPerSecond + 6, 3 * kPerSecond), 2 * kPerSecond - 6);
  expect_recovery(rig, heard);
  EXPECT_EQ(rig.engine->counts().fallback_frames.get(), 0);
}

// With a fallback, whether its delay is shorter than the model's or longer: first the dry signal,
// then the fallback, then the model, all equally late.
class Cheaper : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Delays, Cheaper, testing::Values(10, 24, 40));

TEST_P(Cheaper, StandsInForAWorker) {
  Rig rig(config_with(Placement::worker), 16, GetParam());
  EXPECT_EQ(rig.engine->delay(), std::max(16 + kBlock, GetParam()));
  const auto heard = overload(rig, 0.09f, [&](bool on) { rig.faults->stuck = on; });
  const int begin = kPerSecond + 16;
  EXPECT_EQ(count(heard, Heard::cheaper, begin, 3 * kPerSecond), 3 * kPerSecond - begin);
  EXPECT_GT(count(heard, Heard::dry, kPerSecond, begin), 0);
  EXPECT_EQ(count(heard, Heard::cheaper, 4 * kPerSecond, 5 * kPerSecond), 0);
  expect_recovery(rig, heard);
}

TEST_P(Cheaper, StandsInForTheCallback) {
  Rig rig(config_with(Placement::in_callback), 16, GetParam());
  const auto heard = overload(rig, 0.09f, [&](bool on) { rig.faults->slow = on; });
  // The model is tried again now and then, so it is heard too, late as its blocks are.
  EXPECT_GT(count(heard, Heard::cheaper, kPerSecond, 3 * kPerSecond), kPerSecond);
  expect_recovery(rig, heard);
}

TEST(Overload, OfBothModelsIsABypass) {
  Rig rig(config_with(Placement::worker), 16, 10);
  const auto heard = overload(rig, 0.09f, [&](bool on) {
    rig.faults->stuck = on;
    rig.cheaper->slow = on;
  });
  EXPECT_GT(count(heard, Heard::dry, kPerSecond, 3 * kPerSecond), kPerSecond);
  EXPECT_GE(rig.engine->fallback()->num_late_blocks(), Breaker::kMisses);
  expect_recovery(rig, heard);
}

TEST(Overload, ASingleMissIsNoReasonForTheFallback) {
  Rig rig(config_with(Placement::worker), 16, 10);
  for (int i = 0; i < 100; ++i) {
    if (i == 50) {
      rig.wait();
      rig.faults->stuck = true;
    }
    if (i == 52) rig.faults->stuck = false;
    rig.block(i < 50 || i >= 52);
  }
  EXPECT_GT(rig.engine->counts().concealed_frames.get(), 0);
  EXPECT_EQ(rig.engine->counts().fallback_frames.get(), 0);
  EXPECT_EQ(rig.heard(rig.block()), Heard::wet);
}

TEST(Overload, AWireHasNoFallback) {
  auto faults = std::make_shared<FaultyProcessor::Faults>();
  EXPECT_THROW(Engine(config_with(Placement::measured), nullptr,
                      std::make_unique<FaultyProcessor>(1, 8, faults)),
               std::invalid_argument);
}

}  // namespace
}  // namespace rtaudio
