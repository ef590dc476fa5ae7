// Devices that ask for several blocks at once, in virtual time.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "live/burst_watch.h"
#include "live_rig.h"

namespace rtaudio {
namespace {

constexpr std::int64_t kPeriodNs = 1'000'000'000LL * kBlock / kRate;
constexpr int kSecond = kRate / kBlock;  // in blocks

// When block n is asked for: `burst` of them at once, as soon as all of their input is there.
std::int64_t time_of(std::int64_t n, int burst) { return (n / burst * burst + burst) * kPeriodNs; }

// The extra delay, in blocks, after so many seconds in which each output misses that is asked for
// too early.
int settled(BurstWatch& watch, std::int64_t& n, int burst, double seconds, int delay) {
  for (const auto end = n + static_cast<std::int64_t>(seconds * kSecond); n < end; ++n) {
    const int late_by = delay + watch.extra() / kBlock;
    watch.note(time_of(n, burst));
    // The worker does nothing while a burst lasts.
    if (n >= late_by && time_of(n, burst) == time_of(n - late_by, burst)) {
      EXPECT_TRUE(watch.excuses_miss() || watch.extra() == watch.most_extra());
    }
  }
  return watch.extra() / kBlock;
}

TEST(BurstWatch, LearnsTheLengthOfBurstsAndForgetsIt) {
  for (const int burst : {2, 3, 5}) {
    BurstWatch watch(kBlock, kRate, kBlock);
    std::int64_t n = 0;
    EXPECT_EQ(settled(watch, n, 1, 2.4, 1), 0);  // a multiple of each burst
    EXPECT_EQ(settled(watch, n, burst, 2.0, 1), burst - 1);
    EXPECT_EQ(settled(watch, n, burst, 30.0, 1), burst - 1);
    n = 0;  // evenly again: another stream
    EXPECT_EQ(settled(watch, n, 1, 2.0 * BurstWatch::kCalmSeconds + 1.0, 1), 0);
  }
}

TEST(BurstWatch, OneStallIsNoBurst) {
  BurstWatch watch(kBlock, kRate, kBlock);
  for (std::int64_t n = 0; n < 20 * kSecond; ++n) {
    // Once in two seconds the machine stands still, and three blocks come late and at once.
    const std::int64_t stall = n % (2 * kSecond);
    const std::int64_t late = stall >= 10 && stall < 13 ? 12 - stall : 0;
    watch.note((n + late) * kPeriodNs);
    if (stall == 11 || stall == 12) {
      EXPECT_TRUE(watch.excuses_miss());
    }
    ASSERT_EQ(watch.extra(), 0);
  }
}

TEST(BurstWatch, AModelThatIsTooSlowIsNotExcused) {
  BurstWatch watch(kBlock, kRate, 2 * kBlock);
  for (std::int64_t n = 0; n < 20 * kSecond; ++n) {
    watch.note(n * kPeriodNs);
    ASSERT_FALSE(watch.excuses_miss());
  }
  EXPECT_EQ(watch.extra(), 0);
}

TEST(BurstWatch, TheDelayIsBounded) {
  BurstWatch watch(kBlock, kRate, kBlock);
  std::int64_t n = 0;
  settled(watch, n, 2 * kSecond, 60.0, 1);
  EXPECT_LE(watch.extra(), BurstWatch::kMostSeconds * kRate);
  EXPECT_EQ(watch.extra(), watch.most_extra());
}

// An engine whose worker does nothing while a burst lasts, and everything between two.
struct Bursting : Rig {
  Bursting(int burst, int fallback_delay)
      : Rig(config_with(Placement::worker), 16, fallback_delay), burst(burst) {}

  std::vector<float> next() {
    if (n % burst == 0) {
      faults->stuck = false;
      wait();
      faults->stuck = true;
    }
    std::vector<float> in(kBlock), out(kBlock);
    for (float& x : in) x = input(frame++);
    engine->process_at(time_of(n++, burst), in.data(), out.data(), kBlock, 0);
    return out;
  }
  ~Bursting() { faults->stuck = false; }

  int burst;
  std::int64_t n = 0;
};

class WithFallback : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Bursts, WithFallback, testing::Values(0, 24));

TEST_P(WithFallback, AWorkerKeepsUpWithBursts) {
  Bursting rig(3, GetParam());
  const int before = rig.engine->delay();
  float last = 0.0f, largest = 0.0f;
  for (int i = 0; i < 6 * kSecond; ++i) {
    const std::vector<float> out = rig.next();
    for (const float y : out) {
      largest = std::max(largest, std::fabs(y - last));
      last = y;
    }
    if (i > 30) {
      ASSERT_EQ(rig.heard(out), Rig::Heard::wet) << i;
    }
  }
  EXPECT_LT(largest, 0.12f);  // steps are faded away
  EXPECT_EQ(rig.engine->delay(), before + 2 * kBlock);
  EXPECT_EQ(rig.engine->counts().overloads.get(), 0);
  EXPECT_EQ(rig.engine->counts().delay_changes.get(), 1);
  EXPECT_EQ(rig.engine->counts().early_calls.get(), rig.engine->counts().missed_blocks.get());
}

TEST(Engine, TheDelayComesBackWhenBurstsHaveGone) {
  Bursting rig(2, 0);
  const int before = rig.engine->delay();
  for (int i = 0; i < 2 * kSecond; ++i) rig.next();
  EXPECT_EQ(rig.engine->delay(), before + kBlock);
  rig.burst = 1;
  for (int i = 0; i < (2 * BurstWatch::kCalmSeconds + 1) * kSecond; ++i) {
    const std::vector<float> out = rig.next();
    ASSERT_NE(rig.heard(out), Rig::Heard::dry) << i;
  }
  EXPECT_EQ(rig.engine->delay(), before);
  ASSERT_EQ(rig.heard(rig.next()), Rig::Heard::wet);
  EXPECT_EQ(rig.engine->counts().overloads.get(), 0);
}

}  // namespace
}  // namespace rtaudio
