// Norms over all frames so far, and attention over the last ones. Both hold outside the signal.
#include <algorithm>
#include <cmath>
#include <vector>

#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

std::size_t padded(int n) { return static_cast<std::size_t>((n + 15) / 16 * 16); }

void clear_outside(const Call& call, std::ptrdiff_t row) {
  std::fill_n(call.output, call.valid_begin * row, 0.0f);
  std::fill(call.output + call.valid_end * row, call.output + call.num_frames * row, 0.0f);
}

class CumulativeNorm final : public Layer {
 public:
  explicit CumulativeNorm(const LayerContext& context)
      : channels_(context.input().channels),
        per_channel_(context.integer("per_channel", 0, 1) != 0),
        eps_(context.number("eps")),
        scale_(padded(channels_)),
        bias_(padded(channels_)) {
    context.require_inputs(1);
    context.require_output(channels_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    context.require(eps_ > 0, "has an eps that is not positive");
    std::copy_n(context.tensor("scale", {channels_}), channels_, scale_.begin());
    std::copy_n(context.tensor("bias", {channels_}), channels_, bias_.begin());
  }

  // [frames so far], means, variances.
  std::size_t state_floats(int) const override { return 16 + 2 * padded(width()); }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats(channels_);
    clear_outside(call, row);
    float* const mean = call.state + 16;
    float* const variance = mean + padded(width());
    for (int t = call.valid_begin; t < call.valid_end; ++t) {
      const float* x = call.inputs[0] + t * row;
      float* y = call.output + t * row;
      // From here on a float cannot count further: a mean over so many frames hardly moves.
      call.state[0] = std::min(call.state[0] + 1.0f, 16'777'216.0f);
      const float rate = 1.0f / call.state[0];
      if (per_channel_) {
        call.kernels.running_norm(
            {channels_, rate, eps_, scale_.data(), bias_.data(), mean, variance}, x, y);
        continue;
      }
      float now, spread;
      call.kernels.moments(x, channels_, &now, &spread);
      const float d = now - *mean;
      *mean = std::fma(rate, d, *mean);
      *variance = std::fma(rate, std::fma(d, now - *mean, spread) - *variance, *variance);
      call.kernels.normalize(scale_.data(), bias_.data(), *mean, std::max(0.0f, *variance) + eps_,
                             x, y, channels_);
    }
  }

  void record(Recorder& to) const override {
    const gpu::Memory count = to.state(), mean = to.state(16);
    const gpu::Memory variance = to.state(16 + padded(width()));
    const float *scale = to.table(scale_), *bias = to.table(bias_);
    if (per_channel_) {
      to.add(gpu::RunningNorm{to.timing(), to.input(), to.output(), count, mean, variance, scale,
                              bias, eps_});
      to.add(gpu::CountFrames{to.timing(), count});
      return;
    }
    const auto frames = static_cast<std::size_t>(to.max_frames());
    const gpu::Memory sums = to.scratch(frames * gpu::LongRows::kFloats);
    const gpu::Memory found = to.scratch(2 * frames), used = to.scratch(2 * frames);
    to.add(gpu::Moments{{to.timing(), to.input(), 1, sums}, found});
    to.add(gpu::RunningMoments{to.timing(), found, count, mean, variance, used, eps_});
    to.add(gpu::Normalize{to.timing(), to.input(), to.output(), used, scale, bias});
  }

  std::vector<StateSpec> state_specs() const override {
    return {{"count", 1, 1}, {"mean", width(), 1}, {"variance", width(), 1}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    out[0][0] = state[0];
    std::copy_n(state + 16, width(), out[1].begin());
    std::copy_n(state + 16 + padded(width()), width(), out[2].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    // A saved state is not trusted: a count below zero would divide by zero.
    state[0] = in[0][0] >= 0.0f ? in[0][0] : 0.0f;
    std::copy_n(in[1].begin(), width(), state + 16);
    std::copy_n(in[2].begin(), width(), state + 16 + padded(width()));
  }

 private:
  int width() const { return per_channel_ ? channels_ : 1; }

  int channels_;
  bool per_channel_;
  float eps_;
  std::vector<float> scale_;
  std::vector<float> bias_;
};

class WindowAttention final : public Layer {
 public:
  explicit WindowAttention(const LayerContext& context)
      : channels_(context.input().channels / 3),
        heads_(context.integer("heads", 1, 1024)),
        frames_(context.integer("frames", 1, 1 << 14)),
        scale_(1.0f / std::sqrt(static_cast<float>(channels_ / heads_))) {
    context.require_inputs(1);
    context.require(context.input().channels == 3 * channels_ && channels_ % heads_ == 0,
                    "has channels that do not split into query, key and value of its heads");
    context.require_output(channels_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    context.require(std::int64_t{frames_} * row_floats(channels_) <= 1 << 24, "is too large");
  }

  // [frames held, slot of the next one], keys, values; a slot is a row.
  std::size_t state_floats(int) const override { return 16 + 2 * ring_floats() + 16; }
  std::size_t scratch_floats(int) const override { return padded(frames_); }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t in_row = row_floats(3 * channels_), row = row_floats(channels_);
    clear_outside(call, row);
    float* const keys = call.state + 16;
    float* const values = keys + ring_floats();
    int held = static_cast<int>(call.state[0]), next = static_cast<int>(call.state[1]);
    for (int t = call.valid_begin; t < call.valid_end; ++t) {
      const float* x = call.inputs[0] + t * in_row;
      std::copy_n(x + channels_, channels_, keys + next * row);
      std::copy_n(x + 2 * channels_, channels_, values + next * row);
      next = next + 1 < frames_ ? next + 1 : 0;
      held = std::min(held + 1, frames_);
      const int oldest = next >= held ? next - held : next - held + frames_;
      call.kernels.attention(
          {heads_, channels_ / heads_, scale_, keys, values, row, frames_, oldest, held}, x,
          call.output + t * row, call.scratch);
    }
    call.state[0] = static_cast<float>(held);
    call.state[1] = static_cast<float>(next);
  }

  void record(Recorder& to) const override {
    const gpu::AttentionRing ring{to.state(), frames_, row_floats(channels_), channels_};
    gpu::Attend attend{to.timing(), ring, to.input(), to.output(), heads_, scale_, {}};
    attend.scores = to.scratch(static_cast<std::size_t>(to.max_frames()) *
                               static_cast<std::size_t>(heads_ * attend.floats()));
    to.add(attend);
    to.add(gpu::KeepKeys{to.timing(), ring, to.input()});
    to.add(gpu::CountHeld{to.timing(), ring});
  }

  std::vector<StateSpec> state_specs() const override {
    return {{"held", 1, 1}, {"keys", channels_, frames_}, {"values", channels_, frames_}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    const int held = static_cast<int>(state[0]), next = static_cast<int>(state[1]);
    out[0][0] = state[0];
    for (std::size_t i = 0; i < 2; ++i) {
      const float* ring = state + 16 + i * ring_floats();
      std::fill(out[1 + i].begin(), out[1 + i].end(), 0.0f);
      for (int j = 0; j < held; ++j) {
        const int slot = (next - held + j + frames_) % frames_;
        for (int c = 0; c < channels_; ++c) {
          out[1 + i][static_cast<std::size_t>(c * frames_ + frames_ - held + j)] =
              ring[slot * row_floats(channels_) + c];
        }
      }
    }
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    // A saved state is not trusted; NaN counts as none.
    const float wanted = in[0][0];
    const int held =
        wanted >= 1.0f ? static_cast<int>(std::min<float>(wanted, static_cast<float>(frames_))) : 0;
    state[0] = static_cast<float>(held);
    state[1] = static_cast<float>(held % frames_);
    for (std::size_t i = 0; i < 2; ++i) {
      float* ring = state + 16 + i * ring_floats();
      for (int j = 0; j < held; ++j) {
        for (int c = 0; c < channels_; ++c) {
          ring[j * row_floats(channels_) + c] =
              in[1 + i][static_cast<std::size_t>(c * frames_ + frames_ - held + j)];
        }
      }
    }
  }

 private:
  std::size_t ring_floats() const {
    return static_cast<std::size_t>(frames_) * static_cast<std::size_t>(row_floats(channels_));
  }

  int channels_;
  int heads_;
  int frames_;
  float scale_;
};

}  // namespace

std::unique_ptr<Layer> make_cumulative(const LayerContext& context) {
  if (context.spec().kind == "cumulative_norm") return std::make_unique<CumulativeNorm>(context);
  if (context.spec().kind == "window_attention") return std::make_unique<WindowAttention>(context);
  return nullptr;
}

}  // namespace rtaudio
