// Layers in which an output frame depends on its input frame alone.
#include <algorithm>
#include <vector>

#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

// A table of one float a channel, padded to whole vectors.
std::vector<float> table(const float* values, int channels) {
  std::vector<float> out(static_cast<std::size_t>((channels + 15) / 16 * 16));
  std::copy_n(values, channels, out.begin());
  return out;
}

class Pointwise : public Layer {
 public:
  Pointwise(const LayerContext& context, int out_channels)
      : channels_(context.input().channels), out_channels_(out_channels) {
    context.require_inputs(1);
    context.require_output(out_channels);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  bool stateless() const override { return true; }

 protected:
  using Kind = gpu::Channelwise::Kind;
  static void add(Recorder& to, Kind kind, const float* first = nullptr,
                  const float* second = nullptr) {
    to.add(gpu::Channelwise{to.timing(), to.input(), to.output(), kind, first, second, 0.0f, 0.0f});
  }

  std::ptrdiff_t row() const { return row_floats(channels_); }
  std::ptrdiff_t out_row() const { return row_floats(out_channels_); }

  int channels_;
  int out_channels_;
};

class UnaryFunction final : public Pointwise {
 public:
  explicit UnaryFunction(const LayerContext& context)
      : Pointwise(context, context.input().channels),
        function_(
            static_cast<Unary>(context.integer("function", 0, static_cast<int>(Unary::count) - 1))),
        a_(context.number("a")),
        b_(context.number("b")) {}

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const auto floats = static_cast<std::size_t>(call.num_frames * row());
    call.kernels.unary(function_, call.inputs[0], call.output, floats, a_, b_);
  }
  void record(Recorder& to) const override {
    to.add(gpu::Function{to.timing(), to.input(), to.output(), function_, a_, b_});
  }

 private:
  Unary function_;
  float a_;
  float b_;
};

class Gate final : public Pointwise {
 public:
  explicit Gate(const LayerContext& context)
      : Pointwise(context, context.input().channels / 2), tanh_(context.integer("tanh", 0, 1)) {
    context.require(channels_ % 2 == 0, "needs an even number of channels");
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    call.kernels.gate(tanh_, call.inputs[0], call.output, out_channels_, out_channels_, row(),
                      out_row(), call.num_frames);
  }
  void record(Recorder& to) const override { add(to, tanh_ ? Kind::gated_tanh : Kind::glu); }

 private:
  bool tanh_;
};

class Modulate final : public Pointwise {
 public:
  explicit Modulate(const LayerContext& context)
      : Pointwise(context, context.input().channels / 3) {
    context.require(channels_ % 3 == 0, "needs channels in three equal parts");
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    call.kernels.modulate(call.inputs[0], call.output, out_channels_, row(), out_row(),
                          call.num_frames);
  }
  void record(Recorder& to) const override { add(to, Kind::modulate); }
};

class Affine final : public Pointwise {
 public:
  explicit Affine(const LayerContext& context)
      : Pointwise(context, context.input().channels),
        scale_(table(context.tensor("scale", {channels_}), channels_)),
        bias_(table(context.tensor("bias", {channels_}), channels_)) {}

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    call.kernels.affine(scale_.data(), bias_.data(), call.inputs[0], call.output, channels_, row(),
                        out_row(), call.num_frames);
  }
  void record(Recorder& to) const override {
    add(to, Kind::affine, to.table(scale_), to.table(bias_));
  }

 private:
  std::vector<float> scale_;
  std::vector<float> bias_;
};

class PRelu final : public Pointwise {
 public:
  explicit PRelu(const LayerContext& context)
      : Pointwise(context, context.input().channels),
        slope_(table(context.tensor("slope", {channels_}), channels_)) {}

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    call.kernels.prelu(slope_.data(), call.inputs[0], call.output, channels_, row(), out_row(),
                       call.num_frames);
  }
  void record(Recorder& to) const override { add(to, Kind::prelu, to.table(slope_)); }

 private:
  std::vector<float> slope_;
};

// A norm over each of `bands` groups of a frame's channels.
void record_norm(Recorder& to, int bands, const float* scale, const float* bias, float eps) {
  constexpr int kShort = 32;
  const gpu::Signal& x = to.input();
  if (x.channels / bands <= kShort) {
    to.add(gpu::Norm{to.timing(), x, to.output(), bands, scale, bias, eps});
    return;
  }
  const std::size_t rows =
      static_cast<std::size_t>(to.max_frames()) * static_cast<std::size_t>(bands);
  const gpu::Memory sums = to.scratch(rows * gpu::LongRows::kFloats);
  to.add(gpu::LongNorm{{to.timing(), x, bands, sums}, to.output(), scale, bias, eps});
}

class LayerNorm final : public Pointwise {
 public:
  explicit LayerNorm(const LayerContext& context)
      : Pointwise(context, context.input().channels),
        eps_(context.number("eps")),
        scale_(table(context.tensor("scale", {channels_}), channels_)),
        bias_(table(context.tensor("bias", {channels_}), channels_)) {
    context.require(eps_ > 0, "has an eps that is not positive");
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    call.kernels.layer_norm(scale_.data(), bias_.data(), eps_, call.inputs[0], call.output,
                            channels_, row(), out_row(), call.num_frames);
  }
  void record(Recorder& to) const override {
    record_norm(to, 1, to.table(scale_), to.table(bias_), eps_);
  }

 private:
  float eps_;
  std::vector<float> scale_;
  std::vector<float> bias_;
};

// LayerNorm over the channels of each band of a map [band][channel].
class BandNorm final : public Pointwise {
 public:
  explicit BandNorm(const LayerContext& context)
      : Pointwise(context, context.input().channels),
        bands_(context.integer("bands", 1, 1 << 16)),
        inputs_(channels_ / bands_),
        eps_(context.number("eps")),
        scale_(table(context.tensor("scale", {inputs_}), inputs_)),
        bias_(table(context.tensor("bias", {inputs_}), inputs_)) {
    context.require(channels_ % bands_ == 0, "has channels that are no whole bands");
    context.require(eps_ > 0, "has an eps that is not positive");
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    for (int t = 0; t < call.num_frames; ++t) {
      call.kernels.layer_norm(scale_.data(), bias_.data(), eps_, call.inputs[0] + t * row(),
                              call.output + t * row(), inputs_, inputs_, inputs_, bands_);
    }
  }
  void record(Recorder& to) const override {
    record_norm(to, bands_, to.table(scale_), to.table(bias_), eps_);
  }

 private:
  int bands_;
  int inputs_;
  float eps_;
  std::vector<float> scale_;
  std::vector<float> bias_;
};

class Channels final : public Pointwise {
 public:
  explicit Channels(const LayerContext& context)
      : Pointwise(context, context.output().channels),
        begin_(context.integer("begin", 0, 1 << 16)),
        end_(context.integer("end", begin_ + 1, 1 << 16)) {
    context.require_output(std::int64_t{end_} - begin_ + context.integer("pad", 0, 1 << 16));
  }

  ChannelRange held_outputs(std::span<const ChannelRange> inputs) const override {
    const ChannelRange held{std::max(inputs[0].begin - begin_, 0),
                            std::min(inputs[0].end, end_) - begin_};
    return held.begin < held.end ? held : ChannelRange{};
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const int copied = std::clamp(channels_ - begin_, 0, end_ - begin_);
    if (copied > 0) {
      call.kernels.copy_rows(call.inputs[0] + begin_, row(), call.output, out_row(), copied,
                             call.num_frames);
    }
    for (int t = 0; copied < out_channels_ && t < call.num_frames; ++t) {
      float* y = call.output + t * out_row();
      std::fill(y + copied, y + out_channels_, 0.0f);
    }
  }
  void record(Recorder& to) const override {
    gpu::Signal x = to.input();
    x.channels = std::min(x.channels, end_);
    to.add(gpu::Copy{to.timing(), x, to.output(), begin_, 0, out_channels_, nullptr});
  }

 private:
  int begin_;
  int end_;
};

// Input [wet; dry]: wet + control * (dry - wet).
class Blend final : public Pointwise {
 public:
  explicit Blend(const LayerContext& context) : Pointwise(context, context.input().channels / 2) {
    context.require(channels_ % 2 == 0, "needs an even number of channels");
    context.require(context.spec().control >= 0, "has no control port");
  }

  bool stateless() const override { return false; }  // a frame's control is of its time

  // The ramp: the value before this call and the one it moves to, a step a frame.
  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    for (int t = 0; t < call.num_frames; ++t) {
      const float* x = call.inputs[0] + t * row();
      call.kernels.lerp(x, x + out_channels_, call.control[t], call.output + t * out_row(),
                        static_cast<std::size_t>(out_channels_));
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Pairwise{to.timing(), to.input(), to.input(), to.output(),
                         gpu::Pairwise::Kind::blend, out_channels_, to.control()});
  }
};

}  // namespace

std::unique_ptr<Layer> make_pointwise(const LayerContext& context) {
  const std::string& kind = context.spec().kind;
  if (kind == "unary") return std::make_unique<UnaryFunction>(context);
  if (kind == "gate") return std::make_unique<Gate>(context);
  if (kind == "affine") return std::make_unique<Affine>(context);
  if (kind == "modulate") return std::make_unique<Modulate>(context);
  if (kind == "prelu") return std::make_unique<PRelu>(context);
  if (kind == "layer_norm") return std::make_unique<LayerNorm>(context);
  if (kind == "band_norm") return std::make_unique<BandNorm>(context);
  if (kind == "channels") return std::make_unique<Channels>(context);
  if (kind == "blend") return std::make_unique<Blend>(context);
  return nullptr;
}

}  // namespace rtaudio
