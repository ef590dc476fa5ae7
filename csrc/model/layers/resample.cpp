// Layers that change the rate by a whole factor.
#include <algorithm>
#include <vector>

#include "model/layer.h"
#include "model/window.h"

namespace rtaudio {
namespace {

constexpr int kMaxFactor = 1 << 16;

// Rates and channels of a layer that makes `factor` frames of each one.
int upsampling_factor(const LayerContext& context, const std::string& name) {
  const int factor = context.integer(name, 1, kMaxFactor);
  context.require_inputs(1);
  context.require(context.input().frames * std::int64_t{factor} == context.output().frames,
                  "does not fit the frames of its buffers");
  context.require(context.integer("trim", 0, 0) == 0, "drops frames");
  return factor;
}

class Upsample final : public Layer {
 public:
  explicit Upsample(const LayerContext& context)
      : factor_(upsampling_factor(context, "factor")),
        linear_(context.integer("linear", 0, 1) != 0),
        channels_(context.input().channels) {
    context.require_output(channels_);
  }

  // Linear: the frame before, and one of zeros that stands for frames outside the signal.
  std::size_t state_floats(int) const override {
    return linear_ ? static_cast<std::size_t>(2 * row()) : 0;
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    for (int t = 0; t < call.num_frames; ++t) {
      const float* x = call.inputs[0] + t * row();
      float* y = call.output + std::ptrdiff_t{t} * factor_ * row();
      if (linear_) {
        const bool valid = t >= call.valid_begin && t < call.valid_end;
        interpolate(call, valid ? x : call.state + row(), y);
      } else {
        for (int i = 0; i < factor_; ++i) std::copy_n(x, channels_, y + i * row());
      }
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Upsample{to.timing(), to.input(), to.output(), factor_, linear_, to.state()});
    if (linear_) to.add(gpu::Remember{to.timing(), to.output(), to.state()});
  }

  std::int64_t out_length(std::int64_t length) const override {
    return std::max<std::int64_t>(0, length * factor_);
  }

  std::vector<StateSpec> state_specs() const override {
    if (!linear_) return {};
    return {{"before", channels_, 1}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    if (linear_) std::copy_n(state, channels_, out[0].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    if (linear_) std::copy_n(in[0].begin(), channels_, state);
  }

 private:
  std::ptrdiff_t row() const { return row_floats(channels_); }

  // The last of the frames is x itself.
  void interpolate(const Call& call, const float* x, float* y) const noexcept {
    const float step = 1.0f / static_cast<float>(factor_);
    for (int i = 1; i < factor_; ++i, y += row()) {
      call.kernels.lerp(call.state, x, static_cast<float>(i) * step, y,
                        static_cast<std::size_t>(channels_));
    }
    std::copy_n(x, channels_, y);
    std::copy_n(x, channels_, call.state);
  }

  int factor_;
  bool linear_;
  int channels_;
};

class Pool final : public WindowLayer {
 public:
  explicit Pool(const LayerContext& context)
      : size_(context.integer("size", 1, kMaxFactor)),
        mode_(static_cast<Mode>(context.integer("mode", 0, 2))),
        channels_(context.input().channels),
        out_channels_(context.output().channels),
        window_(context, size_, size_) {
    context.require_inputs(1);
    context.require_output(mode_ == Mode::max_with_index ? std::int64_t{2} * channels_ : channels_);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const float* x = window_.append(call);
    const std::ptrdiff_t row = window_.row(), out_row = row_floats(out_channels_);
    const int num_out = call.num_frames / size_;
    for (int t = 0; t < num_out; ++t, x += size_ * row) {
      float* y = call.output + t * out_row;
      if (mode_ == Mode::mean) {
        mean(call.kernels, x, y);
      } else {
        maximum(x, y, mode_ == Mode::max_with_index ? y + channels_ : nullptr);
      }
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Pool{to.timing(), window_.record(to, size_, 1, channels_), to.output(), mode_,
                     channels_});
  }

 private:
  using Mode = gpu::Pool::Mode;

  const WindowRule& window() const override { return window_; }

  void mean(const Kernels& kernels, const float* x, float* y) const noexcept {
    const auto n = static_cast<std::size_t>(channels_);
    std::copy_n(x, channels_, y);
    for (int i = 1; i < size_; ++i) kernels.add(y, x + i * window_.row(), y, n);
    kernels.unary(Unary::affine, y, y, n, 1.0f / static_cast<float>(size_), 0.0f);
  }

  void maximum(const float* x, float* y, float* index) const noexcept {
    std::copy_n(x, channels_, y);
    if (index) std::fill_n(index, channels_, 0.0f);
    for (int i = 1; i < size_; ++i) {
      x += window_.row();
      for (int c = 0; c < channels_; ++c) {
        if (x[c] <= y[c]) continue;
        y[c] = x[c];
        if (index) index[c] = static_cast<float>(i);
      }
    }
  }

  int size_;
  Mode mode_;
  int channels_;
  int out_channels_;
  WindowRule window_;
};

class Unpool final : public Layer {
 public:
  explicit Unpool(const LayerContext& context)
      : size_(upsampling_factor(context, "size")), channels_(context.output().channels) {
    context.require(context.input().channels == 2 * std::int64_t{channels_},
                    "needs a value and an index a channel");
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats(2 * channels_), out_row = row_floats(channels_);
    for (int t = 0; t < call.num_frames; ++t) {
      const float* x = call.inputs[0] + t * row;
      const bool valid = t >= call.valid_begin && t < call.valid_end;
      float* y = call.output + std::ptrdiff_t{t} * size_ * out_row;
      for (int i = 0; i < size_; ++i, y += out_row) {
        for (int c = 0; c < channels_; ++c) {
          y[c] = valid && x[channels_ + c] == static_cast<float>(i) ? x[c] : 0.0f;
        }
      }
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Unpool{to.timing(), to.input(), to.output(), size_});
  }

  std::int64_t out_length(std::int64_t length) const override {
    return std::max<std::int64_t>(0, length * size_);
  }

 private:
  int size_;
  int channels_;
};

}  // namespace

std::unique_ptr<Layer> make_resample(const LayerContext& context) {
  const std::string& kind = context.spec().kind;
  if (kind == "upsample") return std::make_unique<Upsample>(context);
  if (kind == "pool") return std::make_unique<Pool>(context);
  if (kind == "unpool") return std::make_unique<Unpool>(context);
  return nullptr;
}

}  // namespace rtaudio
