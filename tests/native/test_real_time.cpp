// What a real-time thread relies on: no allocation, no lock, no step into another layer's memory.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>

#include "allocation_counter.h"
#include "lone_layers.h"
#include "model/stream.h"
#include "sessions.h"

namespace rtaudio {
namespace {

TEST(BlockingCalls, AreCounted) {
  if (!can_count_blocking_calls()) GTEST_SKIP() << "a sanitizer owns malloc in this build";
  const std::int64_t start = num_blocking_calls();
  const std::vector<float> values(100);
  EXPECT_EQ(num_blocking_calls(), start + 1);
  {
    const AlignedFloats floats = make_aligned_floats(100);
  }
  EXPECT_EQ(num_blocking_calls(), start + 3);
  EXPECT_EQ(values.size(), 100u);
}

TEST(BlockingCalls, CountLocksOfEverySortAndWaits) {
  if (!can_count_blocking_calls()) GTEST_SKIP() << "a sanitizer owns malloc in this build";
  const auto calls_of = [](auto&& act) {
    const std::int64_t start = num_blocking_calls();
    act();
    return num_blocking_calls() - start;
  };
  const auto soon = std::chrono::milliseconds(1);
  std::mutex mutex;
  std::timed_mutex timed;
  std::shared_mutex shared;
  std::counting_semaphore<1> semaphore(0);
  EXPECT_EQ(calls_of([&] { const std::lock_guard lock(mutex); }), 1);
  EXPECT_EQ(calls_of([&] { const std::unique_lock lock(timed, soon); }), 1);
  EXPECT_EQ(calls_of([&] { const std::lock_guard lock(shared); }), 1);
  EXPECT_EQ(calls_of([&] { const std::shared_lock lock(shared); }), 1);
  EXPECT_EQ(calls_of([&] { std::this_thread::sleep_for(soon); }), 1);
  EXPECT_GE(calls_of([&] { EXPECT_FALSE(semaphore.try_acquire_for(soon)); }), 1);
  EXPECT_EQ(calls_of([&] { EXPECT_TRUE(mutex.try_lock()); }), 0);
  mutex.unlock();
}

TEST(Session, ProcessNeitherAllocatesNorLocks) {
  if (!can_count_blocking_calls()) GTEST_SKIP() << "a sanitizer owns malloc in this build";
  for (const auto& [name, program] : all_programs()) {
    for (const auto& model : in_every_precision(program)) {
      Session session = make_session(model, 2);
      const std::vector<float> x = signal(*model, 2 * kTicks);
      std::vector<float> y(static_cast<std::size_t>(2 * kTicks * output_floats(*model)));
      const std::int64_t start = num_blocking_calls();
      for (const int ticks : {1, kTicks, 0, 3}) {
        if (model->num_controls() > 0) session.set_control(0, 0.7f);
        session.process(x.data(), kTicks * input_floats(*model), y.data(),
                        kTicks * output_floats(*model), ticks);
        session.hold(1, true);
      }
      session.reset(0);
      EXPECT_EQ(num_blocking_calls(), start) << name;
    }
  }
}

TEST(Stream, PushAndProcessNeitherAllocateNorLock) {
  if (!can_count_blocking_calls()) GTEST_SKIP() << "a sanitizer owns malloc in this build";
  for (const auto& [name, program] : all_programs()) {
    const auto model = make_model(program);
    Stream stream(model, 2, kTicks, kRampFrames, controls_of(*model), 0);
    const std::vector<float> x =
        random_floats(static_cast<std::size_t>(500 * stream.input_width()));
    std::vector<float> y(
        static_cast<std::size_t>((stream.push_size(1000) + 1000) * stream.output_width()));
    const std::int64_t start = num_blocking_calls();
    for (const int frames : {0, 1, 7, 500}) stream.push(x.data(), frames, y.data());
    stream.reset();
    if (stream.can_process()) {
      for (const int frames : {0, 1, 7, 500}) stream.process(x.data(), y.data(), frames);
    }
    EXPECT_EQ(num_blocking_calls(), start) << name;
  }
}

TEST(Session, EveryLayerStaysInItsOwnMemory) {
  if (can_count_blocking_calls()) GTEST_SKIP() << "only a sanitizer sees it";
  for (const auto& [name, program] : all_programs()) {
    for (const auto& model : in_every_precision(program)) {
      for (const int ticks : {2, 3, 7}) {
        LoneLayers::run(*model, ticks,
                        [](std::size_t i) { return 0.01f * static_cast<float>(i % 97); });
      }
    }
  }
}

}  // namespace
}  // namespace rtaudio
