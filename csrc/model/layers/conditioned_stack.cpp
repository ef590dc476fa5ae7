// Dilated layers that all see the stack's own condition: a WaveNet without feedback.
#include <algorithm>
#include <optional>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/ring.h"

namespace rtaudio {
namespace {

constexpr int kMaxLayers = 1024;

int padded(int channels) { return (channels + 15) / 16 * 16; }
std::size_t product(int a, int b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

struct Function {
  Unary kind;
  float a, b;

  void apply(const Kernels& kernels, float* x, std::size_t n) const noexcept {
    kernels.unary(kind, x, x, n, a, b);
  }
};

// Rows in scratch are padded to whole vectors, and so are the outputs of every matrix.
class ConditionedStack final : public Layer {
 public:
  explicit ConditionedStack(const LayerContext& context)
      : channels_(context.integer("channels", 1, 1 << 14)),
        hidden_(context.integer("hidden", 1, 1 << 14)),
        skip_(context.integer("skip_channels", 1, 1 << 14)),
        has_skip_(context.integer("skip_matrix", 0, 1) == 1),
        activation_(function(context, "activation")) {
    if (context.integer("gated", 0, 1) == 1) gate_ = function(context, "gate");
    context.require_inputs(1);
    context.require(has_skip_ || skip_ == hidden_, "adds channels of different numbers");
    context.require(context.input().channels == channels_ + 1 + skip_,
                    "does not fit its input's channels");
    context.require_output(channels_ + 1 + skip_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    const int num_layers = context.integer("num_layers", 1, kMaxLayers);
    const int wide = gate_ ? 2 : 1;
    for (int i = 0; i < num_layers; ++i) {
      const std::string index = std::to_string(i), path = "layers." + index + ".";
      const int kernel = context.integer("kernel." + index, 1, 4096);
      const int dilation = context.integer("dilation." + index, 1, (1 << 20) / kernel);
      const float* bias = context.tensor(path + "in.past.conv.bias", {wide * hidden_});
      const float* conv =
          context.tensor(path + "in.past.conv.weight", {wide * hidden_, channels_, kernel});
      const float* condition =
          context.tensor(path + "in.now.condition.weight", {wide * hidden_, 1});
      const float* residual = context.tensor(path + "out.residual.weight", {channels_, hidden_});
      const float* constant = context.tensor(path + "out.residual.bias", {channels_});
      std::optional<PackedWeights> skip;
      if (has_skip_) {
        skip = pack(context.tensor(path + "out.skip.weight", {skip_, hidden_}), 1, skip_, hidden_,
                    1, context.tensor(path + "out.skip.bias", {skip_}));
      }
      layers_.push_back({pack(conv, wide, hidden_, channels_, kernel, bias),
                         pack(condition, wide, hidden_, 1, 1, nullptr),
                         pack(residual, 1, channels_, hidden_, 1, constant), std::move(skip),
                         Ring(channels_, (kernel - 1) * dilation, padded(channels_)), kernel,
                         dilation});
    }
  }

  std::size_t state_floats(int max_frames) const override {
    std::size_t floats = 0;
    for (const Step& layer : layers_) floats += ring_floats(layer, max_frames);
    return floats;
  }
  std::size_t scratch_floats(int max_frames) const override {
    return static_cast<std::size_t>(max_frames) * scratch_row() + 16;
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const int n = call.num_frames;
    const std::ptrdiff_t in_row = row_floats(channels_ + 1 + skip_);
    const std::ptrdiff_t row = padded(channels_), skip_row = padded(skip_);
    const auto frames = static_cast<std::size_t>(n);
    float* x = call.scratch;
    float* s = x + frames * static_cast<std::size_t>(row);
    float* z = s + frames * static_cast<std::size_t>(skip_row);
    float* other = z + frames * wide_row();
    for (int t = 0; t < n; ++t) {
      const float* from = call.inputs[0] + t * in_row;
      std::fill(std::copy_n(from, channels_, x + t * row), x + (t + 1) * row, 0.0f);
      std::fill(std::copy_n(from + channels_ + 1, skip_, s + t * skip_row), s + (t + 1) * skip_row,
                0.0f);
    }
    const Rows condition{call.inputs[0] + channels_, in_row, 0, 1, 1};
    float* state = call.state;
    for (const Step& layer : layers_) {
      const float* oldest = layer.ring.append(state, call.max_frames, call.position, x, n,
                                              call.valid_begin, call.valid_end);
      state += ring_floats(layer, call.max_frames);
      const Rows past{oldest, row, layer.dilation * row, layer.kernel, channels_};
      run(call, layer, past, condition, z, other, n);
      const Rows hidden{z, padded(hidden_), 0, 1, hidden_};
      if (layer.skip) call.kernels.matmul(layer.skip->view(), hidden, other, skip_row, n);
      call.kernels.add(s, layer.skip ? other : z, s, frames * static_cast<std::size_t>(skip_row));
      call.kernels.matmul(layer.residual.view(), hidden, other, row, n);
      call.kernels.add(x, other, x, frames * static_cast<std::size_t>(row));
    }
    for (int t = 0; t < n; ++t) {
      float* to = call.output + t * in_row;
      std::copy_n(x + t * row, channels_, to);
      to[channels_] = call.inputs[0][t * in_row + channels_];
      std::copy_n(s + t * skip_row, skip_, to + channels_ + 1);
    }
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i].ring.history() > 0) {
        specs.push_back({"history." + std::to_string(i), channels_, layers_[i].ring.history()});
      }
    }
    return specs;
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    std::size_t used = 0;
    for (const Step& layer : layers_) {
      if (layer.ring.history() > 0) layer.ring.save(state, max_frames, position, out[used++]);
      state += ring_floats(layer, max_frames);
    }
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    std::size_t used = 0;
    for (const Step& layer : layers_) {
      if (layer.ring.history() > 0) layer.ring.load(state, max_frames, position, in[used++]);
      state += ring_floats(layer, max_frames);
    }
  }

 private:
  struct Step {
    PackedWeights conv, condition, residual;
    std::optional<PackedWeights> skip;
    Ring ring;
    int kernel, dilation;
  };

  static Function function(const LayerContext& context, const std::string& name) {
    const int last = static_cast<int>(Unary::count) - 1;
    return {static_cast<Unary>(context.integer(name, 0, last)), context.number(name + "_a"),
            context.number(name + "_b")};
  }

  // z = f(conv + condition), the gate's product in the rows of one half.
  void run(const Call& call, const Step& layer, const Rows& past, const Rows& condition, float* z,
           float* other, int n) const noexcept {
    const std::ptrdiff_t half = padded(hidden_), row = gate_ ? 2 * half : half;
    const auto floats = static_cast<std::size_t>(n * row);
    call.kernels.matmul(layer.conv.view(), past, z, row, n);
    call.kernels.matmul(layer.condition.view(), condition, other, row, n);
    call.kernels.add(z, other, z, floats);
    if (!gate_) {
      activation_.apply(call.kernels, z, floats);
    } else if (activation_.kind == Unary::tanh && gate_->kind == Unary::sigmoid) {
      call.kernels.gate(true, z, other, static_cast<int>(half), half, row, half, n);
      std::copy_n(other, n * half, z);
    } else {
      for (int t = 0; t < n; ++t) {
        float* frame = z + t * row;
        activation_.apply(call.kernels, frame, static_cast<std::size_t>(half));
        gate_->apply(call.kernels, frame + half, static_cast<std::size_t>(half));
        call.kernels.multiply(frame, frame + half, other + t * half,
                              static_cast<std::size_t>(half));
      }
      std::copy_n(other, n * half, z);
    }
  }

  std::size_t wide_row() const { return static_cast<std::size_t>(padded(hidden_)) * 2; }
  std::size_t scratch_row() const {
    const auto row = static_cast<std::size_t>(padded(channels_));
    const auto skip = static_cast<std::size_t>(padded(skip_));
    return row + skip + wide_row() + std::max({row, skip, wide_row()});
  }
  std::size_t ring_floats(const Step& layer, int max_frames) const {
    return (layer.ring.floats(max_frames) + 15) / 16 * 16;
  }

  // [parts * outputs, inputs, taps], every part padded to whole vectors, k = tap * inputs +
  // channel.
  static PackedWeights pack(const float* weight, int parts, int outputs, int inputs, int taps,
                            const float* bias) {
    const int part = padded(outputs), depth = inputs * taps;
    std::vector<float> rows(product(parts * part, depth));
    std::vector<float> biases(product(parts, part));
    for (int o = 0; o < parts * outputs; ++o) {
      const int to = o / outputs * part + o % outputs;
      if (bias != nullptr) biases[static_cast<std::size_t>(to)] = bias[o];
      for (int i = 0; i < inputs; ++i) {
        for (int k = 0; k < taps; ++k) {
          rows[product(to, depth) + static_cast<std::size_t>(k * inputs + i)] =
              weight[product(o, depth) + static_cast<std::size_t>(i * taps + k)];
        }
      }
    }
    return pack_matrix(rows.data(), parts * part, depth, biases.data());
  }

  int channels_;
  int hidden_;
  int skip_;
  bool has_skip_;
  Function activation_;
  std::optional<Function> gate_;
  std::vector<Step> layers_;
};

}  // namespace

std::unique_ptr<Layer> make_conditioned_stack(const LayerContext& context) {
  if (context.spec().kind != "conditioned_stack") return nullptr;
  return std::make_unique<ConditionedStack>(context);
}

}  // namespace rtaudio
