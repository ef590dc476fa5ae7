// Blocks of audio handed from one thread to another one, in order, without a lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "core/platform.h"

namespace rtaudio {

// What travels with a block. `position` counts frames since the engine was made.
struct BlockTag {
  std::int64_t position = 0;
  int frames = 0;
  std::uint32_t generation = 0;  // blocks of an earlier generation are not wanted any more
  bool good = true;
};

// One producer, one consumer. Neither ever waits: push() says that it is full, front() that it is
// empty.
class SlotRing {
 public:
  SlotRing(int num_slots, int floats_per_slot)
      : num_slots_(num_slots), floats_per_slot_(floats_per_slot) {
    if (num_slots < 1 || floats_per_slot < 1) {
      throw std::invalid_argument("a ring needs at least one slot of at least one sample");
    }
    tags_.resize(static_cast<std::size_t>(num_slots));
    data_.resize(static_cast<std::size_t>(num_slots) * static_cast<std::size_t>(floats_per_slot));
  }

  int num_slots() const { return num_slots_; }
  // Exact for producer and consumer when the other one rests.
  int size() const noexcept {
    return static_cast<int>(pushed_.load(std::memory_order_acquire) -
                            popped_.load(std::memory_order_acquire));
  }

  // The producer's. False, and nothing happens, where there is no free slot.
  bool push(const BlockTag& tag, const float* data, int num_floats) noexcept RTA_NONBLOCKING {
    const std::int64_t pushed = pushed_.load(std::memory_order_relaxed);
    if (pushed - popped_.load(std::memory_order_acquire) >= num_slots_) return false;
    const std::size_t slot = slot_of(pushed);
    tags_[slot] = tag;
    std::copy_n(data, std::min(num_floats, floats_per_slot_), slot_data(slot));
    pushed_.store(pushed + 1, std::memory_order_release);
    return true;
  }

  // The consumer's: the oldest block, null where there is none. Valid until pop().
  const BlockTag* front() const noexcept RTA_NONBLOCKING {
    const std::int64_t popped = popped_.load(std::memory_order_relaxed);
    if (popped == pushed_.load(std::memory_order_acquire)) return nullptr;
    return &tags_[slot_of(popped)];
  }
  const float* front_data() const noexcept {
    return slot_data(slot_of(popped_.load(std::memory_order_relaxed)));
  }
  void pop() noexcept RTA_NONBLOCKING {
    popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  std::size_t slot_of(std::int64_t index) const noexcept {
    return static_cast<std::size_t>(index % num_slots_);
  }
  float* slot_data(std::size_t slot) noexcept {
    return data_.data() + slot * static_cast<std::size_t>(floats_per_slot_);
  }
  const float* slot_data(std::size_t slot) const noexcept {
    return data_.data() + slot * static_cast<std::size_t>(floats_per_slot_);
  }

  int num_slots_;
  int floats_per_slot_;
  std::vector<BlockTag> tags_;
  std::vector<float> data_;
  // A cache line each, so that the two threads do not slow each other down.
  alignas(64) std::atomic<std::int64_t> pushed_{0};
  alignas(64) std::atomic<std::int64_t> popped_{0};
};

}  // namespace rtaudio
