// The parts of the audio path, each alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "live/breaker.h"
#include "live/model_processor.h"
#include "live/slot_ring.h"
#include "programs.h"

namespace rtaudio {
namespace {

TEST(SlotRing, KeepsOrderAndContentsBetweenTwoThreads) {
  constexpr int kCount = 5000, kFloats = 5;
  SlotRing ring(37, kFloats);
  std::thread producer([&] {
    for (int i = 0; i < kCount;) {
      float data[kFloats];
      for (int j = 0; j < kFloats; ++j) data[j] = static_cast<float>(i + j);
      if (ring.push({i, kFloats}, data, kFloats)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (int i = 0; i < kCount;) {
    const BlockTag* tag = ring.front();
    if (tag == nullptr) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(tag->position, i);
    for (int j = 0; j < kFloats; ++j) {
      ASSERT_EQ(ring.front_data()[j], static_cast<float>(i + j));
    }
    ring.pop();
    ++i;
  }
  producer.join();
  EXPECT_EQ(ring.front(), nullptr);
}

// Every order of pushes and pops of a ring of two, ten steps deep.
TEST(SlotRing, IsAQueueWhateverTheOrder) {
  for (int order = 0; order < 1024; ++order) {
    SlotRing ring(2, 1);
    int pushed = 0, popped = 0;
    for (int step = 0; step < 10; ++step) {
      if ((order >> step) & 1) {
        const auto x = static_cast<float>(pushed);
        const bool room = pushed - popped < 2;
        ASSERT_EQ(ring.push({pushed, 1}, &x, 1), room);
        pushed += room;
      } else if (ring.front() != nullptr) {
        ASSERT_EQ(ring.front()->position, popped);
        ASSERT_EQ(ring.front_data()[0], static_cast<float>(popped));
        ring.pop();
        ++popped;
      } else {
        ASSERT_EQ(pushed, popped);
      }
      ASSERT_EQ(ring.size(), pushed - popped);
    }
  }
}

TEST(Breaker, RestsAQuarterOfTheTrouble) {
  Breaker breaker(1000);
  std::int64_t now = 5000;
  for (int i = 0; i < Breaker::kMisses - 1; ++i) EXPECT_FALSE(breaker.miss(now++));
  EXPECT_TRUE(breaker.miss(now));
  EXPECT_TRUE(breaker.resting(now + 99));
  EXPECT_FALSE(breaker.resting(now + 100));
  // Trouble without end: no rest is longer than a quarter of it, or than 8 s.
  for (now += 100; now < 100'000; ++now) {
    if (breaker.resting(now) || !breaker.miss(now)) continue;
    const std::int64_t tripped = now;
    while (breaker.resting(now)) ++now;
    EXPECT_LE(now - tripped, std::max<std::int64_t>(100, (tripped - 5000) / 4 + 1));
    EXPECT_LE(now - tripped, 8000);
  }
  // Rare misses never trip it.
  Breaker calm(1000);
  for (now = 0; now < 100'000; now += 400) EXPECT_FALSE(calm.miss(now));
}

TEST(ModelProcessor, RefusesModelsThatCannotRunLive) {
  const auto model = std::make_shared<const Model>(upsampling_program());
  EXPECT_THROW(ModelProcessor(model, 2, 8, {1000, 1000}, 5.0, {0.0f}), std::invalid_argument);
  const auto wide = std::make_shared<const Model>(ProgramBuilder({5, 2, 0}).take());
  EXPECT_THROW(ModelProcessor(wide, 2, 8, {1000, 1000}, 5.0, {}), std::invalid_argument);
}

}  // namespace
}  // namespace rtaudio
