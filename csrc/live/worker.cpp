#include "live/worker.h"

#include <algorithm>

namespace rtaudio {

Worker::Worker(Runner& runner, int lanes, int block, int num_slots)
    : runner_(runner),
      lanes_(lanes),
      in_(num_slots, lanes * block),
      // Room for all that can be under way, so that the worker never finds it full.
      out_(2 * num_slots + 2, lanes * block),
      result_(static_cast<std::size_t>(lanes) * static_cast<std::size_t>(block)) {}

void Worker::start() {
  stopping_.store(false);
  if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
}

void Worker::stop() {
  stopping_.store(true);
  wakes_.fetch_add(1);
  wakes_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::loop() noexcept {
  name_thread("rtaudio-worker");
  priority_.store(raise_priority(kWorkerPriority), std::memory_order_relaxed);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::uint32_t seen = wakes_.load(std::memory_order_acquire);
    while (step()) {
    }
    wakes_.wait(seen, std::memory_order_acquire);  // the only place where this thread blocks
  }
}

bool Worker::step() noexcept {
  const BlockTag* tag = in_.front();
  if (tag == nullptr) return false;
  if (tag->generation == generation_.load(std::memory_order_relaxed)) {
    BlockTag done = *tag;
    done.good = runner_.run(tag->position, in_.front_data(), result_.data(), tag->frames);
    out_.push(done, result_.data(), done.frames * lanes_);
  }
  in_.pop();
  return !stopping_.load(std::memory_order_relaxed);
}

bool Worker::give(const BlockTag& tag, const float* data) noexcept {
  const bool taken = in_.push(tag, data, tag.frames * lanes_);
  wakes_.fetch_add(1, std::memory_order_release);
  RTA_WAKE(wakes_.notify_one());
  return taken;
}

Worker::Taken Worker::take(std::int64_t position, int frames, float* out) noexcept {
  const std::int64_t end = position + frames;
  std::int64_t at = position;
  bool good = true;
  while (at < end) {
    const BlockTag* tag = out_.front();
    if (tag == nullptr || tag->position > at) return Taken::missing;
    const std::int64_t tag_end = tag->position + tag->frames;
    if (tag_end > at) {
      const std::int64_t count = std::min(end, tag_end) - at;
      std::copy_n(out_.front_data() + (at - tag->position) * lanes_, count * lanes_,
                  out + (at - position) * lanes_);
      good = good && tag->good;
      at += count;
    }
    if (tag_end > end) break;
    out_.pop();
  }
  return good ? Taken::good : Taken::unheard;
}

}  // namespace rtaudio
