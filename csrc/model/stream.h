// Any number of frames at a time through a session: whole ticks are buffered, delays trimmed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/session.h"

namespace rtaudio {

// A frame on the user's side holds the lanes side by side: [lane][channel]. One use at a time:
// either push ... flush, or process; reset() between the two.
class Stream {
 public:
  // `process_frames`: process() is called with multiples of it (0: with any number). `threads`
  // share the work of one lane; push() waits for them, so several are not for a real-time thread.
  // Throws what Session throws, also where the buffers of all lanes together are too large.
  Stream(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
         std::vector<float> controls, int process_frames, int threads = 1);

  const Model& model() const { return session_.model(); }
  int input_width() const { return session_.lanes() * session_.model().input().channels; }
  int output_width() const { return session_.lanes() * session_.model().output().channels; }
  int delay() const { return session_.model().output().delay; }
  // Frames that process() waits with, over the model's own delay.
  int extra_delay() const { return extra_delay_; }
  // True where as many frames leave a tick as enter it: process() needs that.
  bool can_process() const { return in_tick_ == out_tick_; }
  int threads() const { return session_.threads(); }
  bool ended() const { return ended_; }
  bool idle() const { return frames_in_ == 0 && !processing_; }
  bool processing() const { return processing_; }
  std::int64_t frames_in() const { return frames_in_; }
  // Input samples that were not finite (or absurdly large) and were read as zero.
  std::int64_t num_bad_samples() const { return num_bad_samples_; }

  // Frames that push(n frames) or flush() will return.
  std::int64_t push_size(std::int64_t num_frames) const;
  std::int64_t flush_size() const;
  void push(const float* input, std::int64_t num_frames, float* output) noexcept RTA_NONBLOCKING;
  void flush(float* output);
  // num_frames in, num_frames out, delay() + extra_delay() later. Rates of input and output equal.
  void process(const float* input, float* output, std::int64_t num_frames) noexcept RTA_NONBLOCKING;

  void reset() noexcept;
  int lanes() const { return session_.lanes(); }
  // As reset; from now on the lanes have these settings, one each.
  void restart(std::vector<LaneSettings> settings) noexcept;
  bool can_save() const;
  int num_controls() const { return session_.model().num_controls(); }
  void set_control(int index, float value) noexcept { session_.set_control(index, value); }

  // Everything a stream remembers, as canonical tensors; the last lane's follow the first's.
  struct Saved {
    std::int64_t frames_in = 0;
    std::int64_t frames_out = 0;
    bool processing = false;
    std::vector<float> pending;  // [frame][lane][channel], less than a tick
    std::vector<float> ready;    // of process(): frames computed and not handed out
    std::vector<Session::Ramp> ramps;
    std::vector<std::vector<Session::StateTensor>> lanes;
  };
  Saved save() const;
  // Throws std::invalid_argument if it is not a state of this model with as many lanes; the stream
  // is reset then.
  void load(const Saved& saved);

 private:
  void take(const float* input, int num_frames) noexcept;
  int run(int num_ticks) noexcept;  // returns the frames now in out_
  void start_processing() noexcept;

  Session session_;
  int in_tick_;
  int out_tick_;
  int call_ticks_;  // the most of a call
  int capacity_;    // input frames that fit
  int extra_delay_;
  std::vector<float> in_;   // [lane][frame][channel]
  std::vector<float> out_;  // likewise
  int pending_ = 0;
  std::int64_t frames_in_ = 0;
  std::int64_t frames_out_ = 0;  // computed, delay included
  std::int64_t num_bad_samples_ = 0;
  bool ended_ = false;
  bool processing_ = false;
  std::vector<float> ready_;  // process(): [frame][lane][channel], a ring
  int ready_begin_ = 0;
  int ready_count_ = 0;
};

}  // namespace rtaudio
