// WaveNet's stack of gated dilated convolutions as one fused operation.
#include <algorithm>
#include <array>
#include <climits>
#include <new>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/recorder.h"
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
        kernel_(context.integer("kernel", 1, 4096)),
        most_tile_(context.device() == Device::cpu ? kTileFrames : INT_MAX) {
    context.require_inputs(1);
    context.require_output(skip_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    const int num_layers = context.integer("num_layers", 1, kMaxLayers);
    const std::int64_t condition = conditioned ? std::int64_t{2} * gate_ * num_layers : 0;
    context.require(context.input().channels == channels_ + condition,
                    "does not fit its input's channels");
    weights_.resize(static_cast<std::size_t>(num_layers));
    // The older taps' weights in front of all others: a loop that sums ahead then reads what every
    // frame needs as one stream.
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const int dilation = context.integer("dilation." + std::to_string(i), 1, (1 << 20) / kernel_);
      const bool is_apart = context.device() == Device::cpu &&
                            (dilation > 1 || has_whole_panels(channels_, gate_, skip_)) &&
                            can_be_apart(context.format(conv_slot(i), channels_).format);
      weights_[i].dilation = dilation;
      if (is_apart) weights_[i].older = keep(pack_conv(context, i, 0, kernel_ - 1));
      frames_ahead_.push_back(is_apart ? std::min(dilation, kFramesAhead) : 1);
      rings_.emplace_back(channels_, (kernel_ - 1) * dilation, padded(channels_));
    }
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const int first = weights_[i].older.outputs > 0 ? kernel_ - 1 : 0;
      weights_[i].conv = keep(pack_conv(context, i, first, kernel_ - first));
      weights_[i].out = keep(pack_out(context, "layers." + std::to_string(i)));
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

  // A lane by itself has no array of lanes, which a loop's weights drive out of the caches.
  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    float* const table = call.scratch + table_offset();
    GatedLane lane = lane_of(call, table, table + table_floats());
    if (knows_next(call)) sum_ahead(call, lane.stack);
    call.kernels.gated_stack(&lane, 1, call.num_frames, row_floats(skip_), call.scratch);
  }
  void process_lanes(std::span<const Call> calls) const noexcept RTA_NONBLOCKING override {
    if (calls.size() == 1) return process(calls[0]);
    std::array<GatedLane, kGatedRows> lanes;
    for (std::size_t first = 0; first < calls.size(); first += lanes.size()) {
      const auto batch = calls.subspan(first, std::min(lanes.size(), calls.size() - first));
      float* table = batch[0].scratch + table_offset();
      float* const room = table + batch.size() * table_floats();
      for (std::size_t i = 0; i < batch.size(); ++i, table += table_floats()) {
        lanes[i] = lane_of(batch[i], table, room);
      }
      batch[0].kernels.gated_stack(lanes.data(), static_cast<int>(batch.size()),
                                   batch[0].num_frames, row_floats(skip_), batch[0].scratch);
    }
  }

  // A layer a work, for all frames of a call.
  void record(Recorder& to) const override {
    const int half = padded(gate_), frames = to.max_frames();
    std::vector<gpu::RingRows> rings;
    std::size_t offset = 0;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      rings.push_back(Recorder::ring_of(rings_[i], to.state(offset), ring_frames(i, frames)));
      offset += ring_floats(i, frames);
    }
    gpu::Signal x = to.input(), condition = to.input();
    x.channels = channels_;
    if (!conditioned_) condition.row = 0;
    to.add(gpu::Append{to.timing(), x, rings[0], false});
    const gpu::Memory z =
        to.scratch(static_cast<std::size_t>(2 * half) * static_cast<std::size_t>(frames));
    for (std::size_t i = 0; i < rings.size(); ++i) {
      const auto number = static_cast<int>(i);
      to.add(gpu::GatedLayer{to.timing(), rings[i],
                             i + 1 < rings.size() ? rings[i + 1] : gpu::RingRows{},
                             weights_[i].dilation, kernel_, channels_, gate_, half,
                             to.matrix(packed_[2 * i]), to.matrix(packed_[2 * i + 1]), condition,
                             channels_ + 2 * gate_ * number, z, to.output(), i == 0});
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
  GatedLane lane_of(const Call& call, float* table, float* room) const noexcept {
    GatedLane lane{begin(call, table, room), call.position, call.valid_begin, call.valid_end,
                   call.output};
    if (conditioned_) {
      lane.condition = call.inputs[0] + channels_;
      lane.condition_step = input_row();
    }
    return lane;
  }
  // Takes a call's rows in and builds the kernel's table of layers, with this stream's rings, which
  // a loop keeps from step to step. room: for the rows, padded.
  GatedStack begin(const Call& call, float* floats, float* room) const noexcept {
    auto* table = reinterpret_cast<GatedLayer*>(floats);
    float* state = call.state;
    for (std::size_t i = 0; call.step == 0 && i < weights_.size(); ++i) {
      new (table + i)
          GatedLayer{&weights_[i], state, rings_[i].frames(ring_frames(i, call.max_frames))};
      state += ring_floats(i, call.max_frames);
    }
    const float* rows = call.inputs[0];
    const std::ptrdiff_t in_row = input_row();
    const bool is_one = call.num_frames == 1 && channels_ == padded(channels_);
    if (in_row != padded(channels_) && !is_one) {
      for (int t = 0; t < call.num_frames; ++t) {
        std::copy_n(rows + t * in_row, channels_, room + t * padded(channels_));
      }
      rows = room;
    }
    rings_[0].append(call.state, call.max_frames, call.position, rows, call.num_frames,
                     call.valid_begin, call.valid_end);
    return {table,
            static_cast<int>(weights_.size()),
            kernel_,
            channels_,
            gate_,
            skip_,
            padded(channels_)};
  }

  // Whether older taps may be a matrix of their own: the sums go on from theirs in the same bits.
  // Two products cost more than one where nothing is summed ahead (a dilation of 1), unless a frame
  // goes through the layer in registers.
  bool can_be_apart(WeightFormat format) const {
    return kernel_ > 1 && num_splits(2 * padded(gate_), kernel_ * channels_) == 1 &&
           (format == WeightFormat::fp32 || (format == WeightFormat::bf16 && channels_ % 2 == 0));
  }
  // One frame of a loop: each layer's room for sums ahead is behind the rings.
  void sum_ahead(const Call& call, GatedStack& stack) const noexcept {
    stack.step = call.step;
    stack.steps = call.steps;
    if (call.step > 0) return;
    auto* const table = reinterpret_cast<GatedLayer*>(call.scratch + table_offset());
    float* ahead = call.state;
    for (std::size_t i = 0; i < weights_.size(); ++i) ahead += ring_floats(i, 1);
    for (std::size_t i = 0; i < weights_.size(); ahead += ahead_floats(i++, 1)) {
      if (frames_ahead_[i] == 1) continue;
      table[i].ahead = ahead;
      table[i].frames_ahead = frames_ahead_[i];
    }
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
  std::size_t table_floats() const {
    return (weights_.size() * sizeof(GatedLayer) / sizeof(float) + 31) / 16 * 16;
  }

  // The first layer's ring takes a whole call, the others a tile, which is a call on a GPU.
  int ring_frames(std::size_t layer, int max_frames) const {
    return layer == 0 ? max_frames : std::min(max_frames, most_tile_);
  }
  std::size_t ring_floats(std::size_t layer, int max_frames) const {
    return (rings_[layer].floats(ring_frames(layer, max_frames)) + 15) / 16 * 16;
  }
  int input_row() const {
    return row_floats(channels_ + (conditioned_ ? condition_channels() : 0));
  }
  int condition_channels() const { return 2 * gate_ * static_cast<int>(rings_.size()); }
  std::size_t bias_floats() const { return static_cast<std::size_t>(2 * padded(gate_)); }
  std::size_t table_offset() const {
    return (gated_stack_scratch_floats(kernel_, channels_, gate_) + 15) / 16 * 16;
  }
  static int padded(int channels) { return (channels + 15) / 16 * 16; }

  static std::string conv_slot(std::size_t layer) {
    return "layers." + std::to_string(layer) + ".conv.weight";
  }
  const PackedMatrix& keep(PackedWeights packed) {
    packed_.push_back(std::move(packed));
    return packed_.back().view();
  }

  // `taps` taps from `first` on of [2 * gate, channels, kernel], each half padded to whole vectors.
  // The bias stands with the first tap.
  PackedWeights pack_conv(const LayerContext& context, std::size_t layer, int first,
                          int taps) const {
    const std::string slot = conv_slot(layer);
    const float* weight = context.tensor(slot, {2 * gate_, channels_, kernel_});
    const float* bias =
        conditioned_
            ? nullptr
            : context.tensor("layers." + std::to_string(layer) + ".conv.bias", {2 * gate_});
    const int half = padded(gate_), depth = taps * channels_;
    std::vector<float> rows(static_cast<std::size_t>(2 * half) * static_cast<std::size_t>(depth));
    std::vector<float> biases(static_cast<std::size_t>(2 * half));
    for (int o = 0; o < 2 * gate_; ++o) {
      const std::ptrdiff_t to = o < gate_ ? o : half + o - gate_;
      if (bias != nullptr && first == 0) biases[static_cast<std::size_t>(to)] = bias[o];
      const float* from = weight + std::ptrdiff_t{o} * channels_ * kernel_ + first;
      for (int i = 0; i < channels_; ++i, from += kernel_) {
        for (int k = 0; k < taps; ++k) {
          rows[static_cast<std::size_t>(to * depth + k * channels_ + i)] = from[k];
        }
      }
    }
    return pack_matrix(rows.data(), 2 * half, depth, biases.data(),
                       context.format(slot, channels_));
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
  int most_tile_;  // frames that go through a layer at once
  std::vector<PackedWeights> packed_;
  std::vector<GatedWeights> weights_;  // views of these
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
