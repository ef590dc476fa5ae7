// A thread that runs the model beside the audio callback.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "live/priority.h"
#include "live/runner.h"
#include "live/slot_ring.h"

namespace rtaudio {

class Worker {
 public:
  Worker(Runner& runner, int lanes, int block, int num_slots);
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  void stop();
  // Blocks given whose output is not there yet for take().
  int num_waiting() const { return in_.size(); }
  Priority priority() const { return priority_.load(std::memory_order_relaxed); }

  // The callback's. False where the worker is too far behind to take it.
  bool give(const BlockTag& tag, const float* data) noexcept RTA_NONBLOCKING;
  enum class Taken { good, unheard, missing };
  // Frames [position, position + frames) to `out`; what is older is forgotten. Missing where they
  // are not there yet, unheard where they may not be heard.
  Taken take(std::int64_t position, int frames, float* out) noexcept RTA_NONBLOCKING;
  // What was given so far is not wanted any more.
  void forget() noexcept RTA_NONBLOCKING {
    generation_.store(generation_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_relaxed); }

 private:
  void loop() noexcept;
  bool step() noexcept RTA_NONBLOCKING;

  Runner& runner_;
  int lanes_;
  SlotRing in_;
  SlotRing out_;
  std::vector<float> result_;
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint32_t> wakes_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<Priority> priority_{Priority::unknown};
  std::thread thread_;
};

}  // namespace rtaudio
