#include "live/engine.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "cpu/denormals.h"
#include "live/clock.h"

namespace rtaudio {
namespace {

constexpr float kLargest = 1e15f;  // as in Stream: squares stay finite
constexpr double kGainSeconds = 0.005;
constexpr double kInlineShare = 0.5;  // of a period: the most that a block in the callback may take
constexpr double kWarmUpSeconds = 0.3;
constexpr int kWorkerSeconds = 1;  // of sound that may wait for the worker

const EngineConfig& checked(const EngineConfig& c) {
  const auto fail = [](const std::string& what, int value, const std::string& way_out) {
    throw std::invalid_argument(what + " is " + std::to_string(value) + "; " + way_out);
  };
  if (c.sample_rate < 1000 || c.sample_rate > 768000) {
    fail("the sample rate", c.sample_rate, "live sound runs at 1000 to 768000 Hz");
  }
  if (c.block < 1 || c.block > c.sample_rate) {
    fail("the block size", c.block, "give 1 frame to one second of them");
  }
  if (c.input_channels < 1 || c.input_channels > 64) {
    fail("the number of input channels", c.input_channels, "give 1 to 64");
  }
  if (c.output_channels < 1 || c.output_channels > 64) {
    fail("the number of output channels", c.output_channels, "give 1 to 64");
  }
  if (c.lanes != 1 && c.lanes != c.input_channels) {
    fail("the number of lanes", c.lanes, "give 1, or as many as there are input channels");
  }
  if (c.hop < 0 || c.hop > c.sample_rate) fail("the hop", c.hop, "give at most one second");
  if (c.record_seconds < 0 || c.record_seconds > 60) {
    fail("the recorder's queue", c.record_seconds, "give 0 to 60 seconds");
  }
  return c;
}

std::unique_ptr<Runner> make_runner(const EngineConfig& c, std::unique_ptr<Processor> processor) {
  if (processor == nullptr) return nullptr;
  return std::make_unique<Runner>(std::move(processor), c.lanes, c.sample_rate);
}

double measure(const EngineConfig& c, Runner* runner) {
  if (runner == nullptr || c.placement != Placement::measured) return 0.0;
  // Whole hops, and enough blocks for a percentile.
  const int blocks = static_cast<int>(kWarmUpSeconds * c.sample_rate / c.block) + 16;
  return runner->measure_worst(c.block, blocks);
}

int delay_of_worker(const EngineConfig& c, const Runner* runner, double worst) {
  if (runner == nullptr || c.placement == Placement::in_callback) return 0;
  const double period = static_cast<double>(c.block) / c.sample_rate;
  if (c.placement == Placement::measured && worst <= kInlineShare * period) return 0;
  // One hop, in whole blocks.
  return (std::max(c.hop, c.block) + c.block - 1) / c.block * c.block;
}

int longest_delay(const Runner* runner, int worker_delay, const Processor* fallback) {
  if (runner == nullptr) {
    if (fallback != nullptr) throw std::invalid_argument("a wire needs no fallback; leave it out");
    return 0;
  }
  return std::max(runner->delay() + worker_delay, fallback != nullptr ? fallback->delay() : 0);
}

}  // namespace

Engine::Engine(const EngineConfig& config, std::unique_ptr<Processor> processor,
               std::unique_ptr<Processor> fallback)
    : config_(checked(config)),
      runner_(make_runner(config, std::move(processor))),
      warm_up_worst_(measure(config, runner_.get())),
      least_worker_delay_(delay_of_worker(config, runner_.get(), warm_up_worst_)),
      worker_delay_(least_worker_delay_),
      bursts_(config.block, config.sample_rate, least_worker_delay_),
      delay_(longest_delay(runner_.get(), least_worker_delay_, fallback.get())),
      mixer_(config.lanes, delay_, config.block, config.sample_rate, delay_ + most_extra_delay()),
      line_(config.lanes, runner_ ? mixer_.delay() - runner_->delay() - least_worker_delay_ : 0,
            config.block),
      breaker_(config.sample_rate) {
  if (fallback != nullptr) {
    auto runner = make_runner(config, std::move(fallback));
    runner->measure_worst(config.block, 1);  // its pages are there when it is needed
    fallback_ =
        std::make_unique<Fallback>(std::move(runner), config.lanes, mixer_.delay(), config.block,
                                   config.sample_rate, delay_ + most_extra_delay());
  }
  const auto floats =
      static_cast<std::size_t>(config.block) * static_cast<std::size_t>(config.lanes);
  for (auto* buffer : {&dry_, &wet_, &mixed_}) buffer->resize(floats);
  both_.resize(2 * floats);
  if (least_worker_delay_ > 0) {
    const int slots = kWorkerSeconds * config.sample_rate / config.block + 4;
    worker_ = std::make_unique<Worker>(*runner_, config.lanes, config.block, slots);
    worker_->start();
  }
  if (config.record_seconds > 0) {
    recording_ =
        std::make_unique<SlotRing>(config.record_seconds * config.sample_rate / config.block + 1,
                                   static_cast<int>(2 * floats));
  }
}

Engine::~Engine() = default;

void Engine::note_flags(unsigned long flags) noexcept {
  if (flags & 1u) counts_.input_underflows.add();
  if (flags & 2u) counts_.input_overflows.add();
  if (flags & 4u) counts_.output_underflows.add();
  if (flags & 8u) counts_.output_overflows.add();
}

void Engine::process(const float* in, float* out, std::int64_t frames,
                     unsigned long flags) noexcept {
  process_at(now_ns(), in, out, frames, flags);
}

void Engine::process_at(std::int64_t now, const float* in, float* out, std::int64_t frames,
                        unsigned long flags) noexcept {
  const FlushDenormals guard;
  const std::int64_t start = now_ns();
  if (last_call_ns_ == 0) {
    // Once: every later call makes no system call but the worker's wake-up.
    RTA_WAKE(
        callback_priority_.store(raise_priority(kCallbackPriority), std::memory_order_relaxed));
  }
  const double block_ns = 1e9 * config_.block / config_.sample_rate;
  if (last_call_ns_ != 0 && static_cast<double>(now - last_call_ns_) > 2.0 * block_ns) {
    counts_.late_calls.add();
  }
  last_call_ns_ = now;
  note_flags(flags);
  const std::int64_t whole = frames / config_.block * config_.block;
  for (std::int64_t t = 0; t < whole; t += config_.block) {
    process_block(in + t * config_.input_channels, out + t * config_.output_channels,
                  config_.block);
  }
  if (whole < frames) {
    // PortAudio promises blocks of the size asked for; whoever breaks that gets silence.
    counts_.odd_calls.add();
    std::fill(out + whole * config_.output_channels, out + frames * config_.output_channels, 0.0f);
  }
  counts_.frames.add(frames);
  counts_.blocks.add();
  const auto busy = static_cast<double>(now_ns() - start);
  load_.add(busy / block_ns);
  // In the callback, a block that takes longer than it lasts is a miss.
  if (runner_ && !worker_ && busy > block_ns && !breaker_.resting(position_)) {
    counts_.missed_blocks.add();
    if (breaker_.miss(position_)) counts_.overloads.add();
  }
}

void Engine::read_input(const float* in, int frames) noexcept {
  const int channels = config_.input_channels, lanes = config_.lanes;
  const float share = 1.0f / static_cast<float>(channels);
  float peak = 0.0f;
  double squares = 0.0;
  std::int64_t bad = 0;
  for (int t = 0; t < frames; ++t) {
    const float* frame = in + std::ptrdiff_t{t} * channels;
    float* to = dry_.data() + std::ptrdiff_t{t} * lanes;
    float sum = 0.0f;
    for (int c = 0; c < channels; ++c) {
      const bool good = std::fabs(frame[c]) <= kLargest;  // false for NaN
      bad += !good;
      const float x = good ? frame[c] : 0.0f;
      sum += x;
      if (lanes > 1) to[c] = x;
    }
    if (lanes == 1) to[0] = channels == 1 ? sum : sum * share;
    for (int c = 0; c < lanes; ++c) {
      peak = std::max(peak, std::fabs(to[c]));
      squares += double{to[c]} * double{to[c]};
    }
  }
  if (bad > 0) counts_.bad_input_samples.add(bad);
  input_level_.add(peak, squares / lanes);
}

const float* Engine::processed(int frames) noexcept {
  const float* in = line_.push(dry_.data(), frames);
  const bool rests = breaker_.resting(position_);
  const float* wet = nullptr;
  if (rests) {
    given_from_ = -1;
  } else {
    if (given_from_ < 0) given_from_ = position_;
    if (worker_) {
      wet = of_worker(in, frames);
    } else if (runner_->run(position_, in, wet_.data(), frames)) {
      wet = wet_.data();
    }
  }
  if (!fallback_) return wet;
  const float* heard = fallback_->join(position_, dry_.data(), wet, rests, frames);
  if (fallback_->heard()) counts_.fallback_frames.add(frames);
  return heard;
}

const float* Engine::of_worker(const float* in, int frames) noexcept {
  worker_->give({position_, frames, worker_->generation(), true}, in);
  follow_bursts();
  const std::int64_t wanted = position_ - worker_delay();
  if (wanted < 0) {  // the worker's head start: the signal has not begun
    std::fill(wet_.begin(), wet_.end(), 0.0f);
    return wet_.data();
  }
  if (wanted < given_from_) return nullptr;  // the same after a rest
  switch (worker_->take(wanted, frames, wet_.data())) {
    case Worker::Taken::good:
      return wet_.data();
    case Worker::Taken::unheard:
      return nullptr;
    case Worker::Taken::missing:
      break;
  }
  counts_.missed_blocks.add();
  if (bursts_.excuses_miss()) {
    counts_.early_calls.add();
    follow_bursts();
  } else if (breaker_.miss(position_)) {
    counts_.overloads.add();
    worker_->forget();
  }
  return nullptr;
}

void Engine::follow_bursts() noexcept {
  const int before = worker_delay(), after = least_worker_delay_ + bursts_.extra();
  if (before == after) return;
  // What was heard already is not there any more.
  given_from_ = std::max(given_from_, position_ - before);
  mixer_.set_delay(mixer_.delay() + after - before);
  if (fallback_) fallback_->set_delay(mixer_.delay());
  worker_delay_.store(after, std::memory_order_relaxed);
  delay_.store(mixer_.delay(), std::memory_order_relaxed);
  counts_.delay_changes.add();
}

void Engine::process_block(const float* in, float* out, int frames) noexcept {
  read_input(in, frames);
  if (worker_) bursts_.note(last_call_ns_);
  const float* wet = nullptr;
  const bool want_wet = runner_ && !bypass_.load(std::memory_order_relaxed);
  if (runner_) {
    wet = processed(frames);
    if (wet == nullptr && want_wet) counts_.concealed_frames.add(frames);
    overloaded_.store(breaker_.resting(position_), std::memory_order_relaxed);
  }
  mixer_.mix(dry_.data(), wet, want_wet, mixed_.data(), frames);
  wet_share_.store(mixer_.share(), std::memory_order_relaxed);
  write_output(out, frames);
  if (recording_) record(frames);
  position_ += frames;
}

void Engine::write_output(float* out, int frames) noexcept {
  const int channels = config_.output_channels, lanes = config_.lanes;
  const float target = mute_.load(std::memory_order_relaxed) ? 0.0f : 1.0f;
  const auto step = static_cast<float>(1.0 / (kGainSeconds * config_.sample_rate));
  float peak = 0.0f;
  double squares = 0.0;
  std::int64_t clipped = 0;
  for (int t = 0; t < frames; ++t) {
    float* frame = mixed_.data() + std::ptrdiff_t{t} * lanes;
    gain_ = gain_ < target ? std::min(target, gain_ + step) : std::max(target, gain_ - step);
    for (int c = 0; c < lanes; ++c) {
      float y = gain_ == 1.0f ? frame[c] : gain_ * frame[c];
      if (!(std::fabs(y) <= 1.0f)) {
        ++clipped;
        y = y > 0.0f ? 1.0f : -1.0f;
      }
      frame[c] = y;
      peak = std::max(peak, std::fabs(y));
      squares += double{y} * double{y};
    }
    // One lane goes to every channel; of several, each to its own, and the first to what is left.
    float* to = out + std::ptrdiff_t{t} * channels;
    for (int c = 0; c < channels; ++c) to[c] = frame[c < lanes ? c : 0];
  }
  if (clipped > 0) counts_.clipped_samples.add(clipped);
  output_level_.add(peak, squares / lanes);
}

void Engine::record(int frames) noexcept {
  const int lanes = config_.lanes;
  for (int t = 0; t < frames; ++t) {
    float* to = both_.data() + std::ptrdiff_t{t} * 2 * lanes;
    std::copy_n(dry_.data() + std::ptrdiff_t{t} * lanes, lanes, to);
    std::copy_n(mixed_.data() + std::ptrdiff_t{t} * lanes, lanes, to + lanes);
  }
  if (!recording_->push({position_, frames}, both_.data(), frames * 2 * lanes)) {
    counts_.unrecorded_blocks.add();
  }
}

}  // namespace rtaudio
