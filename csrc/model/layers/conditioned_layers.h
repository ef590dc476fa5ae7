// The layers of a conditioned stack: their weights, and what they remember.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/plane_ring.h"
#include "model/recorder.h"
#include "model/ring.h"

namespace rtaudio {

class ConditionedLayers {
 public:
  // How histories are laid out: for the kernels of rows and of planes, and for a GPU.
  enum class Layout { rows, planes, gpu };

  // `path`: in front of the names of its numbers and tensors.
  ConditionedLayers(const LayerContext& context, const std::string& path);

  int channels() const { return channels_; }
  int skip() const { return skip_; }
  int width() const { return channels_ + 1 + skip_; }
  // Whether there are kernels with time in lanes for it.
  bool is_narrow() const;
  // For the kernels; lives as long as this.
  ConditionedStack view() const;

  std::size_t state_floats(int max_frames, Layout layout) const;
  void add_specs(const std::string& path, std::vector<StateSpec>& specs) const;
  std::size_t num_specs() const;
  void save(const float* state, std::int64_t position, int max_frames, Layout layout,
            std::span<const std::span<float>> out) const;
  void load(float* state, std::int64_t position, int max_frames, Layout layout,
            std::span<const std::span<const float>> in) const;

  // Works on [x; c; s] in place. The state begins `offset` floats into the operation's.
  void record(Recorder& to, const gpu::Signal& signal, std::size_t offset) const;

 private:
  struct Function {
    Unary kind;
    float a, b;
  };
  struct Step {
    PackedWeights conv, condition, residual;
    std::optional<PackedWeights> skip;
    Ring rows;  // the history's two forms
    PlaneRing planes;
    int kernel, dilation;
  };

  static Function function(const LayerContext& context, const std::string& name);
  std::size_t ring_floats(const Step& layer, int max_frames, Layout layout) const;
  // `next`: the ring of the layer after this one, or none.
  template <int F>
  void record_layer(Recorder& to, const Step& layer, const gpu::Signal& signal, gpu::Memory h,
                    const gpu::RingRows& ring, const gpu::RingRows& next) const;
  // f(ring, where it begins in the state, its number among those that are saved, max_frames)
  template <class F>
  void for_each_history(int max_frames, Layout layout, const F& f) const;

  int channels_;
  int hidden_;
  int skip_;
  bool has_skip_;
  bool is_whole_ = false;
  Function activation_;
  std::optional<Function> gate_;
  std::vector<Step> layers_;
  std::vector<ConditionedLayer> table_;  // for the kernel
};

}  // namespace rtaudio
