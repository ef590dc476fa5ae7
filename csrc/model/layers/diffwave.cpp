#include "model/layers/diffwave.h"

#include <algorithm>
#include <cstring>

namespace rtaudio {
namespace {

constexpr int kMaxLayers = 256;

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }
int padded(int channels) { return (channels + 15) / 16 * 16; }
std::int64_t slot_of(std::int64_t index, std::int64_t frames) {
  return (index % frames + frames) % frames;
}

// A matrix [outputs, inputs] with rows of zeros up to a whole vector.
PackedWeights pack_end(const LayerContext& context, const std::string& path, int outputs,
                       int inputs, int rows) {
  const float* weight = context.tensor(path + ".weight", {outputs, inputs});
  const float* bias = context.tensor(path + ".bias", {outputs});
  const auto depth = static_cast<std::size_t>(inputs);
  std::vector<float> wide(static_cast<std::size_t>(rows) * depth),
      biases(static_cast<std::size_t>(rows));
  std::copy_n(weight, static_cast<std::size_t>(outputs) * depth, wide.begin());
  std::copy_n(bias, outputs, biases.begin());
  return pack_matrix(wide.data(), rows, inputs, biases.data());
}

}  // namespace

void save_rows(const float* ring, const RingRows& rows, int channels, std::int64_t end,
               std::int64_t count, std::span<float> out) {
  for (std::int64_t t = 0; t < count; ++t) {
    const float* from = ring + slot_of(end - count + t, rows.frames) * rows.row;
    for (int c = 0; c < channels; ++c) {
      out[static_cast<std::size_t>(c * count + t)] = from[c * rows.step];
    }
  }
}

void load_rows(float* ring, const RingRows& rows, int channels, std::int64_t end,
               std::int64_t count, std::span<const float> in) {
  for (std::int64_t t = 0; t < count; ++t) {
    float* to = ring + slot_of(end - count + t, rows.frames) * rows.row;
    for (int c = 0; c < channels; ++c) {
      to[c * rows.step] = in[static_cast<std::size_t>(c * count + t)];
    }
  }
}

DiffWaveNetwork::DiffWaveNetwork(const LayerContext& context)
    : values_(context.integer("values", 1, kMaxDiffWaveValues)),
      condition_(context.integer("condition", 1, 1024)),
      channels_(context.integer("channels", 1, 512)),
      taps_(context.integer("kernel", 1, kMaxDiffWaveTaps)),
      ahead_(context.integer("causal", 0, 1) == 1 ? 0 : (taps_ - 1) / 2),
      row_(padded(channels_)),
      condition_row_(padded(condition_)),
      on_gpu_(context.device() != Device::cpu) {
  context.require(taps_ * row_ + condition_row_ <= kMaxDotDepth, "has matrices that are too deep");
  // One format for the stack, since what its layers leave to one another is stored in it. A
  // refinement adds up what int8 loses, so that takes bf16 instead.
  MatrixFormat format{context.format("layers.0.conv.weight", channels_).format, nullptr, 16};
  if (format.format == WeightFormat::int8) format.format = WeightFormat::bf16;
  halves_ = format.format == WeightFormat::bf16dot;
  const int num_layers = context.integer("num_layers", 1, kMaxLayers);
  packed_.reserve(static_cast<std::size_t>(2 * num_layers));
  for (int i = 0; i < num_layers; ++i) {
    const std::string path = "layers." + std::to_string(i);
    const int dilation = context.integer("dilation." + std::to_string(i), 1, (1 << 17) / taps_);
    packed_.push_back(pack_in(context, path, format));
    packed_.push_back(pack_halves(context, path, format));
    const std::size_t at = packed_.size() - 2;
    table_.push_back({packed_[at].view(), packed_[at + 1].view(), dilation});
    lookahead_ += std::int64_t{ahead_} * dilation;
  }
  const int row = static_cast<int>(row_);
  ends_.push_back(pack_end(context, "input", channels_, values_, row));
  ends_.push_back(pack_end(context, "skip", channels_, channels_, row));
  ends_.push_back(pack_end(context, "output", values_, channels_, values_));
}

void DiffWaveNetwork::take_steps(const LayerContext& context, int steps) {
  const std::int64_t layers = static_cast<std::int64_t>(table_.size());
  context.require(steps * layers * row_ <= 1 << 25, "has too many steps for so many layers");
  const float* from = context.tensor("steps", {steps, layers, channels_});
  const std::int64_t count = steps * layers;
  steps_.assign(static_cast<std::size_t>(count * row_), 0.0f);
  for (std::int64_t i = 0; i < count; ++i) {
    std::copy_n(from + i * channels_, channels_, steps_.begin() + i * row_);
  }
}

std::size_t DiffWaveNetwork::ring_floats(std::int64_t rows, std::ptrdiff_t row) const {
  return static_cast<std::size_t>(rows * row / (halves_ ? 2 : 1));
}
std::size_t DiffWaveNetwork::condition_floats(std::int64_t frames) const {
  return ring_floats(frames, condition_row_);
}

std::size_t DiffWaveNetwork::memory_floats(int chunk) const {
  std::size_t floats = 2 * static_cast<std::size_t>((lookahead_ + chunk) * row_);
  for (std::size_t i = 0; i < table_.size(); ++i) {
    floats += ring_floats(kept_rows(history(i), chunk), row_);
  }
  return aligned(floats);
}

std::size_t DiffWaveNetwork::scratch_floats(std::size_t chunk) const {
  return 2 * chunk * static_cast<std::size_t>(row_) +
         diffwave_scratch_floats(row_, static_cast<int>(chunk));
}

DiffWave DiffWaveNetwork::view() const noexcept {
  const auto layers = static_cast<int>(table_.size());
  return {table_.data(), layers,
          taps_,         ahead_,
          row_,          static_cast<int>(condition_row_),
          halves_,       static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(layers)))};
}

DiffWaveMemory DiffWaveNetwork::memory(float* state, int chunk, std::size_t step) const noexcept {
  DiffWaveMemory memory{};
  const std::int64_t frames = lookahead_ + chunk;
  memory.h = state;
  memory.skips = state + frames * row_;
  memory.frames = frames;
  memory.y = memory.skips + frames * row_;
  memory.steps = steps_.data() + static_cast<std::ptrdiff_t>(step * table_.size()) * row_;
  memory.chunk = chunk;
  return memory;
}

void DiffWaveNetwork::take_condition(const Kernels& kernels, const DiffWaveMemory& memory,
                                     std::int64_t index, const float* x, std::ptrdiff_t x_step,
                                     int count) const noexcept {
  kernels.diffwave_condition(view(), memory, index, x, x_step, condition_, count);
}

void DiffWaveNetwork::run(const Kernels& kernels, const DiffWaveMemory& memory, std::int64_t index,
                          int count, const float* x, float* found, float* scratch) const noexcept {
  const std::ptrdiff_t size = std::ptrdiff_t{memory.chunk} * row_;
  float* h = scratch;
  float* skips = h + size;
  const auto floats = static_cast<std::size_t>(count * row_);
  kernels.matmul(ends_[0].view(), {x, values_, 0, 1, values_}, h, row_, count);
  kernels.unary(Unary::relu, h, h, floats, 0.0f, 0.0f);
  kernels.diffwave(view(), memory, index, count, h, skips, skips + size);
  kernels.matmul(ends_[1].view(), {skips, row_, 0, 1, channels_}, h, row_, count);
  kernels.unary(Unary::relu, h, h, floats, 0.0f, 0.0f);
  kernels.matmul(ends_[2].view(), {h, row_, 0, 1, channels_}, found, values_, count);
}

gpu::Memory DiffWaveNetwork::record(Recorder& to, const gpu::Refinement& how, gpu::Memory own,
                                    int chunk, int step, gpu::Memory h) const {
  const int row = static_cast<int>(row_), frames = to.timing().frames;
  const std::int64_t rows = lookahead_ + chunk;
  const gpu::NetworkMemory memory{own, own.after(rows * row), rows, row};
  gpu::Memory stored = own.after(2 * rows * row);
  const auto store_of = [&](std::size_t layer) {
    const int kept = history(layer);
    const gpu::Store y{stored, std::int64_t{kept} + chunk, row, halves_};
    stored = stored.after(static_cast<std::int64_t>(ring_floats(kept_rows(kept, chunk), row)));
    return y;
  };
  const auto rows_of = [row](gpu::Memory m, int step_floats, int inputs) {
    return gpu::Window{{m, row, 0, 0}, 0, step_floats, 0, 1, inputs};
  };
  const float* steps = to.table(steps_) + static_cast<std::ptrdiff_t>(step) *
                                              static_cast<std::ptrdiff_t>(table_.size()) * row;
  const gpu::Memory z = h.after(std::int64_t{chunk} * row);
  const gpu::Memory skips = z.after(std::int64_t{2} * chunk * row);
  const gpu::Memory found = skips.after(std::int64_t{chunk} * row);
  std::int64_t behind = step * lookahead_;
  gpu::Store y = store_of(0);
  to.matmul(to.matrix(ends_[0]), rows_of(to.output().memory, to.output().row, values_), h, row,
            frames);
  to.add(gpu::DiffWaveFirst{how, behind, h, memory, y, steps});
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const bool is_last = i + 1 == table_.size();
    const gpu::Store next = is_last ? y : store_of(i + 1);
    behind += std::int64_t{ahead_} * table_[i].dilation;
    const gpu::DiffWaveParts parts{
        how,
        behind,
        taps_,
        ahead_,
        table_[i].dilation,
        to.matrix(packed_[2 * i]),
        to.matrix(packed_[2 * i + 1]),
        y,
        next,
        is_last ? nullptr : steps + static_cast<std::ptrdiff_t>(i + 1) * row,
        i == 0,
        memory,
        view().skip_scale,
        z,
        skips};
    constexpr int kFew = 16 * 256;  // rows in tiles of 16, that would leave a GPU idle
    if (halves_ && to.tensor_cores()) {
      to.add(gpu::DiffWaveTiles{parts});
    } else if (to.timing().lanes * chunk < kFew) {
      to.add(gpu::DiffWaveLayer<4, 1, 4>{parts});
    } else {
      to.add(gpu::DiffWaveLayer<8, 2, 16>{parts});
    }
    y = next;
  }
  to.matmul(to.matrix(ends_[1]), rows_of(skips, row, channels_), h, row, frames);
  const gpu::Signal relu{h, row, row, frames};
  to.add(gpu::Function{to.timing(), relu, relu, Unary::relu, 0.0f, 0.0f});
  to.matmul(to.matrix(ends_[2]), rows_of(h, row, channels_), found, values_, frames);
  return found;
}

std::vector<StateSpec> DiffWaveNetwork::state_specs(const std::string& step) const {
  std::vector<StateSpec> specs;
  if (lookahead_ > 0) {
    specs.push_back({step + "h", channels_, static_cast<int>(lookahead_)});
    specs.push_back({step + "skips", channels_, static_cast<int>(lookahead_)});
  }
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (history(i) == 0) continue;
    specs.push_back(
        {step + "history." + std::to_string(i), channels_, static_cast<int>(history(i))});
  }
  return specs;
}

std::span<const std::span<float>> DiffWaveNetwork::save(
    const float* state, int chunk, std::int64_t position,
    std::span<const std::span<float>> out) const {
  const std::int64_t frames = lookahead_ + chunk;
  if (lookahead_ > 0) {
    save_rows(state, {frames, row_, 1}, channels_, position, lookahead_, out[0]);
    save_rows(state + frames * row_, {frames, row_, 1}, channels_, position, lookahead_, out[1]);
    // The sums of the newest frames have not begun.
    const std::int64_t begun = lookahead_ - std::int64_t{ahead_} * table_[0].dilation;
    for (int c = 0; c < channels_; ++c) {
      const std::span<float> row = out[1].subspan(static_cast<std::size_t>(c * lookahead_),
                                                  static_cast<std::size_t>(lookahead_));
      std::fill(row.begin() + begun, row.end(), 0.0f);
    }
    out = out.subspan(2);
  }
  const float* ring = state + 2 * frames * row_;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const int kept = history(i);
    if (kept > 0) {
      // Rows that are kept without a ring begin with the oldest.
      const bool is_ring = in_ring(kept, chunk);
      save_inputs(ring, is_ring ? kept + chunk : kept, row_, channels_, is_ring ? position : 0,
                  kept, out[0]);
      out = out.subspan(1);
    }
    ring += ring_floats(kept_rows(kept, chunk), row_);
    position -= std::int64_t{ahead_} * table_[i].dilation;
  }
  return out;
}

std::span<const std::span<const float>> DiffWaveNetwork::load(
    float* state, int chunk, std::int64_t position,
    std::span<const std::span<const float>> in) const {
  const std::int64_t frames = lookahead_ + chunk;
  if (lookahead_ > 0) {
    load_rows(state, {frames, row_, 1}, channels_, position, lookahead_, in[0]);
    load_rows(state + frames * row_, {frames, row_, 1}, channels_, position, lookahead_, in[1]);
    in = in.subspan(2);
  }
  float* ring = state + 2 * frames * row_;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const int kept = history(i);
    if (kept > 0) {
      const bool is_ring = in_ring(kept, chunk);
      load_inputs(ring, is_ring ? chunk : 0, is_ring ? kept + chunk : kept, row_, channels_,
                  is_ring ? position : 0, kept, in[0]);
      in = in.subspan(1);
    }
    ring += ring_floats(kept_rows(kept, chunk), row_);
    position -= std::int64_t{ahead_} * table_[i].dilation;
  }
  return in;
}

void DiffWaveNetwork::save_condition(const float* ring, std::int64_t frames, std::int64_t position,
                                     std::int64_t count, std::span<float> out) const {
  save_inputs(ring, frames, condition_row_, condition_, position, count, out);
}
void DiffWaveNetwork::load_condition(float* ring, int chunk, std::int64_t frames,
                                     std::int64_t position, std::int64_t count,
                                     std::span<const float> in) const {
  load_inputs(ring, chunk, frames, condition_row_, condition_, position, count, in);
}

float DiffWaveNetwork::get(const float* ring, std::int64_t slot, std::ptrdiff_t row,
                           int channel) const {
  if (!halves_) return ring[slot * row + channel];
  std::uint16_t half;
  std::memcpy(&half, reinterpret_cast<const std::uint16_t*>(ring) + slot * row + channel, 2);
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
void DiffWaveNetwork::put(float* ring, std::int64_t slot, std::ptrdiff_t row, int channel,
                          float value) const {
  if (!halves_) {
    ring[slot * row + channel] = value;
    return;
  }
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const auto half = static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
  std::memcpy(reinterpret_cast<std::uint16_t*>(ring) + slot * row + channel, &half, 2);
}

void DiffWaveNetwork::save_inputs(const float* ring, std::int64_t frames, std::ptrdiff_t row,
                                  int channels, std::int64_t position, std::int64_t count,
                                  std::span<float> out) const {
  for (std::int64_t t = 0; t < count; ++t) {
    const std::int64_t slot = slot_of(position - count + t, frames);
    for (int c = 0; c < channels; ++c) {
      out[static_cast<std::size_t>(c * count + t)] = get(ring, slot, row, c);
    }
  }
}
void DiffWaveNetwork::load_inputs(float* ring, int chunk, std::int64_t frames, std::ptrdiff_t row,
                                  int channels, std::int64_t position, std::int64_t count,
                                  std::span<const float> in) const {
  for (std::int64_t t = 0; t < count; ++t) {
    const std::int64_t slot = slot_of(position - count + t, frames);
    for (int c = 0; c < channels; ++c) {
      const float value = in[static_cast<std::size_t>(c * count + t)];
      put(ring, slot, row, c, value);
      if (slot < chunk) put(ring, slot + frames, row, c, value);
    }
  }
}

PackedWeights DiffWaveNetwork::pack_in(const LayerContext& context, const std::string& path,
                                       const MatrixFormat& format) const {
  const int c = channels_, row = static_cast<int>(row_), depth = taps_ * row + padded(condition_);
  const float* conv = context.tensor(path + ".conv.weight", {2 * c, c, taps_});
  const float* condition = context.tensor(path + ".condition.weight", {2 * c, condition_});
  const float* biases[] = {context.tensor(path + ".conv.bias", {2 * c}),
                           context.tensor(path + ".condition.bias", {2 * c})};
  std::vector<float> rows(static_cast<std::size_t>(2 * row) * static_cast<std::size_t>(depth));
  std::vector<float> bias(static_cast<std::size_t>(2 * row));
  for (int o = 0; o < 2 * c; ++o) {
    const int to = o < c ? o : row + o - c;
    float* out = rows.data() + std::ptrdiff_t{to} * depth;
    for (int i = 0; i < c; ++i) {
      for (int k = 0; k < taps_; ++k) {
        out[k * row + i] = conv[(std::ptrdiff_t{o} * c + i) * taps_ + k];
      }
    }
    std::copy_n(condition + std::ptrdiff_t{o} * condition_, condition_, out + taps_ * row);
    bias[static_cast<std::size_t>(to)] = biases[0][o] + biases[1][o];
  }
  return pack_matrix(rows.data(), 2 * row, depth, bias.data(), format);
}

PackedWeights DiffWaveNetwork::pack_halves(const LayerContext& context, const std::string& path,
                                           const MatrixFormat& format) const {
  const int c = channels_, row = static_cast<int>(row_);
  const float* weight = context.tensor(path + ".out.weight", {2 * c, c});
  const float* from = context.tensor(path + ".out.bias", {2 * c});
  std::vector<float> rows(static_cast<std::size_t>(2 * row) * static_cast<std::size_t>(row));
  std::vector<float> bias(static_cast<std::size_t>(2 * row));
  for (int o = 0; o < 2 * c; ++o) {
    const int to = o < c ? o : row + o - c;
    std::copy_n(weight + std::ptrdiff_t{o} * c, c, rows.begin() + std::ptrdiff_t{to} * row);
    bias[static_cast<std::size_t>(to)] = from[o];
  }
  return pack_matrix(rows.data(), 2 * row, row, bias.data(), format);
}

}  // namespace rtaudio
