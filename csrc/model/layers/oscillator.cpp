// Sources that keep a phase.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/noise.h"
#include "model/layer.h"

namespace rtaudio {
namespace {

constexpr float kLowest = 1.0f / 2048.0f, kHighest = 0.5f;  // turns a frame

// Of 2 pi x.
noise::Pair cos_sin(float x) { return noise::cos_sin_turns(x - std::floor(x)); }

// sqrt(4 f) * sum_k min(1, 0.5 / f - k) cos(2 pi k p), p in [-0.5, 0.5): all harmonics but the last
// by Dirichlet's formula.
float pulse(float f, float p) {
  const float harmonics = 0.5f / f;
  const float last = std::floor(harmonics);
  const float bottom = 2.0f * cos_sin(0.5f * p).second;
  // So near to zero all cosines are 1.
  const float sum =
      std::fabs(bottom) < 1e-4f ? last - 1.0f : cos_sin((last - 0.5f) * p).second / bottom - 0.5f;
  return std::sqrt(4.0f * f) * std::fma(harmonics - last, cos_sin(last * p).first, sum);
}

// The phase is a whole number of 2^-32 turns, so that it does not depend on how long it has run: as
// floats, its upper and lower half.
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
    std::uint32_t phase =
        static_cast<std::uint32_t>(call.state[0]) << 16 | static_cast<std::uint32_t>(call.state[1]);
    for (int t = call.valid_begin; t < call.valid_end; ++t) {
      // NaN becomes the lowest.
      const float f = std::min(kHighest, std::max(kLowest, call.inputs[0][t]));
      call.output[t] = pulse(f, static_cast<float>(static_cast<std::int32_t>(phase)) * 0x1p-32f);
      phase += static_cast<std::uint32_t>(std::fma(f, 0x1p32f, 0.5f));
    }
    call.state[0] = static_cast<float>(phase >> 16);
    call.state[1] = static_cast<float>(phase & 0xffffu);
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
