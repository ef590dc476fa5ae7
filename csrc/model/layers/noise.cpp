// Sources of noise: numbers of variance 1 that depend on a frame's place in the signal alone.
#include <algorithm>
#include <vector>

#include "core/fft.h"
#include "core/refine.h"
#include "model/layer.h"
#include "model/noise_state.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

constexpr int kMaxValues = 16, kMaxSteps = 1000;

constexpr int kMaxWindow = 1 << 15;

// What it remembers is which noise it draws.
class Source : public Layer {
 public:
  explicit Source(const LayerContext& context)
      : delay_(context.input().delay),
        site_(static_cast<std::uint32_t>(context.spec().output) & 0xffffu) {
    context.require_inputs(1);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int) const override { return 16; }
  void configure(float* state, const LaneSettings& settings) const noexcept override {
    set_noise(state, settings);
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

 protected:
  int delay_;
  std::uint32_t site_;
};

class Noise final : public Source {
 public:
  explicit Noise(const LayerContext& context)
      : Source(context),
        values_(context.integer("values", 1, kMaxValues)),
        steps_(context.integer("steps", 1, kMaxSteps)) {
    context.require_output(std::int64_t{values_} * steps_);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const noise::Source source = noise::source_of(call.state, site_);
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
  void record(Recorder& to) const override {
    to.add(gpu::Draw{to.timing(), to.state(), site_, to.output(), steps_, values_, 1, 0, 0, steps_,
                     -1});
  }

 private:
  int values_;
  int steps_;
};

// Of a window around a frame's own sample, whichever of it lies before or after the signal.
class NoiseSpectrum final : public Source {
 public:
  explicit NoiseSpectrum(const LayerContext& context)
      : Source(context),
        fft_(context.integer("fft", 2, kMaxWindow)),
        window_(context.integer("window", 1, fft_)),
        hop_(context.integer("hop", 1, kMaxWindow)),
        step_(context.integer("step", 1, kMaxSteps)),
        tables_(make_fft_tables(fft_)) {
    const float* values = context.tensor("window", {window_});
    values_.assign(values, values + window_);
    context.require_output(2 * bins());
  }

  std::size_t scratch_floats(int) const override {
    return frame_floats() + fft_scratch_floats(fft_);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const noise::Source source = noise::source_of(call.state, site_);
    const std::ptrdiff_t row = row_floats(2 * bins());
    const FftPlan plan = tables_.view();
    float* frame = call.scratch;
    for (int t = 0; t < call.num_frames; ++t) {
      float* to = call.output + t * row;
      std::fill_n(to, row, 0.0f);
      if (t < call.valid_begin || t >= call.valid_end) continue;
      const std::int64_t first = (call.position + t - delay_) * hop_ - window_ / 2;
      for (int i = 0; i < window_; ++i) {
        refine::normals(source, first + i, static_cast<std::uint32_t>(step_), 1, frame + i);
      }
      std::fill(frame + window_, frame + frame_floats(), 0.0f);
      call.kernels.multiply(frame, values_.data(), frame, static_cast<std::size_t>(window_));
      call.kernels.rfft(plan, frame, to, to + bins(), frame + frame_floats());
    }
  }
  void record(Recorder& to) const override {
    const auto frames = static_cast<std::size_t>(to.max_frames());
    const gpu::Signal drawn{to.scratch(frames * static_cast<std::size_t>(window_)), window_,
                            window_, to.input().frames};
    to.add(gpu::Draw{to.timing(), to.state(), site_, drawn, window_, 1, hop_, -(window_ / 2), 1,
                     step_, 0});
    to.add(gpu::Stft{to.timing(),
                     {{drawn.memory, window_, 0, 0}, 0, window_, 0, 1, window_},
                     to.table(values_),
                     window_,
                     to.transform(tables_, to.max_frames()),
                     to.output(),
                     true});
  }

 private:
  int bins() const { return fft_ / 2 + 1; }
  std::size_t frame_floats() const { return static_cast<std::size_t>(fft_ + 16) / 16 * 16; }

  int fft_;
  int window_;
  int hop_;
  int step_;
  FftTables tables_;
  std::vector<float> values_;
};

}  // namespace

std::unique_ptr<Layer> make_noise(const LayerContext& context) {
  if (context.spec().kind == "noise") return std::make_unique<Noise>(context);
  if (context.spec().kind == "noise_spectrum") return std::make_unique<NoiseSpectrum>(context);
  return nullptr;
}

}  // namespace rtaudio
