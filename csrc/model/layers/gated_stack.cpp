// WaveNet's stack of gated dilated convolutions as one fused operation.
#include <algorithm>
#include <array>
#include <new>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/ring.h"

namespace rtaudio {
namespace {

constexpr int kMaxLayers = 1024;
constexpr int kFramesAhead = 8;

// A conditioned stack's input is [x; c], c the 2 * gate values of each layer from which its sums
// start in place of a bias.
class Stack final : public Layer {
 public:
  Stack(const LayerContext& context, bool conditioned)
      : conditioned_(conditioned),
        channels_(context.integer("channels", 1, 1 << 16)),
        gate_(context.integer("gate_channels", 1, 1 << 15)),
        skip_(context.integer("skip_channels", 1, 1 << 16)),
        kernel_(context.integer("kernel", 1, 4096)) {
    context.require_inputs(1);
    context.require_output(skip_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    const int num_layers = context.integer("num_layers", 1, kMaxLayers);
    const std::int64_t condition = conditioned ? std::int64_t{2} * gate_ * num_layers : 0;
    context.require(context.input().channels == channels_ + condition,
                    "does not fit its input's channels");
    for (int i = 0; i < num_layers; ++i) {
      const std::string index = std::to_string(i);
      const int dilation = context.integer("dilation." + index, 1, (1 << 20) / kernel_);
      const std::string path = "layers." + index;
      layers_.push_back({pack_conv(context, path), pack_out(context, path), dilation});
      rings_.emplace_back(channels_, (kernel_ - 1) * dilation, padded(channels_));
      frames_ahead_.push_back(frames_ahead(layers_.back()));
    }
  }

  std::size_t state_floats(int max_frames) const override {
    std::size_t floats = 0;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      floats += ring_floats(i, max_frames) + ahead_floats(i, max_frames);
    }
    return floats;
  }

  // Of the kernel, of tables for as many lanes as go through it together, of padded input.
  std::size_t scratch_floats(int frames) const override {
    return table_offset() +
           static_cast<std::size_t>(std::min(frames, kGatedRows)) * table_floats() +
           static_cast<std::size_t>(frames) * static_cast<std::size_t>(padded(channels_));
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    if (conditioned_ && call.num_frames > 1) {  // each frame has its own table, or is a lane's row
      process_lanes({&call, 1});
      return;
    }
    float* const table = call.scratch + table_offset();
    GatedStack stack = begin(call, table);
    if (conditioned_) {
      start_from(call.inputs[0] + channels_, reinterpret_cast<GatedLayer*>(table),
                 table + layer_floats());
    }
    if (knows_next(call)) {
      stack.step = call.step;
      stack.steps = call.steps;
      float* ahead = call.state;
      for (std::size_t i = 0; i < layers_.size(); ++i) ahead += ring_floats(i, 1);
      for (std::size_t i = 0; i < layers_.size(); ahead += ahead_floats(i++, 1)) {
        if (frames_ahead_[i] == 1) continue;
        reinterpret_cast<GatedLayer*>(table)[i].ahead = ahead;
        reinterpret_cast<GatedLayer*>(table)[i].frames_ahead = frames_ahead_[i];
      }
    }
    call.kernels.gated_stack(stack, call.position, call.num_frames, call.valid_begin,
                             call.valid_end, call.output, row_floats(skip_), call.scratch);
  }

  void process_lanes(std::span<const Call> calls) const noexcept RTA_NONBLOCKING override {
    std::array<GatedLane, kGatedRows> lanes;
    for (std::size_t first = 0; first < calls.size(); first += lanes.size()) {
      const auto batch = calls.subspan(first, std::min(lanes.size(), calls.size() - first));
      float* table = batch[0].scratch + table_offset();
      for (std::size_t i = 0; i < batch.size(); ++i, table += table_floats()) {
        const Call& call = batch[i];
        lanes[i] = {begin(call, table), call.position, call.valid_begin, call.valid_end,
                    call.output};
        if (!conditioned_) continue;
        lanes[i].condition = call.inputs[0] + channels_;
        lanes[i].condition_step = input_row();
      }
      batch[0].kernels.gated_lanes(lanes.data(), static_cast<int>(batch.size()),
                                   batch[0].num_frames, row_floats(skip_), batch[0].scratch);
    }
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (rings_[i].history() > 0) {
        specs.push_back({"history." + std::to_string(i), channels_, rings_[i].history()});
      }
    }
    return specs;
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    std::size_t used = 0;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (rings_[i].history() > 0) {
        rings_[i].save(state, ring_frames(i, max_frames), position, out[used++]);
      }
      state += ring_floats(i, max_frames);
    }
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    std::size_t used = 0;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (rings_[i].history() > 0) {
        rings_[i].load(state, ring_frames(i, max_frames), position, in[used++]);
      }
      state += ring_floats(i, max_frames);
    }
  }

 private:
  struct Weights {
    PackedWeights conv;
    PackedWeights out;
    int dilation;
  };

  // Takes a call's rows in and builds the kernel's table of layers, with this stream's rings; room
  // for a frame's biases and for the rows, padded, is behind it.
  GatedStack begin(const Call& call, float* floats) const noexcept {
    auto* table = reinterpret_cast<GatedLayer*>(floats);
    float* state = call.state;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      new (table + i) GatedLayer{layers_[i].conv.view(), layers_[i].out.view(), layers_[i].dilation,
                                 state, rings_[i].frames(ring_frames(i, call.max_frames))};
      state += ring_floats(i, call.max_frames);
    }
    const float* rows = call.inputs[0];
    const std::ptrdiff_t in_row = input_row();
    if (in_row != padded(channels_)) {
      float* wide = floats + table_floats();
      for (int t = 0; t < call.num_frames; ++t) {
        std::copy_n(rows + t * in_row, channels_, wide + t * padded(channels_));
      }
      rows = wide;
    }
    rings_[0].append(call.state, call.max_frames, call.position, rows, call.num_frames,
                     call.valid_begin, call.valid_end);
    return {table,
            static_cast<int>(layers_.size()),
            kernel_,
            channels_,
            gate_,
            skip_,
            padded(channels_)};
  }

  // Frames whose sums over the older taps are made together in a loop, where frames come one by
  // one; 1: where they are not.
  int frames_ahead(const Weights& layer) const {
    const PackedMatrix& conv = layer.conv.view();
    const bool fits = conv.format == WeightFormat::fp32 ||
                      (conv.format == WeightFormat::bf16 && channels_ % 2 == 0);
    return kernel_ > 1 && conv.splits == 1 && fits ? std::min(layer.dilation, kFramesAhead) : 1;
  }
  std::size_t ahead_floats(std::size_t layer, int max_frames) const {
    if (max_frames > 1 || frames_ahead_[layer] == 1) return 0;
    return static_cast<std::size_t>(frames_ahead_[layer]) * bias_floats();
  }
  // Whether frames to come will have this one's condition.
  bool knows_next(const Call& call) const noexcept {
    if (call.steps == 1 || call.max_frames > 1) return false;
    return !conditioned_ || (call.held[0].begin <= channels_ &&
                             call.held[0].end == channels_ + condition_channels());
  }
  std::size_t layer_floats() const {
    return (layers_.size() * sizeof(GatedLayer) / sizeof(float) + 31) / 16 * 16;
  }
  std::size_t table_floats() const {
    return layer_floats() + (conditioned_ ? layers_.size() * bias_floats() : 0);
  }

  // The first layer's ring takes a whole call, the others a tile.
  static int ring_frames(std::size_t layer, int max_frames) {
    return layer == 0 ? max_frames : std::min(max_frames, kTileFrames);
  }
  std::size_t ring_floats(std::size_t layer, int max_frames) const {
    return (rings_[layer].floats(ring_frames(layer, max_frames)) + 15) / 16 * 16;
  }
  int input_row() const {
    return row_floats(channels_ + (conditioned_ ? condition_channels() : 0));
  }
  int condition_channels() const { return 2 * gate_ * static_cast<int>(layers_.size()); }
  std::size_t bias_floats() const { return static_cast<std::size_t>(2 * padded(gate_)); }
  // Lets each layer's sums start from its part of a frame's condition.
  void start_from(const float* condition, GatedLayer* table, float* biases) const noexcept {
    const bool whole = channels_ % 16 == 0 && gate_ % 16 == 0;  // vectors: no need to move them
    for (std::size_t i = 0; i < layers_.size(); ++i, condition += 2 * gate_) {
      table[i].conv.bias = condition;
      if (whole) continue;
      float* padded_bias = biases + i * bias_floats();
      std::fill(std::copy_n(condition, gate_, padded_bias), padded_bias + padded(gate_), 0.0f);
      std::fill(std::copy_n(condition + gate_, gate_, padded_bias + padded(gate_)),
                padded_bias + 2 * padded(gate_), 0.0f);
      table[i].conv.bias = padded_bias;
    }
  }
  std::size_t table_offset() const {
    const std::size_t floats =
        std::max(gated_stack_scratch_floats(channels_, gate_, skip_),
                 gated_lanes_scratch_floats(kernel_, channels_, gate_, skip_));
    return (floats + 15) / 16 * 16;
  }
  static int padded(int channels) { return (channels + 15) / 16 * 16; }

  // [2 * gate, channels, kernel] with each half padded to whole vectors.
  PackedWeights pack_conv(const LayerContext& context, const std::string& path) const {
    const float* weight = context.tensor(path + ".conv.weight", {2 * gate_, channels_, kernel_});
    const float* bias = conditioned_ ? nullptr : context.tensor(path + ".conv.bias", {2 * gate_});
    const int half = padded(gate_);
    const std::size_t depth =
        static_cast<std::size_t>(channels_) * static_cast<std::size_t>(kernel_);
    std::vector<float> rows(static_cast<std::size_t>(2 * half) * depth);
    std::vector<float> biases(static_cast<std::size_t>(2 * half));
    for (int o = 0; o < 2 * gate_; ++o) {
      const std::size_t to = static_cast<std::size_t>(o < gate_ ? o : half + o - gate_);
      if (bias != nullptr) biases[to] = bias[o];
      for (int i = 0; i < channels_; ++i) {
        for (int k = 0; k < kernel_; ++k) {
          rows[to * depth + static_cast<std::size_t>(k * channels_ + i)] =
              weight[static_cast<std::size_t>(o) * depth +
                     static_cast<std::size_t>(i * kernel_ + k)];
        }
      }
    }
    return pack_matrix(rows.data(), 2 * half, static_cast<int>(depth), biases.data(),
                       context.format(path + ".conv.weight", channels_));
  }

  // [channels + skip, gate, 1] with both parts padded to whole vectors.
  PackedWeights pack_out(const LayerContext& context, const std::string& path) const {
    const float* weight = context.tensor(path + ".out.weight", {channels_ + skip_, gate_, 1});
    const float* bias = context.tensor(path + ".out.bias", {channels_ + skip_});
    const int outputs = padded(channels_) + padded(skip_);
    std::vector<float> rows(static_cast<std::size_t>(outputs) * static_cast<std::size_t>(gate_));
    std::vector<float> biases(static_cast<std::size_t>(outputs));
    for (int o = 0; o < channels_ + skip_; ++o) {
      const std::size_t to =
          static_cast<std::size_t>(o < channels_ ? o : padded(channels_) + o - channels_);
      biases[to] = bias[o];
      std::copy_n(weight + static_cast<std::size_t>(o) * static_cast<std::size_t>(gate_), gate_,
                  rows.begin() + static_cast<std::ptrdiff_t>(to) * gate_);
    }
    return pack_matrix(rows.data(), outputs, gate_, biases.data(),
                       context.format(path + ".out.weight", gate_));
  }

  bool conditioned_;
  int channels_;
  int gate_;
  int skip_;
  int kernel_;
  std::vector<Weights> layers_;
  std::vector<Ring> rings_;
  std::vector<int> frames_ahead_;
};

}  // namespace

std::unique_ptr<Layer> make_gated_stack(const LayerContext& context) {
  const bool conditioned = context.spec().kind == "conditioned_gated_stack";
  if (!conditioned && context.spec().kind != "gated_stack") return nullptr;
  return std::make_unique<Stack>(context, conditioned);
}

}  // namespace rtaudio
