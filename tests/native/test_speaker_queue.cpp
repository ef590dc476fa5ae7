// The queue in front of a speaker: a writer and PortAudio's thread. What it plays is tested from
// Python (tests/unit/test_speaker.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "allocation_counter.h"
#include "live/speaker_queue.h"

namespace rtaudio {
namespace {

TEST(SpeakerQueue, PlaysEverySampleInOrderBetweenTwoThreads) {
  constexpr int kCount = 4000, kFade = 6;
  SpeakerQueue queue({1000, 1, 16, 97});
  std::thread writer([&] {
    std::vector<float> x(kCount);
    for (int i = 0; i < kCount; ++i)
      x[static_cast<std::size_t>(i)] = static_cast<float>(i) / kCount;
    for (int at = 0; at < kCount;) {
      const int taken = queue.write(x.data() + at, std::min(23, kCount - at));
      at += taken;
      if (taken == 0) std::this_thread::yield();
    }
    queue.finish();
  });
  std::int64_t last = -1, seen = 0;
  float block[10];
  while (queue.played() < kCount) {
    queue.process(block, 10, false);
    for (const float y : block) {
      // Faded samples, at breaks, are none of those written.
      const auto i = static_cast<std::int64_t>(y * kCount + 0.5f);
      if (y <= 0.0f || static_cast<float>(i) / kCount != y || i <= last) continue;
      last = i;
      ++seen;
    }
    std::this_thread::yield();
  }
  writer.join();
  EXPECT_EQ(queue.queued(), 0);
  EXPECT_EQ(last, kCount - 1);
  EXPECT_GE(seen, kCount - 1 - (queue.underflows() + 1) * 2 * kFade);
}

TEST(SpeakerQueue, CancelFromTheWriterWhileItPlays) {
  SpeakerQueue queue({1000, 2, 4, 64});
  std::atomic<bool> done = false;
  std::thread writer([&] {
    const std::vector<float> x(20, 0.5f);
    for (int i = 0; !done; ++i) {
      queue.write(x.data(), 20);
      if (i % 3 == 0) queue.cancel();
      if (i % 7 == 0) queue.finish();
    }
  });
  float block[2 * 8];
  for (int call = 0; call < 2000; ++call) {
    queue.process(block, 8, true);
    for (const float y : block) EXPECT_LE(std::abs(y), 1.0f);
  }
  done = true;
  writer.join();
  queue.cancel();
  for (int i = 0; i < 10; ++i) queue.process(block, 8, false);
  EXPECT_EQ(queue.queued(), 0);
  EXPECT_EQ(queue.late_calls(), 2000);
}

TEST(SpeakerQueue, BlocksNobody) {
  if (!can_count_blocking_calls()) GTEST_SKIP() << "a sanitizer has the allocator";
  SpeakerQueue queue({1000, 1, 4, 64});
  const std::vector<float> x(32, 0.25f);
  float block[16];
  const std::int64_t before = num_blocking_calls();
  queue.write(x.data(), 32);
  queue.process(block, 16, false);
  queue.cancel();
  queue.process(block, 16, false);
  queue.finish();
  EXPECT_EQ(num_blocking_calls(), before);
}

}  // namespace
}  // namespace rtaudio
