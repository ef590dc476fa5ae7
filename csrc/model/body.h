// The inside of a loop: operations that run one frame at a time.
#pragma once

#include <memory>
#include <vector>

#include "model/layer.h"

namespace rtaudio {

// Owns the `count` operations that follow a loop's own in the program; they see no other signal
// than `source`, one frame, and what they make of it. Model has checked that.
class Body {
  struct Step {
    std::unique_ptr<Layer> layer;
    std::vector<std::size_t> inputs;  // indices of local buffers
    std::size_t output;
    std::size_t state;  // where its own begins
  };

 public:
  Body(const LayerContext& loop, int count, int source, int result);

  int source_channels() const { return source_channels_; }
  int result_channels() const { return result_channels_; }

  std::size_t state_floats() const { return state_floats_; }
  std::size_t scratch_floats() const;
  void reset(float* state) const noexcept;
  void configure(float* state, const LaneSettings& settings) const noexcept;
  bool can_save(const float* state) const;
  std::vector<StateSpec> state_specs() const;
  void save(const float* state, std::int64_t position, std::span<const std::span<float>> out) const;
  void load(float* state, std::int64_t position, std::span<const std::span<const float>> in) const;

  // The operations bound to one lane's memory for the length of one call.
  class Run {
   public:
    float* source() const { return source_; }
    const float* result() const { return result_; }
    // Computes the result of the source at `position`, the number of frames before it.
    void step(std::int64_t position) noexcept {
      for (std::size_t i = 0; i < calls_.size(); ++i) {
        calls_[i].position = position;
        steps_[i].layer->process(calls_[i]);
      }
    }

   private:
    friend class Body;
    std::span<Call> calls_;
    const Step* steps_ = nullptr;
    float* source_ = nullptr;
    const float* result_ = nullptr;
  };
  // `scratch` is used until the last step.
  Run bind(const Call& call, float* state, float* scratch) const noexcept;

 private:
  std::vector<Step> steps_;
  std::vector<std::size_t> buffers_;  // offsets in scratch
  std::size_t buffer_floats_ = 0;
  std::size_t table_floats_ = 0;  // calls and the pointers to their inputs
  std::size_t layer_scratch_ = 0;
  std::size_t state_floats_ = 0;
  std::size_t result_ = 0;
  int source_channels_;
  int result_channels_;
};

}  // namespace rtaudio
