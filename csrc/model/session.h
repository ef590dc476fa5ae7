// The state of a model for a number of lanes, owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/platform.h"
#include "cpu/pack.h"
#include "model/gpu_session.h"
#include "model/model.h"

namespace rtaudio {

class Session {
 public:
  // A piece of state in canonical form: fp32 [channels][frames], oldest first.
  struct StateTensor {
    std::string name;
    int channels;
    int frames;
    std::vector<float> values;
  };

  // A control on its way from one value to another, begun `ticks` ticks ago.
  struct Ramp {
    float from;
    float to;
    std::int64_t ticks;
  };

  // Some ticks of a call, which `before` others of it precede.
  struct Ticks {
    int before;
    int count;
  };

  // `ramp_frames`: source frames over which a control moves to a new value. `threads`: how many may
  // work at once (model/threads.h), on one lane. Throws std::invalid_argument for impossible
  // numbers and std::length_error where a lane's state would hold more than 1 GiB, or signals,
  // state and scratch more than `max_floats` together.
  Session(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
          std::vector<float> controls, int threads = 1,
          std::size_t max_floats = std::size_t{1} << 30);

  const Model& model() const { return *model_; }
  int lanes() const { return lanes_; }
  int max_ticks() const { return max_ticks_; }
  int threads() const { return static_cast<int>(desks_.size()); }

  // Runs `num_ticks` <= max_ticks: reads and writes [lane][frame][channel], lanes `*_step` floats
  // apart. Held lanes are left alone and their output is not written.
  void process(const float* input, std::ptrdiff_t input_step, float* output,
               std::ptrdiff_t output_step, int num_ticks) noexcept RTA_NONBLOCKING;

  // The same where the model is on a GPU, of signals in its memory, queued on a stream of the
  // caller's (null: the default one). Throws std::runtime_error where the GPU fails.
  void process_on(void* stream, const float* input, std::ptrdiff_t input_step, float* output,
                  std::ptrdiff_t output_step, int num_ticks);

  // process() of one lane in pieces of up to max_ticks, each at a desk of its own: enter, every
  // part in order, leave. No piece may be in a part that the piece before it has not left, and no
  // more than threads() be under way; then what comes out does not depend on who runs what.
  // advance() ends the call.
  int num_parts() const { return static_cast<int>(parts_.size()); }
  void enter(int desk, const float* input, Ticks ticks) noexcept RTA_NONBLOCKING;
  void run_part(int desk, int part, Ticks ticks) noexcept RTA_NONBLOCKING;
  void leave(int desk, float* output, Ticks ticks) noexcept RTA_NONBLOCKING;
  void advance(int num_ticks) noexcept RTA_NONBLOCKING;

  // The lane's signal has this many source frames; what comes later flushes.
  void end(int lane, std::int64_t source_length);
  // The next call brings whole signals, whose ends are known: layers may look at all of them.
  void expect_whole() noexcept { whole_ = true; }
  void reset(int lane) noexcept;
  // Resets the lane, from now on with these settings.
  void restart(int lane, LaneSettings settings) noexcept {
    lanes_state_[static_cast<std::size_t>(lane)].settings = std::move(settings);
    reset(lane);
  }
  bool can_save(int lane) const;
  void hold(int lane, bool held) noexcept {
    lanes_state_[static_cast<std::size_t>(lane)].held = held;
    if (gpu_ != nullptr) hold_on_gpu(lane, held);
  }
  // From the next tick on; a value that is not finite is ignored.
  void set_control(int index, float value) noexcept;
  // Ends every ramp at once: controls are what they were set to.
  void settle_controls() noexcept;
  const std::vector<Ramp>& ramps() const { return ramps_; }
  // Throws std::invalid_argument unless there is one for every control and all is finite.
  void set_ramps(std::span<const Ramp> ramps);
  std::int64_t ticks(int lane) const { return lanes_state_[static_cast<std::size_t>(lane)].ticks; }

  // The memory of all lanes, [lane][state_floats()], in a layout that this model, number of lanes
  // and max_ticks have, and no other.
  std::size_t state_floats() const { return lane_floats_; }
  const float* memory() const { return memory_; }
  // Works on memory of the caller's, of a lane that has seen `ticks`: layers trust what is in it.
  void borrow(float* memory, std::span<const std::int64_t> ticks) noexcept;

  std::vector<StateTensor> save(int lane) const;
  // Throws std::invalid_argument if the state is not one of this model.
  void load(int lane, std::int64_t ticks, std::span<const StateTensor> state);

 private:
  struct Lane {
    std::int64_t ticks = 0;
    bool held = false;
    bool ended = false;
    std::vector<std::int64_t> lengths;  // valid frames of each buffer, once ended
    LaneSettings settings;
  };

  // What a call runs one after another: operations, and the parts of those that have some.
  struct Part {
    std::size_t operation;
    int index;
    const Layer* layer;
    bool is_stateless;
    bool is_whole;  // there is no other of its operation
  };
  // What one thread works with: a batch's signals, reused batch after batch, and scratch.
  struct Desk {
    AlignedFloats buffers;
    AlignedFloats scratch;
    std::vector<float> control_values;
    std::vector<const float*> inputs;
    std::vector<const float*> first_inputs;  // every operation's, of the batch's first lane
    std::vector<int> batch;                  // of which the first `count` hold lanes
    int count = 0;
    std::vector<Call> calls;

    std::span<const int> lanes() const { return {batch.data(), static_cast<std::size_t>(count)}; }
  };

  // What every call of an operation has.
  struct Wiring {
    std::int64_t delay;  // of its input
    int frames;          // of its input in a tick
    int max_frames;      // of the pieces that are under way together
    int output;          // the buffer
    int control;
    std::size_t output_offset;
    std::span<const int> inputs;
    std::size_t first_inputs;  // of a desk: where its own begin
  };

  // The next lanes from `lane` on that are not held, `most` of them; returns the one after.
  int choose_batch(Desk& desk, int lane, int most) noexcept;
  void take(Desk& desk, const float* input, std::ptrdiff_t input_step, Ticks ticks) noexcept;
  void give(Desk& desk, float* output, std::ptrdiff_t output_step, Ticks ticks) noexcept;
  // Some lanes through one part: it reads its weights once for all of them.
  void run(Desk& desk, const Part& part, Ticks ticks) noexcept RTA_NONBLOCKING;
  Call make_call(Desk& desk, std::size_t slot, std::size_t index,
                 Ticks ticks) noexcept RTA_NONBLOCKING;
  // A buffer of the batch's lane `slot`; lanes lie one after the other.
  float* rows_of(Desk& desk, int buffer, std::size_t slot, int num_ticks) noexcept;
  // Values for `num_frames` frames of a buffer that holds `frames_per_tick`.
  const float* control_values(Desk& desk, int index, Ticks ticks, int frames_per_tick) noexcept;
  float* lane_memory(int lane) const {
    return memory_ + static_cast<std::size_t>(gpu_ == nullptr ? lane : 0) * lane_floats_;
  }
  float* state_of(int lane, std::size_t op) const { return lane_memory(lane) + state_offsets_[op]; }
  void process_on_gpu(const float* input, std::ptrdiff_t input_step, float* output,
                      std::ptrdiff_t output_step, int num_ticks) noexcept;
  void give_controls(int num_ticks) noexcept;
  void hold_on_gpu(int lane, bool held) noexcept;
  // What the GPU is to have of it.
  void give_memory(int lane) noexcept;
  // Input frames of the pieces that are under way together.
  int max_frames(const Model::Operation& op) const;

  std::shared_ptr<const Model> model_;
  const Kernels* kernels_;
  int lanes_;
  int max_ticks_;
  double ramp_frames_;
  std::vector<Lane> lanes_state_;
  std::vector<Ramp> ramps_;
  std::vector<std::size_t> buffer_offsets_;
  std::vector<std::size_t> state_offsets_;
  std::size_t lane_floats_ = 0;
  bool whole_ = false;
  int batch_ticks_;  // ticks of all lanes of a batch together
  std::vector<Part> parts_;
  std::vector<Wiring> wiring_;
  std::vector<Desk> desks_;
  AlignedFloats state_;
  float* memory_ = nullptr;          // state_, or the caller's
  std::unique_ptr<GpuSession> gpu_;  // has the lanes' memory; memory_ is one lane's copy then
};

}  // namespace rtaudio
