#include "model/layers/conditioned_layers.h"

#include <algorithm>

namespace rtaudio {
namespace {

constexpr int kMaxLayers = 1024;
constexpr int kMostPlanes = 16;                 // channels for which time in lanes is faster
constexpr std::int64_t kManyThreads = 1 << 17;  // above, a GPU's threads do several frames each

int padded(int channels) { return (channels + 15) / 16 * 16; }
std::size_t product(int a, int b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

// [parts * outputs, inputs, taps], every part padded to whole vectors, k = tap * inputs +
// channel.
PackedWeights pack(const float* weight, int parts, int outputs, int inputs, int taps,
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

}  // namespace

ConditionedLayers::Function ConditionedLayers::function(const LayerContext& context,
                                                        const std::string& name) {
  const int last = static_cast<int>(Unary::count) - 1;
  return {static_cast<Unary>(context.integer(name, 0, last)), context.number(name + "_a"),
          context.number(name + "_b")};
}

// The outputs of every matrix are padded to whole vectors.
ConditionedLayers::ConditionedLayers(const LayerContext& context, const std::string& path)
    : channels_(context.integer(path + "channels", 1, 1 << 14)),
      hidden_(context.integer(path + "hidden", 1, 1 << 14)),
      skip_(context.integer(path + "skip_channels", 1, 1 << 14)),
      has_skip_(context.integer(path + "skip_matrix", 0, 1) == 1),
      activation_(function(context, path + "activation")) {
  if (context.integer(path + "gated", 0, 1) == 1) gate_ = function(context, path + "gate");
  context.require(has_skip_ || skip_ == hidden_, "adds channels of different numbers");
  const int num_layers = context.integer(path + "num_layers", 1, kMaxLayers);
  const int wide = gate_ ? 2 : 1;
  for (int i = 0; i < num_layers; ++i) {
    const std::string index = std::to_string(i), layer = path + "layers." + index + ".";
    const int kernel = context.integer(path + "kernel." + index, 1, 4096);
    const int dilation = context.integer(path + "dilation." + index, 1, (1 << 20) / kernel);
    const float* bias = context.tensor(layer + "in.past.conv.bias", {wide * hidden_});
    const float* conv =
        context.tensor(layer + "in.past.conv.weight", {wide * hidden_, channels_, kernel});
    const float* condition = context.tensor(layer + "in.now.condition.weight", {wide * hidden_, 1});
    const float* residual = context.tensor(layer + "out.residual.weight", {channels_, hidden_});
    const float* constant = context.tensor(layer + "out.residual.bias", {channels_});
    std::optional<PackedWeights> skip;
    if (has_skip_) {
      skip = pack(context.tensor(layer + "out.skip.weight", {skip_, hidden_}), 1, skip_, hidden_, 1,
                  context.tensor(layer + "out.skip.bias", {skip_}));
    }
    layers_.push_back({pack(conv, wide, hidden_, channels_, kernel, bias),
                       pack(condition, wide, hidden_, 1, 1, nullptr),
                       pack(residual, 1, channels_, hidden_, 1, constant), std::move(skip),
                       Ring(channels_, (kernel - 1) * dilation, padded(channels_)),
                       PlaneRing(channels_, (kernel - 1) * dilation), kernel, dilation});
    const Step& made = layers_.back();
    table_.push_back({made.conv.view(), made.condition.view(), made.residual.view(),
                      made.skip ? made.skip->view() : PackedMatrix{}, kernel, dilation});
  }
  is_whole_ = has_whole_tiles(view());
}

bool ConditionedLayers::is_narrow() const {
  return std::max({channels_, hidden_, skip_}) <= kMostPlanes &&
         std::all_of(layers_.begin(), layers_.end(), [this](const Step& layer) {
           return channels_ * layer.kernel <= kMaxPlaneDepth;
         });
}

ConditionedStack ConditionedLayers::view() const {
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

std::size_t ConditionedLayers::ring_floats(const Step& layer, int max_frames, Layout layout) const {
  if (layout == Layout::gpu) return layer.rows.floats(max_frames);
  return layout == Layout::planes ? layer.planes.floats(max_frames)
                                  : row_state_floats(channels_, layer.rows.history(), max_frames);
}

std::size_t ConditionedLayers::state_floats(int max_frames, Layout layout) const {
  std::size_t floats = 0;
  for (const Step& layer : layers_) floats += ring_floats(layer, max_frames, layout);
  return floats;
}

void ConditionedLayers::add_specs(const std::string& path, std::vector<StateSpec>& specs) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const int history = layers_[i].rows.history();
    if (history > 0) specs.push_back({path + "history." + std::to_string(i), channels_, history});
  }
}

std::size_t ConditionedLayers::num_specs() const {
  return static_cast<std::size_t>(std::count_if(
      layers_.begin(), layers_.end(), [](const Step& layer) { return layer.rows.history() > 0; }));
}

template <class F>
void ConditionedLayers::for_each_history(int max_frames, Layout layout, const F& f) const {
  std::size_t at = 0, used = 0;
  for (const Step& layer : layers_) {
    if (layer.rows.history() > 0) {
      if (layout == Layout::gpu) {
        f(layer.rows, at, used, max_frames);
      } else if (layout == Layout::planes) {
        f(layer.planes, at, used, max_frames);
      } else {
        f(layer.rows, at, used, std::min(max_frames, kTileFrames));
      }
      ++used;
    }
    at += ring_floats(layer, max_frames, layout);
  }
}

void ConditionedLayers::save(const float* state, std::int64_t position, int max_frames,
                             Layout layout, std::span<const std::span<float>> out) const {
  for_each_history(max_frames, layout,
                   [&](const auto& ring, std::size_t at, std::size_t i, int frames) {
                     ring.save(state + at, frames, position, out[i]);
                   });
}

void ConditionedLayers::load(float* state, std::int64_t position, int max_frames, Layout layout,
                             std::span<const std::span<const float>> in) const {
  for_each_history(max_frames, layout,
                   [&](const auto& ring, std::size_t at, std::size_t i, int frames) {
                     ring.load(state + at, frames, position, in[i]);
                   });
}

void ConditionedLayers::record(Recorder& to, const gpu::Signal& signal, std::size_t offset) const {
  const gpu::Timing& timing = to.timing();
  gpu::Signal x = signal;
  x.channels = channels_;
  std::vector<gpu::RingRows> rings;
  for (const Step& layer : layers_) {
    rings.push_back(to.ring(layer.rows, offset));
    offset += ring_floats(layer, to.max_frames(), Layout::gpu);
  }
  rings.emplace_back();
  to.add(gpu::Append{timing, x, rings[0], false});
  const std::int64_t frames = std::int64_t{timing.lanes} * to.max_frames();
  const gpu::Memory h = to.scratch(product(to.max_frames(), padded(hidden_)));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (frames * std::max(hidden_, channels_) >= kManyThreads) {
      record_layer<4>(to, layers_[i], signal, h, rings[i], rings[i + 1]);
    } else {
      record_layer<1>(to, layers_[i], signal, h, rings[i], rings[i + 1]);
    }
  }
}

template <int F>
void ConditionedLayers::record_layer(Recorder& to, const Step& layer, const gpu::Signal& signal,
                                     gpu::Memory h, const gpu::RingRows& ring,
                                     const gpu::RingRows& next) const {
  const int h_row = padded(hidden_), row = padded(channels_);
  const gpu::Window past{ring,         0,        row, std::ptrdiff_t{layer.dilation} * row,
                         layer.kernel, channels_};
  const Function gate = gate_.value_or(Function{});
  const auto* condition = static_cast<const float*>(to.matrix(layer.condition).weights);
  to.add(gpu::ConditionedHidden<F>{to.timing(), to.matrix(layer.conv), past, signal, channels_,
                                   condition, h, h_row, hidden_, gate_.has_value(),
                                   activation_.kind, gate.kind, activation_.a, activation_.b,
                                   gate.a, gate.b});
  const gpu::Matrix skip = layer.skip ? to.matrix(*layer.skip) : gpu::Matrix{};
  to.add(gpu::ConditionedOutput<F>{to.timing(), to.matrix(layer.residual), skip, h, h_row, hidden_,
                                   signal, channels_, skip_, next});
}

}  // namespace rtaudio
