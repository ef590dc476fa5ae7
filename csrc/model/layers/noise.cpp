// A source of noise: numbers of variance 1 that depend on a frame's place in the signal alone.
#include <algorithm>

#include "core/refine.h"
#include "model/layer.h"
#include "model/noise_state.h"

namespace rtaudio {
namespace {

constexpr int kMaxValues = 16, kMaxSteps = 1000;

class Noise final : public Layer {
 public:
  explicit Noise(const LayerContext& context)
      : values_(context.integer("values", 1, kMaxValues)),
        steps_(context.integer("steps", 1, kMaxSteps)),
        delay_(context.input().delay),
        site_(static_cast<std::uint32_t>(context.spec().output) & 0xffffu) {
    context.require_inputs(1);
    context.require_output(std::int64_t{values_} * steps_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int) const override { return 16; }
  void configure(float* state, const LaneSettings& settings) const noexcept override {
    set_noise(state, settings);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const noise::Source source = noise_of(call.state, site_);
    const std::ptrdiff_t row = row_floats(values_ * steps_);
    for (int t = 0; t < call.num_frames; ++t) {
      float* to = call.output + t * row;
      std::fill_n(to, row, 0.0f);
      if (t < call.valid_begin || t >= call.valid_end) continue;
      for (int step = steps_; step > 0; --step, to += values_) {
        refine::normals(source, call.position + t - delay_, static_cast<std::uint32_t>(step),
                        values_, to);
      }
    }
  }

  std::vector<StateSpec> state_specs() const override { return {{"noise", kNoiseFloats, 1}}; }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    std::copy_n(state, kNoiseFloats, out[0].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    load_noise(state, in[0]);
  }

 private:
  int values_;
  int steps_;
  int delay_;
  std::uint32_t site_;
};

}  // namespace

std::unique_ptr<Layer> make_noise(const LayerContext& context) {
  return context.spec().kind == "noise" ? std::make_unique<Noise>(context) : nullptr;
}

}  // namespace rtaudio
