// What PortAudio calls for every block: microphone in, speaker out, and a model in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "live/breaker.h"
#include "live/burst_watch.h"
#include "live/delay_line.h"
#include "live/fallback.h"
#include "live/meters.h"
#include "live/mixer.h"
#include "live/processor.h"
#include "live/runner.h"
#include "live/slot_ring.h"
#include "live/worker.h"

namespace rtaudio {

enum class Placement : int { measured = 0, in_callback = 1, worker = 2 };

struct EngineConfig {
  int sample_rate = 48000;
  int block = 480;  // frames PortAudio calls with
  int input_channels = 1;
  int output_channels = 1;
  int lanes = 1;  // 1: the mean of the input's channels; or input_channels
  int hop = 0;    // frames of the device that the model computes at a time
  Placement placement = Placement::measured;
  int record_seconds = 0;  // depth of the recorder's queue; 0: no recording
};

class Engine {
 public:
  // Counters; all but `frames` should stay at zero.
  struct Counts {
    Counter frames, blocks, late_calls, input_overflows, input_underflows, output_underflows,
        output_overflows, missed_blocks, overloads, concealed_frames, fallback_frames,
        bad_input_samples, clipped_samples, odd_calls, unrecorded_blocks, clock_slips, early_calls,
        delay_changes;
  };

  // Without a processor the input goes straight to the output. `fallback`: the cheaper processor
  // for overloads. Throws std::invalid_argument for numbers that do not go together.
  Engine(const EngineConfig& config, std::unique_ptr<Processor> processor,
         std::unique_ptr<Processor> fallback = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // [frame][channel]; `flags` are PortAudio's.
  void process(const float* in, float* out, std::int64_t frames,
               unsigned long flags) noexcept RTA_NONBLOCKING;
  // The same at a time that the caller tells; those of all calls are of one clock.
  void process_at(std::int64_t now_ns, const float* in, float* out, std::int64_t frames,
                  unsigned long flags) noexcept RTA_NONBLOCKING;

  const EngineConfig& config() const { return config_; }
  bool has_processor() const { return runner_ != nullptr; }
  const Worker* worker() const { return worker_.get(); }
  // Seconds of the longest block at warm-up; 0 where it was not measured.
  double warm_up_worst() const { return warm_up_worst_; }
  // Frames from input to output: the processor's delay and the worker's, or the fallback's where
  // that is longer. Constant, but for a device that asks for several blocks at once: see
  // BurstWatch.
  int delay() const { return delay_.load(std::memory_order_relaxed); }
  int worker_delay() const { return worker_delay_.load(std::memory_order_relaxed); }

  void set_bypass(bool on) noexcept { bypass_.store(on, std::memory_order_relaxed); }
  void set_mute(bool on) noexcept { mute_.store(on, std::memory_order_relaxed); }
  Runner* runner() { return runner_.get(); }
  const Runner* runner() const { return runner_.get(); }
  Fallback* fallback() { return fallback_.get(); }
  // Of the thread that calls process(): the signal between two clocks broke.
  void note_clock_slip() noexcept { counts_.clock_slips.add(); }

  const Counts& counts() const { return counts_; }
  LevelMeter& input_level() { return input_level_; }
  LevelMeter& output_level() { return output_level_; }
  const LoadHistogram& load() const { return load_; }
  bool overloaded() const { return overloaded_.load(std::memory_order_relaxed); }
  float wet_share() const { return wet_share_.load(std::memory_order_relaxed); }
  Priority callback_priority() const { return callback_priority_.load(std::memory_order_relaxed); }
  Priority worker_priority() const { return worker_ ? worker_->priority() : Priority::unknown; }
  // What was heard and what was said, [frame][input lanes, output lanes]; null without recording.
  SlotRing* recording() { return recording_.get(); }

 private:
  int most_extra_delay() const { return least_worker_delay_ > 0 ? bursts_.most_extra() : 0; }
  void process_block(const float* in, float* out, int frames) noexcept RTA_NONBLOCKING;
  void read_input(const float* in, int frames) noexcept;
  const float* processed(int frames) noexcept RTA_NONBLOCKING;
  const float* of_worker(const float* in, int frames) noexcept RTA_NONBLOCKING;
  void follow_bursts() noexcept RTA_NONBLOCKING;
  void write_output(float* out, int frames) noexcept;
  void record(int frames) noexcept RTA_NONBLOCKING;
  void note_flags(unsigned long flags) noexcept;

  EngineConfig config_;
  std::unique_ptr<Runner> runner_;
  double warm_up_worst_ = 0.0;
  int least_worker_delay_ = 0;
  std::atomic<int> worker_delay_;
  std::unique_ptr<Worker> worker_;
  BurstWatch bursts_;
  std::atomic<int> delay_;
  Mixer mixer_;
  DelayLine line_;  // the model's input, so that it is as late as the fallback
  std::unique_ptr<Fallback> fallback_;
  Breaker breaker_;
  std::vector<float> dry_, wet_, mixed_, both_;
  std::int64_t position_ = 0;
  std::int64_t given_from_ = 0;  // the model runs without a break since then; -1: it rests
  std::int64_t last_call_ns_ = 0;
  float gain_ = 1.0f;
  std::unique_ptr<SlotRing> recording_;

  std::atomic<bool> bypass_{false};
  std::atomic<bool> mute_{false};
  std::atomic<bool> overloaded_{false};
  std::atomic<float> wet_share_{0.0f};
  std::atomic<Priority> callback_priority_{Priority::unknown};
  Counts counts_;
  LevelMeter input_level_;
  LevelMeter output_level_;
  LoadHistogram load_;
};

}  // namespace rtaudio
