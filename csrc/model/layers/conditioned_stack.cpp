// Dilated layers that all see the stack's own condition: a WaveNet without feedback.
#include <algorithm>
#include <optional>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/plane_ring.h"
#include "model/recorder.h"
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
};

// Narrow stacks run with time in lanes, unless calls bring too few frames to fill vectors.
constexpr int kMostPlanes = 16;
constexpr int kFewestFrames = 12;

constexpr std::int64_t kManyThreads = 1 << 17;  // above, a GPU's threads do several frames each

// Rows in scratch are padded to whole vectors, and so are the outputs of every matrix.
class Stack final : public Layer {
 public:
  explicit Stack(const LayerContext& context)
      : channels_(context.integer("channels", 1, 1 << 14)),
        hidden_(context.integer("hidden", 1, 1 << 14)),
        skip_(context.integer("skip_channels", 1, 1 << 14)),
        has_skip_(context.integer("skip_matrix", 0, 1) == 1),
        on_gpu_(context.device() != Device::cpu),
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
                         Ring(channels_, (kernel - 1) * dilation, padded(channels_)),
                         PlaneRing(channels_, (kernel - 1) * dilation), kernel, dilation});
    }
    is_narrow_ = std::max({channels_, hidden_, skip_}) <= kMostPlanes;
    for (const Step& layer : layers_) {
      is_narrow_ = is_narrow_ && channels_ * layer.kernel <= kMaxPlaneDepth;
      table_.push_back({layer.conv.view(), layer.condition.view(), layer.residual.view(),
                        layer.skip ? layer.skip->view() : PackedMatrix{}, layer.kernel,
                        layer.dilation});
    }
    is_whole_ = has_whole_tiles(as_stack());
  }

  std::size_t state_floats(int max_frames) const override {
    std::size_t floats = 0;
    for (const Step& layer : layers_) floats += ring_floats(layer, max_frames);
    return floats;
  }
  // Enough for both ways: several lanes ask for their frames together, and come one by one.
  std::size_t scratch_floats(int) const override {
    const bool gated = gate_.has_value();
    const std::size_t rows = conditioned_rows_scratch_floats(channels_, hidden_, skip_, gated);
    return is_narrow_
               ? std::max(rows, conditioned_planes_scratch_floats(channels_, hidden_, skip_, gated))
               : rows;
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const ConditionedStack stack = as_stack();
    const auto run = in_planes(call.max_frames) ? call.kernels.conditioned_planes
                                                : call.kernels.conditioned_rows;
    run(stack, call.state, call.max_frames, call.position, call.num_frames, call.valid_begin,
        call.valid_end, call.inputs[0], call.output, row_floats(channels_ + 1 + skip_),
        call.scratch);
  }

  void record(Recorder& to) const override {
    const gpu::Timing& timing = to.timing();
    const gpu::Signal& y = to.output();
    gpu::Signal x = to.input();
    to.add(gpu::Copy{timing, x, y, 0, 0, y.channels, nullptr});
    x.channels = channels_;
    std::vector<gpu::RingRows> rings;
    std::size_t at = 0;
    for (const Step& layer : layers_) {
      rings.push_back(to.ring(layer.rows, at));
      at += ring_floats(layer, to.max_frames());
    }
    rings.emplace_back();
    to.add(gpu::Append{timing, x, rings[0], false});
    const std::int64_t frames = std::int64_t{timing.lanes} * to.max_frames();
    const gpu::Memory h = to.scratch(product(to.max_frames(), padded(hidden_)));
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (frames * std::max(hidden_, channels_) >= kManyThreads) {
        record_layer<4>(to, layers_[i], h, rings[i], rings[i + 1]);
      } else {
        record_layer<1>(to, layers_[i], h, rings[i], rings[i + 1]);
      }
    }
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i].rows.history() > 0) {
        specs.push_back({"history." + std::to_string(i), channels_, layers_[i].rows.history()});
      }
    }
    return specs;
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    for_each_history(max_frames, [&](const auto& ring, std::size_t at, std::size_t i, int frames) {
      ring.save(state + at, frames, position, out[i]);
    });
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    for_each_history(max_frames, [&](const auto& ring, std::size_t at, std::size_t i, int frames) {
      ring.load(state + at, frames, position, in[i]);
    });
  }

 private:
  struct Step {
    PackedWeights conv, condition, residual;
    std::optional<PackedWeights> skip;
    Ring rows;  // the history's two forms
    PlaneRing planes;
    int kernel, dilation;
  };

  // `next`: the ring of the layer after this one, or none.
  template <int F>
  void record_layer(Recorder& to, const Step& layer, gpu::Memory h, const gpu::RingRows& ring,
                    const gpu::RingRows& next) const {
    const int h_row = padded(hidden_), row = padded(channels_);
    const gpu::Window past{ring,         0,        row, std::ptrdiff_t{layer.dilation} * row,
                           layer.kernel, channels_};
    const Function gate = gate_.value_or(Function{});
    const auto* condition = static_cast<const float*>(to.matrix(layer.condition).weights);
    to.add(gpu::ConditionedHidden<F>{to.timing(), to.matrix(layer.conv), past, to.output(),
                                     channels_, condition, h, h_row, hidden_, gate_.has_value(),
                                     activation_.kind, gate.kind, activation_.a, activation_.b,
                                     gate.a, gate.b});
    const gpu::Matrix skip = layer.skip ? to.matrix(*layer.skip) : gpu::Matrix{};
    to.add(gpu::ConditionedOutput<F>{to.timing(), to.matrix(layer.residual), skip, h, h_row,
                                     hidden_, to.output(), channels_, skip_, next});
  }

  ConditionedStack as_stack() const {
    const Function gate = gate_.value_or(Function{});
    return {table_.data(),
            static_cast<int>(table_.size()),
            channels_,
            hidden_,
            skip_,
            gate_.has_value(),
            activation_.kind,
            gate.kind,
            activation_.a,
            activation_.b,
            gate.a,
            gate.b,
            is_whole_};
  }
  bool in_planes(int max_frames) const { return is_narrow_ && max_frames >= kFewestFrames; }
  // f(ring, where it begins in the state, its number among those that are saved, max_frames)
  template <class F>
  void for_each_history(int max_frames, const F& f) const {
    std::size_t at = 0, used = 0;
    for (const Step& layer : layers_) {
      if (layer.rows.history() > 0) {
        if (on_gpu_) {
          f(layer.rows, at, used, max_frames);
        } else if (in_planes(max_frames)) {
          f(layer.planes, at, used, max_frames);
        } else {
          f(layer.rows, at, used, std::min(max_frames, kTileFrames));
        }
        ++used;
      }
      at += ring_floats(layer, max_frames);
    }
  }

  static Function function(const LayerContext& context, const std::string& name) {
    const int last = static_cast<int>(Unary::count) - 1;
    return {static_cast<Unary>(context.integer(name, 0, last)), context.number(name + "_a"),
            context.number(name + "_b")};
  }

  std::size_t ring_floats(const Step& layer, int max_frames) const {
    if (on_gpu_) return layer.rows.floats(max_frames);
    return in_planes(max_frames) ? layer.planes.floats(max_frames)
                                 : row_state_floats(channels_, layer.rows.history(), max_frames);
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
  bool on_gpu_;
  bool is_narrow_;
  bool is_whole_ = false;
  Function activation_;
  std::optional<Function> gate_;
  std::vector<Step> layers_;
  std::vector<ConditionedLayer> table_;  // for the kernel
};

}  // namespace

std::unique_ptr<Layer> make_conditioned_stack(const LayerContext& context) {
  if (context.spec().kind != "conditioned_stack") return nullptr;
  return std::make_unique<Stack>(context);
}

}  // namespace rtaudio
