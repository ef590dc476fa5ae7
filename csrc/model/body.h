// The inside of a loop: operations that run one frame at a time.
#pragma once

#include <memory>
#include <vector>

#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {

// Owns the `count` operations that follow a loop's own in the program; they see no other signal
// than `source`, one frame, and what they make of it. Model has checked that.
class Body {
  struct Step {
    std::unique_ptr<Layer> layer;
    std::vector<std::size_t> inputs;  // indices of local buffers
    std::size_t output;
    std::size_t state;               // where its own begins
    std::vector<ChannelRange> held;  // of each input, what follows from the condition alone
    bool is_held;                    // and whether all of the output does
  };

 public:
  // The first `condition` channels of the source stay the same for several steps in a row.
  Body(const LayerContext& loop, int count, int source, int result, int condition);

  // A step as works of a GPU, of lanes whose times are `timing`. `state`, `scratch`: the body's
  // own.
  void record(Recorder& to, const gpu::Timing& timing, gpu::Memory state,
              gpu::Memory scratch) const;
  gpu::Signal source(gpu::Memory scratch) const { return signal(0, scratch); }
  gpu::Signal result(gpu::Memory scratch) const { return signal(result_, scratch); }

  int source_channels() const { return source_channels_; }
  int result_channels() const { return result_channels_; }

  std::size_t state_floats() const { return state_floats_; }
  std::size_t scratch_floats(int lanes) const;
  std::size_t signal_floats() const { return buffer_floats_; }
  void reset(float* state) const noexcept;
  void configure(float* state, const LaneSettings& settings) const noexcept;
  bool can_save(const float* state) const;
  std::vector<StateSpec> state_specs() const;
  void save(const float* state, std::int64_t position, std::span<const std::span<float>> out) const;
  void load(float* state, std::int64_t position, std::span<const std::span<const float>> in) const;

  // The operations bound to the memory of some lanes for the length of one call, in which the lanes
  // go step by step together: weights are read once for all of them.
  class Run {
   public:
    float* source(std::size_t lane) const { return source_ + lane * source_row_; }
    const float* result(std::size_t lane) const { return result_ + lane * result_row_; }
    // Computes the results of the sources. `positions`: of each lane, the frames before it. This is
    // step `index` of `count` with the same condition.
    void step(std::span<const std::int64_t> positions, int index,
              int count) noexcept RTA_NONBLOCKING;

   private:
    friend class Body;
    const Body* body_ = nullptr;
    std::span<Call> calls_;  // [step][lane]
    float* source_ = nullptr;
    const float* result_ = nullptr;
    std::size_t source_row_ = 0;
    std::size_t result_row_ = 0;
  };
  // Each lane's own state is `offset` floats into its call's. `scratch` is used until the last
  // step.
  Run bind(std::span<const Call> lanes, std::size_t offset, float* scratch) const noexcept;

 private:
  gpu::Signal signal(std::size_t buffer, gpu::Memory scratch) const;

  std::vector<Step> steps_;
  std::vector<std::size_t> buffers_;  // offsets in the scratch of one lane
  std::vector<std::size_t> rows_;
  std::vector<int> channels_;
  std::size_t buffer_floats_ = 0;
  std::size_t num_inputs_ = 0;
  std::size_t state_floats_ = 0;
  std::size_t result_ = 0;
  int source_channels_;
  int result_channels_;
};

}  // namespace rtaudio
