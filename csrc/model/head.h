// The end of an autoregressive step: parameters of a distribution in, a value drawn from it out.
#pragma once

#include <memory>

#include "core/heads.h"
#include "model/layer.h"

namespace rtaudio {

// One draw: what it is drawn from, and how.
struct Draw {
  const Kernels& kernels;
  const float* parameters;
  noise::Source source;
  std::int64_t position;
  bool voiced;
  float* scratch;
};

class Head {
 public:
  virtual ~Head() = default;

  virtual int num_parameters() const = 0;
  virtual int width() const { return 1; }
  virtual std::size_t scratch_floats() const { return 0; }
  // Draws `width` values.
  virtual void draw(const Draw& draw, float* values) const noexcept RTA_NONBLOCKING = 0;
  // What it is on a GPU, with tables there.
  virtual heads::Softmax softmax(Recorder& /*to*/) const { return {}; }
  virtual heads::Mixture mixture() const { return {}; }
  // The samples that these values are.
  virtual void decode(const float* values, float* audio) const noexcept RTA_NONBLOCKING = 0;
};

std::unique_ptr<Head> make_head(const LayerContext& feedback);

// What a feedback's numbers say, for those that draw by themselves.
heads::Softmax softmax_of(const LayerContext& feedback);  // without its table
heads::Mixture mixture_of(const LayerContext& feedback);

}  // namespace rtaudio
