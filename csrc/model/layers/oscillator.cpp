// Sources that keep a phase.
#include <algorithm>
#include <cmath>

#include "core/pulse.h"
#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

class PulseTrain final : public Layer {
 public:
  explicit PulseTrain(const LayerContext& context) {
    context.require_inputs(1);
    context.require(context.input().channels == 1, "reads one channel");
    context.require_output(1);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int) const override { return 16; }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    std::fill_n(call.output, call.valid_begin, 0.0f);
    std::fill(call.output + call.valid_end, call.output + call.num_frames, 0.0f);
    std::uint32_t phase = pulse::load(call.state);
    for (int t = call.valid_begin; t < call.valid_end; ++t) {
      const float f = pulse::bounded(call.inputs[0][t]);
      call.output[t] = pulse::value(f, phase);
      phase += pulse::advance(f);
    }
    pulse::store(call.state, phase);
  }
  void record(Recorder& to) const override {
    const gpu::Memory sums = to.scratch(gpu::PulseTrain::kTeam + 1);
    to.add(gpu::PulseTrain{to.timing(), to.input(), to.output(), to.state(), sums});
  }

  std::vector<StateSpec> state_specs() const override { return {{"phase", 2, 1}}; }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    std::copy_n(state, 2, out[0].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    // A saved state is not trusted; NaN counts as 0.
    for (std::size_t i = 0; i < 2; ++i) {
      state[i] = std::floor(std::min(65535.0f, std::max(0.0f, in[0][i])));
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_oscillator(const LayerContext& context) {
  if (context.spec().kind == "pulse_train") return std::make_unique<PulseTrain>(context);
  return nullptr;
}

}  // namespace rtaudio
