#include "model/stream.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "model/samples.h"
#include "model/threads.h"

namespace rtaudio {
namespace {

constexpr std::int64_t kMaxFloats = 1 << 30;  // 4 GiB
// What a call brings each thread: enough that the ends of the call, where not all have work, are
// little of it.
constexpr int kPiecesAThread = 8;
constexpr std::int64_t kMaxFrames = std::int64_t{1} << 40;  // a saved stream's longest past

std::size_t checked_floats(std::int64_t frames, std::int64_t lanes, std::int64_t channels) {
  if (lanes * channels > kMaxFloats || frames > kMaxFloats / (lanes * channels)) {
    throw std::length_error(
        "this stream's buffers are larger than 4 GiB; use fewer lanes or ticks");
  }
  return static_cast<std::size_t>(frames * lanes * channels);
}

}  // namespace

Stream::Stream(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
               std::vector<float> controls, int process_frames, int threads)
    : session_(std::move(model), lanes, max_ticks, ramp_frames, std::move(controls), threads),
      in_tick_(session_.model().input().frames),
      out_tick_(session_.model().output().frames),
      call_ticks_(threads > 1 ? max_ticks * threads * kPiecesAThread : max_ticks),
      capacity_(in_tick_ * call_ticks_),
      extra_delay_(process_frames > 0 ? in_tick_ - std::gcd(process_frames, in_tick_)
                                      : in_tick_ - 1) {
  if (process_frames < 0) throw std::invalid_argument("process_frames may not be negative");
  const int in_channels = session_.model().input().channels;
  const int out_channels = session_.model().output().channels;
  in_.resize(checked_floats(capacity_, lanes, in_channels));
  out_.resize(checked_floats(std::int64_t{out_tick_} * call_ticks_, lanes, out_channels));
  // Never more is waiting than what is held back, one call's worth of ticks and one tick.
  if (can_process()) {
    const std::int64_t frames = std::int64_t{extra_delay_} + capacity_ + in_tick_;
    ready_.resize(checked_floats(frames, lanes, out_channels));
  }
}

void Stream::reset() noexcept {
  for (int lane = 0; lane < session_.lanes(); ++lane) session_.reset(lane);
  session_.settle_controls();
  pending_ = 0;
  frames_in_ = frames_out_ = num_bad_samples_ = 0;
  ended_ = processing_ = false;
  ready_begin_ = ready_count_ = 0;
}

void Stream::restart(std::vector<LaneSettings> settings) noexcept {
  for (int lane = 0; lane < session_.lanes(); ++lane) {
    session_.restart(lane, std::move(settings[static_cast<std::size_t>(lane)]));
  }
  reset();
}

bool Stream::can_save() const {
  for (int lane = 0; lane < session_.lanes(); ++lane) {
    if (!session_.can_save(lane)) return false;
  }
  return true;
}

std::int64_t Stream::push_size(std::int64_t num_frames) const {
  const std::int64_t computed = frames_out_ + (pending_ + num_frames) / in_tick_ * out_tick_;
  return std::max<std::int64_t>(0, computed - delay()) -
         std::max<std::int64_t>(0, frames_out_ - delay());
}

std::int64_t Stream::flush_size() const {
  if (ended_) return 0;
  const std::int64_t given = std::max<std::int64_t>(0, frames_out_ - delay());
  return std::max<std::int64_t>(0, session_.model().output_length(frames_in_) - given);
}

void Stream::take(const float* input, int num_frames) noexcept {
  const int lanes = session_.lanes();
  const int channels = session_.model().input().channels;
  for (int lane = 0; lane < lanes; ++lane) {
    float* to = in_.data() + (static_cast<std::ptrdiff_t>(lane) * capacity_ + pending_) * channels;
    for (int t = 0; t < num_frames; ++t) {
      for (int c = 0; c < channels; ++c) {
        to[t * channels + c] =
            let_in(input[(static_cast<std::ptrdiff_t>(t) * lanes + lane) * channels + c],
                   num_bad_samples_);
      }
    }
  }
  pending_ += num_frames;
}

int Stream::run(int num_ticks) noexcept {
  const int channels = session_.model().input().channels;
  const std::ptrdiff_t in_step = std::ptrdiff_t{capacity_} * channels;
  const std::ptrdiff_t out_step =
      std::ptrdiff_t{out_tick_} * call_ticks_ * session_.model().output().channels;
  if (session_.threads() > 1) {
    // It starts threads and waits for them: who asked for several is no real-time thread.
    RTA_WAKE(process_in_threads(session_, in_.data(), out_.data(), num_ticks));
  } else {
    session_.process(in_.data(), in_step, out_.data(), out_step, num_ticks);
  }
  const int used = num_ticks * in_tick_;
  for (int lane = 0; lane < session_.lanes(); ++lane) {
    float* first = in_.data() + lane * in_step;
    std::copy(first + std::ptrdiff_t{used} * channels, first + std::ptrdiff_t{pending_} * channels,
              first);
  }
  pending_ -= used;
  frames_out_ += num_ticks * out_tick_;
  return num_ticks * out_tick_;
}

void Stream::push(const float* input, std::int64_t num_frames, float* output) noexcept {
  const int lanes = session_.lanes();
  const int channels = session_.model().output().channels;
  const std::ptrdiff_t out_step = std::ptrdiff_t{out_tick_} * call_ticks_ * channels;
  frames_in_ += num_frames;
  while (num_frames > 0) {
    const int taken = static_cast<int>(std::min<std::int64_t>(num_frames, capacity_ - pending_));
    take(input, taken);
    input += std::ptrdiff_t{taken} * input_width();
    num_frames -= taken;
    if (pending_ < in_tick_) break;
    const std::int64_t before = frames_out_;
    const int computed = run(pending_ / in_tick_);
    const int skipped = static_cast<int>(std::clamp<std::int64_t>(delay() - before, 0, computed));
    for (int lane = 0; lane < lanes; ++lane) {
      const float* from = out_.data() + lane * out_step + std::ptrdiff_t{skipped} * channels;
      for (int t = 0; t < computed - skipped; ++t) {
        for (int c = 0; c < channels; ++c) {
          output[(static_cast<std::ptrdiff_t>(t) * lanes + lane) * channels + c] =
              from[t * channels + c];
        }
      }
    }
    output += std::ptrdiff_t{computed - skipped} * output_width();
  }
}

void Stream::flush(float* output) {
  std::int64_t wanted = flush_size();
  for (int lane = 0; lane < session_.lanes(); ++lane) session_.end(lane, frames_in_);
  ended_ = true;
  // Zeros push the last frames out; what does not fit the answer is dropped.
  std::vector<float> zeros, last;
  while (wanted > 0) {
    const std::int64_t hidden = std::max<std::int64_t>(0, delay() - frames_out_);
    const std::int64_t ticks =
        std::min<std::int64_t>(call_ticks_, (hidden + wanted + out_tick_ - 1) / out_tick_);
    const std::int64_t missing = ticks * in_tick_ - pending_;
    zeros.resize(static_cast<std::size_t>(missing * input_width()));
    last.resize(static_cast<std::size_t>(push_size(missing) * output_width()));
    push(zeros.data(), missing, last.data());
    const std::int64_t frames =
        std::min<std::int64_t>(wanted, static_cast<std::int64_t>(last.size()) / output_width());
    std::copy_n(last.begin(), frames * output_width(), output);
    output += frames * output_width();
    wanted -= frames;
  }
}

void Stream::start_processing() noexcept {
  processing_ = true;
  ready_begin_ = 0;
  ready_count_ = extra_delay_;
  std::fill(ready_.begin(), ready_.end(), 0.0f);
}

void Stream::process(const float* input, float* output, std::int64_t num_frames) noexcept {
  if (!processing_) start_processing();
  const int lanes = session_.lanes();
  const int channels = session_.model().output().channels;
  const int width = output_width();
  const int size = static_cast<int>(ready_.size()) / width;
  const std::ptrdiff_t out_step = std::ptrdiff_t{out_tick_} * call_ticks_ * channels;
  frames_in_ += num_frames;
  while (num_frames > 0) {
    const int taken = static_cast<int>(std::min<std::int64_t>(num_frames, capacity_ - pending_));
    take(input, taken);
    input += std::ptrdiff_t{taken} * input_width();
    const int computed = pending_ >= in_tick_ ? run(pending_ / in_tick_) : 0;
    for (int t = 0; t < computed; ++t) {
      float* to = ready_.data() + std::ptrdiff_t{(ready_begin_ + ready_count_ + t) % size} * width;
      for (int lane = 0; lane < lanes; ++lane) {
        std::copy_n(out_.data() + lane * out_step + t * channels, channels, to + lane * channels);
      }
    }
    ready_count_ += computed;
    for (int t = 0; t < taken; ++t) {
      std::copy_n(ready_.data() + std::ptrdiff_t{(ready_begin_ + t) % size} * width, width,
                  output + std::ptrdiff_t{t} * width);
    }
    ready_begin_ = (ready_begin_ + taken) % size;
    ready_count_ -= taken;
    output += std::ptrdiff_t{taken} * width;
    num_frames -= taken;
  }
}

Stream::Saved Stream::save() const {
  Saved saved{frames_in_, frames_out_, processing_, {}, {}, session_.ramps(), {}};
  const int lanes = session_.lanes();
  const int channels = session_.model().input().channels;
  for (int t = 0; t < pending_; ++t) {
    for (int lane = 0; lane < lanes; ++lane) {
      const float* from =
          in_.data() + (static_cast<std::ptrdiff_t>(lane) * capacity_ + t) * channels;
      saved.pending.insert(saved.pending.end(), from, from + channels);
    }
  }
  const int width = output_width();
  const int size = static_cast<int>(ready_.size()) / width;
  for (int t = 0; t < ready_count_; ++t) {
    const float* from = ready_.data() + std::ptrdiff_t{(ready_begin_ + t) % size} * width;
    saved.ready.insert(saved.ready.end(), from, from + width);
  }
  for (int lane = 0; lane < lanes; ++lane) saved.lanes.push_back(session_.save(lane));
  return saved;
}

void Stream::load(const Saved& saved) {
  const auto in_width = static_cast<std::size_t>(input_width());
  const auto out_width = static_cast<std::size_t>(output_width());
  const std::size_t pending = saved.pending.size() / in_width;
  const std::int64_t frames_in = std::clamp<std::int64_t>(saved.frames_in, 0, kMaxFrames);
  const std::int64_t ticks = (frames_in - static_cast<std::int64_t>(pending)) / in_tick_;
  if (saved.lanes.size() != static_cast<std::size_t>(session_.lanes()) ||
      saved.pending.size() % in_width != 0 || saved.ready.size() % out_width != 0 ||
      pending >= static_cast<std::size_t>(in_tick_) || saved.ready.size() > ready_.size() ||
      ticks < 0 || ticks * in_tick_ + static_cast<std::int64_t>(pending) != saved.frames_in ||
      ticks * out_tick_ != saved.frames_out ||
      (saved.processing &&
       saved.ready.size() / out_width + pending != static_cast<std::size_t>(extra_delay_))) {
    throw std::invalid_argument(
        "the saved state does not fit this stream: it was made with another number of channels, "
        "block size or model");
  }
  reset();
  try {
    for (int lane = 0; lane < session_.lanes(); ++lane) {
      session_.load(lane, ticks, saved.lanes[static_cast<std::size_t>(lane)]);
    }
    session_.set_ramps(saved.ramps);
  } catch (const std::invalid_argument&) {
    reset();
    throw;
  }
  take(saved.pending.data(), static_cast<int>(pending));
  frames_in_ = saved.frames_in;
  frames_out_ = saved.frames_out;
  processing_ = saved.processing;
  std::copy(saved.ready.begin(), saved.ready.end(), ready_.begin());
  ready_count_ = static_cast<int>(saved.ready.size() / out_width);
}

}  // namespace rtaudio
