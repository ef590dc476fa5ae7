// Convolution and transposed convolution over time.
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/window.h"

namespace rtaudio {
namespace {

constexpr std::int64_t kMaxFrames = 1 << 20;

// torch's [outputs, inputs, kernel] as the packer wants it: [outputs][tap][input].
std::vector<float> taps_first(const float* weight, int outputs, int inputs, int kernel) {
  std::vector<float> out(static_cast<std::size_t>(outputs) * static_cast<std::size_t>(inputs) *
                         static_cast<std::size_t>(kernel));
  std::size_t at = 0;
  for (int o = 0; o < outputs; ++o) {
    for (int k = 0; k < kernel; ++k) {
      for (int i = 0; i < inputs; ++i) {
        out[at++] = weight[(static_cast<std::size_t>(o) * static_cast<std::size_t>(inputs) +
                            static_cast<std::size_t>(i)) *
                               static_cast<std::size_t>(kernel) +
                           static_cast<std::size_t>(k)];
      }
    }
  }
  return out;
}

class Conv final : public WindowLayer {
 public:
  explicit Conv(const LayerContext& context)
      : kernel_(context.integer("kernel", 1, kMaxFrames)),
        dilation_(context.integer("dilation", 1, kMaxFrames)),
        groups_(context.integer("groups", 1, 1 << 16)),
        channels_(context.input().channels),
        outputs_(context.output().channels),
        window_(make_window(context)) {
    context.require_inputs(1);
    context.require(channels_ % groups_ == 0 && outputs_ % groups_ == 0,
                    "has channels that do not split into its groups");
    const int inputs = channels_ / groups_;
    const int outputs = outputs_ / groups_;
    const float* weight = context.tensor("weight", {outputs_, inputs, kernel_});
    const float* bias = context.optional_tensor("bias", {outputs_});
    if (groups_ == channels_ && groups_ == outputs_ && groups_ > 1) {
      pack_depthwise(weight, bias);
      return;
    }
    for (int g = 0; g < groups_; ++g) {
      const std::size_t offset = static_cast<std::size_t>(g) * static_cast<std::size_t>(outputs) *
                                 static_cast<std::size_t>(inputs) *
                                 static_cast<std::size_t>(kernel_);
      packed_.push_back(context.packed_once({groups_, g}, [&] {
        const auto rows = taps_first(weight + offset, outputs, inputs, kernel_);
        return pack_matrix(rows.data(), outputs, inputs * kernel_,
                           bias ? bias + g * outputs : nullptr, context.format("weight", inputs));
      }));
    }
  }

  bool stateless() const override { return window_.pointwise(); }

  std::size_t scratch_floats(int max_frames) const override {
    if (groups_ == 1 || packed_.empty()) return 0;
    const int frames = max_frames / window_.stride() + 1;
    return static_cast<std::size_t>(frames) *
           static_cast<std::size_t>(row_floats(outputs_ / groups_));
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats(channels_);
    const float* first = window_.append(call);
    Rows rows{first, window_.stride() * row, dilation_ * row, kernel_, channels_ / groups_};
    const int num_out = call.num_frames / window_.stride();
    const std::ptrdiff_t out_row = row_floats(outputs_);
    if (!depthwise_.empty()) {
      call.kernels.depthwise(depthwise_.data(), depthwise_bias_.data(), channels_, rows,
                             call.output, out_row, num_out);
      return;
    }
    if (groups_ == 1) {
      call.kernels.matmul(packed_[0].view(), rows, call.output, out_row, num_out);
      return;
    }
    // Groups of 16 outputs or more are written in whole vectors, so each goes by way of scratch.
    const int outputs = outputs_ / groups_;
    const std::ptrdiff_t step = row_floats(outputs);
    for (int g = 0; g < groups_; ++g) {
      rows.data = first + static_cast<std::ptrdiff_t>(g) * rows.inputs;
      call.kernels.matmul(packed_[static_cast<std::size_t>(g)].view(), rows, call.scratch, step,
                          num_out);
      for (int t = 0; t < num_out; ++t) {
        std::copy_n(call.scratch + t * step, outputs, call.output + t * out_row + g * outputs);
      }
    }
  }

  void record(Recorder& to) const override {
    gpu::Window x = window_.record(to, kernel_, dilation_, channels_ / groups_);
    const gpu::Signal& y = to.output();
    if (!depthwise_.empty()) {
      to.add(gpu::Depthwise{to.timing(), x, to.table(depthwise_), row_floats(channels_),
                            to.table(depthwise_bias_), y.memory, y.row, y.frames, channels_});
      return;
    }
    const int outputs = outputs_ / groups_;
    for (int g = 0; g < groups_; ++g, x.offset += x.inputs) {
      to.matmul(to.matrix(packed_[static_cast<std::size_t>(g)]), x,
                y.memory.after(std::ptrdiff_t{g} * outputs), y.row, y.frames);
    }
  }

 private:
  const WindowRule& window() const override { return window_; }

  WindowRule make_window(const LayerContext& context) const {
    const std::int64_t width = (std::int64_t{kernel_} - 1) * dilation_ + 1;
    context.require(width <= kMaxFrames, "has a receptive field that is too long");
    return {context, static_cast<int>(width), context.integer("stride", 1, kMaxFrames)};
  }

  void pack_depthwise(const float* weight, const float* bias) {
    const std::size_t row = static_cast<std::size_t>(row_floats(channels_));
    depthwise_.assign(row * static_cast<std::size_t>(kernel_) + 16, 0.0f);
    depthwise_bias_.assign(row + 16, 0.0f);
    for (int c = 0; c < channels_; ++c) {
      for (int k = 0; k < kernel_; ++k) {
        depthwise_[static_cast<std::size_t>(k) * row + static_cast<std::size_t>(c)] =
            weight[c * kernel_ + k];
      }
      if (bias) depthwise_bias_[static_cast<std::size_t>(c)] = bias[c];
    }
  }

  int kernel_;
  int dilation_;
  int groups_;
  int channels_;
  int outputs_;
  WindowRule window_;
  std::vector<PackedWeights> packed_;
  std::vector<float> depthwise_;
  std::vector<float> depthwise_bias_;
};

class ConvTranspose final : public Layer {
 public:
  explicit ConvTranspose(const LayerContext& context)
      : kernel_(context.integer("kernel", 1, kMaxFrames)),
        stride_(context.integer("stride", 1, kernel_)),
        groups_(context.integer("groups", 1, 1 << 16)),
        trim_(context.integer("trim", 0, kMaxFrames)),
        channels_(context.input().channels),
        outputs_(context.output().channels) {
    context.require_inputs(1);
    context.require(channels_ % groups_ == 0 && outputs_ % groups_ == 0,
                    "has channels that do not split into its groups");
    context.require(context.input().frames * std::int64_t{stride_} == context.output().frames,
                    "does not fit the frames of its buffers");
    const int inputs = channels_ / groups_;
    const int outputs = outputs_ / groups_;
    context.require(std::int64_t{kernel_} * outputs <= 1 << 24, "is too large");
    const float* weight = context.tensor("weight", {channels_, outputs, kernel_});
    const float* bias = context.optional_tensor("bias", {outputs_});
    bias_.assign(static_cast<std::size_t>(outputs_), 0.0f);
    if (bias) bias_.assign(bias, bias + outputs_);
    std::vector<float> rows(static_cast<std::size_t>(kernel_) * static_cast<std::size_t>(outputs) *
                            static_cast<std::size_t>(inputs));
    for (int g = 0; g < groups_; ++g) {
      std::size_t at = 0;
      for (int k = 0; k < kernel_; ++k) {
        for (int o = 0; o < outputs; ++o) {
          for (int i = 0; i < inputs; ++i) {
            rows[at++] = weight[(static_cast<std::size_t>(g * inputs + i) *
                                     static_cast<std::size_t>(outputs) +
                                 static_cast<std::size_t>(o)) *
                                    static_cast<std::size_t>(kernel_) +
                                static_cast<std::size_t>(k)];
          }
        }
      }
      packed_.push_back(pack_matrix(rows.data(), kernel_ * outputs, inputs, nullptr));
    }
  }

  // State: the sums of outputs not complete yet, [kernel - stride][outputs].
  std::size_t state_floats(int /*max_frames*/) const override {
    return static_cast<std::size_t>(kernel_ - stride_) * static_cast<std::size_t>(outputs_);
  }
  // One input frame's [kernel][outputs / groups].
  std::size_t scratch_floats(int /*max_frames*/) const override {
    return static_cast<std::size_t>(row_floats(kernel_ * (outputs_ / groups_)));
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats(channels_);
    const std::ptrdiff_t out_row = row_floats(outputs_);
    const int outputs = outputs_ / groups_;
    const int inputs = channels_ / groups_;
    const int kept = kernel_ - stride_;
    for (int t = 0; t < call.num_frames; ++t) {
      const bool valid = t >= call.valid_begin && t < call.valid_end;
      float* y = call.output + t * stride_ * out_row;
      for (int g = 0; g < groups_; ++g) {
        if (valid) {
          const Rows rows{call.inputs[0] + t * row + g * inputs, row, 0, 1, inputs};
          call.kernels.matmul(packed_[static_cast<std::size_t>(g)].view(), rows, call.scratch,
                              row_floats(kernel_ * outputs), 1);
        } else {
          std::fill_n(call.scratch, kernel_ * outputs, 0.0f);
        }
        for (int k = 0; k < kernel_; ++k) {
          for (int o = 0; o < outputs; ++o) {
            const int channel = g * outputs + o;
            const float sum = (k < kept ? call.state[k * outputs_ + channel] : 0.0f) +
                              call.scratch[k * outputs + o];
            if (k < stride_) {
              y[k * out_row + channel] = sum + bias_[static_cast<std::size_t>(channel)];
            } else {
              call.state[(k - stride_) * outputs_ + channel] = sum;
            }
          }
        }
      }
    }
  }

  // All products of a call, then each output's sum, then the sums that are not complete yet.
  void record(Recorder& to) const override {
    const int outputs = outputs_ / groups_, step = row_floats(kernel_ * outputs_);
    const gpu::Memory products =
        to.scratch(static_cast<std::size_t>(to.max_frames()) * static_cast<std::size_t>(step));
    const int row = row_floats(channels_);
    for (int g = 0; g < groups_; ++g) {
      const int inputs = channels_ / groups_;
      const gpu::Window x{
          {to.input().memory, row, 0, 0}, std::ptrdiff_t{g} * inputs, row, 0, 1, inputs};
      to.matmul(to.matrix(packed_[static_cast<std::size_t>(g)]), x,
                products.after(std::ptrdiff_t{g} * kernel_ * outputs), step, to.input().frames,
                true);
    }
    const gpu::Memory next = to.scratch(state_floats(0));
    to.add(gpu::Overlap{to.timing(), products, step, kernel_, stride_, groups_, outputs,
                        to.table(bias_), to.state(), to.output(), next});
    if (kernel_ > stride_) {
      to.add(gpu::Move{to.timing(), next, to.state(), (kernel_ - stride_) * outputs_});
    }
  }

  std::int64_t out_length(std::int64_t length) const override {
    return length <= 0 ? 0 : std::max<std::int64_t>(0, length * stride_ - trim_);
  }

  std::vector<StateSpec> state_specs() const override {
    if (kernel_ == stride_) return {};
    return {{"overlap", outputs_, kernel_ - stride_}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    const int kept = kernel_ - stride_;
    for (int k = 0; k < kept; ++k) {
      for (int c = 0; c < outputs_; ++c) {
        out[0][static_cast<std::size_t>(c * kept + k)] = state[k * outputs_ + c];
      }
    }
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    const int kept = kernel_ - stride_;
    for (int k = 0; k < kept; ++k) {
      for (int c = 0; c < outputs_; ++c) {
        state[k * outputs_ + c] = in[0][static_cast<std::size_t>(c * kept + k)];
      }
    }
  }

 private:
  int kernel_;
  int stride_;
  int groups_;
  int trim_;
  int channels_;
  int outputs_;
  std::vector<float> bias_;
  std::vector<PackedWeights> packed_;
};

}  // namespace

std::unique_ptr<Layer> make_conv(const LayerContext& context) {
  if (context.spec().kind == "conv1d") return std::make_unique<Conv>(context);
  if (context.spec().kind == "conv_transpose1d") return std::make_unique<ConvTranspose>(context);
  return nullptr;
}

}  // namespace rtaudio
