// Short-time spectra: a complex frame is [re(0..bins), im(0..bins)].
#include <algorithm>
#include <vector>

#include "core/fft.h"
#include "model/layer.h"
#include "model/window.h"

namespace rtaudio {
namespace {

constexpr int kMaxWindow = 1 << 15;

std::vector<float> window_table(const LayerContext& context, int window) {
  const float* values = context.tensor("window", {window});
  return {values, values + window};
}

// A window of frames and, behind it, zeros up to the transform's length.
class Stft final : public WindowLayer {
 public:
  explicit Stft(const LayerContext& context)
      : hop_(context.integer("hop", 1, kMaxWindow)),
        window_(context.integer("window", std::max(2, hop_), kMaxWindow)),
        fft_(context.optional_integer("fft", window_, window_, kMaxWindow)),
        tables_(make_fft_tables(fft_)),
        values_(window_table(context, window_)),
        rule_(context, window_, hop_) {
    context.require_inputs(1);
    context.require(context.input().channels == 1, "takes one channel");
    context.require_output(2 * bins());
  }

  std::size_t scratch_floats(int) const override {
    return static_cast<std::size_t>(fft_ + 16) / 16 * 16 + fft_scratch_floats(fft_);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const float* x = rule_.append(call);
    float* frame = call.scratch;
    float* rest = frame + static_cast<std::size_t>(fft_ + 16) / 16 * 16;
    const FftPlan plan = tables_.view();
    const int num_out = call.num_frames / hop_;
    for (int t = 0; t < num_out; ++t) {
      float* y = call.output + t * std::ptrdiff_t{row_floats(2 * bins())};
      call.kernels.multiply(x + t * hop_, values_.data(), frame, static_cast<std::size_t>(window_));
      std::fill(frame + window_, frame + fft_, 0.0f);
      call.kernels.rfft(plan, frame, y, y + bins(), rest);
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Stft{to.timing(), rule_.record(to, 1, 0, window_), to.table(values_), window_,
                     to.transform(tables_, to.max_frames() / hop_), to.output(), false});
  }

 private:
  const WindowRule& window() const override { return rule_; }

  int bins() const { return fft_ / 2 + 1; }

  int hop_;
  int window_;
  int fft_;
  FftTables tables_;
  std::vector<float> values_;
  WindowRule rule_;
};

class Istft final : public Layer {
 public:
  explicit Istft(const LayerContext& context)
      : window_(context.integer("window", 2, kMaxWindow)),
        hop_(context.integer("hop", 1, window_)),
        trim_(context.integer("trim", 0, kMaxWindow)),
        tables_(make_fft_tables(window_)),
        values_(window_table(context, window_)) {
    context.require_inputs(1);
    context.require(context.input().channels == 2 * bins(), "does not fit its input's channels");
    context.require_output(1);
    context.require(context.input().frames * std::int64_t{hop_} == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  // State: the sums of samples not complete yet.
  std::size_t state_floats(int) const override { return static_cast<std::size_t>(kept()) + 16; }
  std::size_t scratch_floats(int) const override {
    return static_cast<std::size_t>(window_ + 16) / 16 * 16 + fft_scratch_floats(window_);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    float* frame = call.scratch;
    float* rest = frame + static_cast<std::size_t>(window_ + 16) / 16 * 16;
    const FftPlan plan = tables_.view();
    for (int t = 0; t < call.num_frames; ++t) {
      const float* x = call.inputs[0] + t * std::ptrdiff_t{row_floats(2 * bins())};
      if (t >= call.valid_begin && t < call.valid_end) {
        call.kernels.irfft(plan, x, x + bins(), frame, rest);
        call.kernels.multiply(frame, values_.data(), frame, static_cast<std::size_t>(window_));
      } else {
        std::fill_n(frame, window_, 0.0f);
      }
      call.kernels.add(frame, call.state, frame, static_cast<std::size_t>(kept()));
      std::copy_n(frame, hop_, call.output + t * hop_);
      std::copy_n(frame + hop_, kept(), call.state);
    }
  }
  void record(Recorder& to) const override {
    const auto window = static_cast<std::size_t>(window_);
    const gpu::Memory frames = to.scratch(static_cast<std::size_t>(to.max_frames()) * window);
    to.add(gpu::Istft{to.timing(), to.input(), to.table(values_),
                      to.transform(tables_, to.max_frames()), frames});
    const gpu::Memory next = to.scratch(window);
    to.add(gpu::Overlap{to.timing(), frames, window_, window_, hop_, 1, 1, nullptr, to.state(),
                        to.output(), next});
    if (kept() > 0) to.add(gpu::Move{to.timing(), next, to.state(), kept()});
  }

  std::int64_t out_length(std::int64_t length) const override {
    return length <= 0 ? 0 : std::max<std::int64_t>(0, length * hop_ - trim_);
  }

  std::vector<StateSpec> state_specs() const override {
    if (kept() == 0) return {};
    return {{"overlap", 1, kept()}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    if (kept() > 0) std::copy_n(state, kept(), out[0].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    if (kept() > 0) std::copy_n(in[0].begin(), kept(), state);
  }

 private:
  int bins() const { return window_ / 2 + 1; }
  int kept() const { return window_ - hop_; }

  int window_;
  int hop_;
  int trim_;
  FftTables tables_;
  std::vector<float> values_;
};

// Layers of one complex frame.
class ComplexFrame final : public Layer {
 public:
  enum class Kind { power, compress, gain };

  ComplexFrame(const LayerContext& context, Kind kind)
      : kind_(kind),
        bins_(context.input().channels / (kind == Kind::gain ? 3 : 2)),
        exponent_(kind == Kind::compress ? context.number("exponent") : 1.0f),
        eps_(kind == Kind::compress ? context.number("eps") : 0.0f) {
    context.require_inputs(1);
    context.require(context.input().channels == (kind == Kind::gain ? 3 : 2) * bins_,
                    "does not fit its input's channels");
    context.require_output((kind == Kind::power ? 1 : 2) * bins_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  bool stateless() const override { return true; }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats((kind_ == Kind::gain ? 3 : 2) * bins_);
    const std::ptrdiff_t out_row = row_floats((kind_ == Kind::power ? 1 : 2) * bins_);
    const auto bins = static_cast<std::size_t>(bins_);
    for (int t = 0; t < call.num_frames; ++t) {
      const float* x = call.inputs[0] + t * row;
      float* y = call.output + t * out_row;
      switch (kind_) {
        case Kind::power:
          call.kernels.complex_power(x, x + bins_, y, bins_);
          break;
        case Kind::compress:
          call.kernels.complex_compress(x, x + bins_, y, y + bins_, bins_, exponent_, eps_);
          break;
        case Kind::gain:
          call.kernels.multiply(x, x + bins_, y, bins);
          call.kernels.multiply(x, x + 2 * bins_, y + bins_, bins);
          break;
      }
    }
  }
  void record(Recorder& to) const override {
    using Work = gpu::Channelwise::Kind;
    const Work kind = kind_ == Kind::power      ? Work::power
                      : kind_ == Kind::compress ? Work::compress
                                                : Work::gain;
    to.add(gpu::Channelwise{to.timing(), to.input(), to.output(), kind, nullptr, nullptr,
                            (exponent_ - 1.0f) * 0.5f, eps_});
  }

 private:
  Kind kind_;
  int bins_;
  float exponent_;
  float eps_;
};

// Input [coefficients(taps, 2 * bins); re; im]; the ring keeps whole rows of it.
class DeepFilter final : public WindowLayer {
 public:
  explicit DeepFilter(const LayerContext& context)
      : taps_(context.integer("taps", 1, 64)),
        bins_(context.integer("bins", 1, 1 << 14)),
        rule_(context, taps_, 1) {
    context.require_inputs(1);
    context.require(context.input().channels == 2 * bins_ * (taps_ + 1),
                    "does not fit its input's channels");
    context.require_output(2 * bins_);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const float* rows = rule_.append(call);
    const std::ptrdiff_t spectrum = std::ptrdiff_t{2} * bins_ * taps_;
    for (int t = 0; t < call.num_frames; ++t) {
      const float* oldest = rows + t * std::ptrdiff_t{rule_.row()};
      const float* newest = oldest + (taps_ - 1) * std::ptrdiff_t{rule_.row()};
      float* y = call.output + t * std::ptrdiff_t{row_floats(2 * bins_)};
      call.kernels.deep_filter(newest, oldest + spectrum, rule_.row(), bins_, taps_, bins_, y,
                               y + bins_);
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::DeepFilter{to.timing(), rule_.record(to, taps_, 1, 2 * bins_ * (taps_ + 1)), taps_,
                           bins_, to.output()});
  }

 private:
  const WindowRule& window() const override { return rule_; }

  int taps_;
  int bins_;
  WindowRule rule_;
};

}  // namespace

std::unique_ptr<Layer> make_spectral(const LayerContext& context) {
  using Kind = ComplexFrame::Kind;
  const std::string& kind = context.spec().kind;
  if (kind == "stft") return std::make_unique<Stft>(context);
  if (kind == "istft") return std::make_unique<Istft>(context);
  if (kind == "complex_power") return std::make_unique<ComplexFrame>(context, Kind::power);
  if (kind == "complex_compress") return std::make_unique<ComplexFrame>(context, Kind::compress);
  if (kind == "complex_gain") return std::make_unique<ComplexFrame>(context, Kind::gain);
  if (kind == "deep_filter") return std::make_unique<DeepFilter>(context);
  return nullptr;
}

}  // namespace rtaudio
