#include "model/layers/gated_lanes.h"

#include <algorithm>
#include <array>

namespace rtaudio {
namespace {

std::ptrdiff_t padded(int channels) { return (channels + 15) / 16 * 16; }

std::int64_t slot_of(std::int64_t position, int ring_frames) {
  const std::int64_t slot = position % ring_frames;
  return slot < 0 ? slot + ring_frames : slot;
}

// Rows of a tile: lane after lane, `frames` of each from `first` of the call on.
struct Tile {
  const Kernels& kernels;
  std::span<const GatedLane> lanes;
  int first;
  int frames;

  int rows() const { return static_cast<int>(lanes.size()) * frames; }
};

const float* input_row(const GatedLane& lane, int layer, std::int64_t frame) {
  const GatedLayer& l = lane.stack.layers[layer];
  return l.ring + slot_of(lane.position + frame, l.ring_frames) * lane.stack.row;
}

// The taps of every row side by side.
void gather(const Tile& tile, int layer, float* to) {
  for (const GatedLane& lane : tile.lanes) {
    const GatedStack& stack = lane.stack;
    const GatedLayer& l = stack.layers[layer];
    const std::int64_t reach = std::int64_t{stack.kernel_size - 1} * l.dilation;
    const float* oldest = input_row(lane, layer, tile.first - reach);
    for (int t = 0; t < tile.frames; ++t, oldest += stack.row) {
      const float* from = oldest;
      for (int tap = 0; tap < stack.kernel_size; ++tap, from += l.dilation * stack.row) {
        to = std::copy_n(from, stack.channels, to);
      }
    }
  }
}

// What the sums of every row start from: the condition where it is, or in whole vectors.
void find_starts(const Tile& tile, int layer, float* vectors, const float** starts) {
  const GatedStack& stack = tile.lanes[0].stack;
  const std::ptrdiff_t gate = stack.gate_channels, half = padded(stack.gate_channels);
  for (const GatedLane& lane : tile.lanes) {
    const float* from = lane.condition + tile.first * lane.condition_step + 2 * gate * layer;
    for (int t = 0; t < tile.frames; ++t, from += lane.condition_step) {
      *starts++ = gate == half ? from : vectors;
      if (gate == half) continue;
      std::fill(std::copy_n(from, gate, vectors), vectors + half, 0.0f);
      std::fill(std::copy_n(from + gate, gate, vectors + half), vectors + 2 * half, 0.0f);
      vectors += 2 * half;
    }
  }
}

void add_skips(const Tile& tile, bool first_layer, const float* out, std::ptrdiff_t out_row,
               std::ptrdiff_t skip_step) {
  for (const GatedLane& lane : tile.lanes) {
    const auto n = static_cast<std::size_t>(lane.stack.skip_channels);
    float* skip = lane.skip + tile.first * skip_step;
    for (int t = 0; t < tile.frames; ++t, out += out_row, skip += skip_step) {
      if (first_layer) {
        std::copy_n(out, n, skip);
      } else {
        tile.kernels.add(skip, out, skip, n);
      }
    }
  }
}

// The next layer's input, written to both halves of its ring.
void add_residuals(const Tile& tile, int layer, const float* out, std::ptrdiff_t out_row) {
  for (const GatedLane& lane : tile.lanes) {
    const GatedLayer& next = lane.stack.layers[layer + 1];
    const std::ptrdiff_t row = lane.stack.row;
    const float* x = input_row(lane, layer, tile.first);
    for (int t = tile.first; t < tile.first + tile.frames; ++t, x += row, out += out_row) {
      float* to = next.ring + slot_of(lane.position + t, next.ring_frames) * row;
      if (t >= lane.valid_begin && t < lane.valid_end) {
        tile.kernels.add(x, out, to, static_cast<std::size_t>(row));
      } else {
        std::fill_n(to, row, 0.0f);
      }
      std::copy_n(to, row, to + next.ring_frames * row);
    }
  }
}

void run_tile(const Tile& tile, std::ptrdiff_t skip_step, float* scratch) {
  const GatedStack& stack = tile.lanes[0].stack;
  const std::ptrdiff_t depth = std::ptrdiff_t{stack.kernel_size} * stack.channels;
  const std::ptrdiff_t gate_row = padded(stack.gate_channels);
  const std::ptrdiff_t residual_row = padded(stack.channels);
  const std::ptrdiff_t out_row = residual_row + padded(stack.skip_channels);
  float* taps = scratch;
  float* z = taps + kGatedRows * padded(static_cast<int>(depth));
  float* gated = z + kGatedRows * 2 * gate_row;
  float* out = gated + kGatedRows * gate_row;
  float* vectors = out + kGatedRows * out_row;
  std::array<const float*, kGatedRows> starts;
  const bool conditioned = tile.lanes[0].condition != nullptr;
  for (int l = 0; l < stack.num_layers; ++l) {
    const GatedLayer& layer = stack.layers[l];
    gather(tile, l, taps);
    if (conditioned) find_starts(tile, l, vectors, starts.data());
    const Rows rows{taps,           depth,
                    stack.channels, stack.kernel_size,
                    stack.channels, conditioned ? starts.data() : nullptr};
    tile.kernels.matmul(layer.conv, rows, z, 2 * gate_row, tile.rows());
    tile.kernels.gate(true, z, gated, static_cast<int>(gate_row), gate_row, 2 * gate_row, gate_row,
                      tile.rows());
    const Rows gated_rows{gated, gate_row, 0, 1, stack.gate_channels};
    tile.kernels.matmul(layer.out, gated_rows, out, out_row, tile.rows());
    add_skips(tile, l == 0, out + residual_row, out_row, skip_step);
    if (l + 1 < stack.num_layers) add_residuals(tile, l, out, out_row);
  }
}

}  // namespace

std::size_t gated_lanes_scratch_floats(int kernel, int channels, int gate, int skip) {
  const std::ptrdiff_t row =
      padded(kernel * channels) + 5 * padded(gate) + padded(channels) + padded(skip);
  return static_cast<std::size_t>(kGatedRows * row) + 64;
}

void gated_lanes(const Kernels& kernels, std::span<const GatedLane> lanes, int num_frames,
                 std::ptrdiff_t skip_step, float* scratch) noexcept {
  const int most = std::max(1, kGatedRows / static_cast<int>(lanes.size()));
  for (int t = 0; t < num_frames; t += most) {
    run_tile({kernels, lanes, t, std::min(most, num_frames - t)}, skip_step, scratch);
  }
}

}  // namespace rtaudio
