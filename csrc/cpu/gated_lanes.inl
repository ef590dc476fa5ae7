// A gated stack over several lanes at once: each layer's weights are read once for all of them.

// Rows of a tile: lane after lane, `frames` of each from `first` of the call on.
struct LaneTile {
  const GatedLane* lanes;
  int num_lanes;
  int first;
  int frames;

  RTA_HD int rows() const { return num_lanes * frames; }
  RTA_HD const float* oldest(int lane, int layer) const {
    const GatedLane& l = lanes[lane];
    const GatedLayer& g = l.stack.layers[layer];
    const std::int64_t reach = std::int64_t{l.stack.kernel_size - 1} * g.dilation;
    return g.ring + slot_of(l.position + first - reach, g.ring_frames) * l.stack.row;
  }
};

// The inputs of all rows: where they are, if the lanes' frames stand at equal distances, as do those
// of streams that began together; else the taps of every row side by side in `gathered`.
Rows lane_rows(const LaneTile& tile, int layer, float* gathered) {
  const GatedStack& stack = tile.lanes[0].stack;
  const std::ptrdiff_t tap_step = stack.layers[layer].dilation * stack.row;
  const float* first = tile.oldest(0, layer);
  std::ptrdiff_t step = tile.num_lanes > 1 ? tile.oldest(1, layer) - first : 0;
  bool is_even = tile.frames == 1;
  for (int lane = 2; is_even && lane < tile.num_lanes; ++lane) {
    is_even = tile.oldest(lane, layer) - first == lane * step;
  }
  if (is_even) return {first, step, tap_step, stack.kernel_size, stack.channels};
  float* to = gathered;
  for (int lane = 0; lane < tile.num_lanes; ++lane) {
    const float* oldest = tile.oldest(lane, layer);
    for (int t = 0; t < tile.frames; ++t, oldest += stack.row) {
      for (int tap = 0; tap < stack.kernel_size; ++tap, to += stack.channels) {
        map(oldest + tap * tap_step, to, static_cast<std::size_t>(stack.channels),
            [](Vec v) { return v; });
      }
    }
  }
  step = std::ptrdiff_t{stack.kernel_size} * stack.channels;
  return {gathered, step, stack.channels, stack.kernel_size, stack.channels};
}

// What the sums of every row start from: the condition where it is, or in whole vectors.
void find_starts(const LaneTile& tile, int layer, float* vectors, const float** starts) {
  const GatedStack& stack = tile.lanes[0].stack;
  const std::ptrdiff_t gate = stack.gate_channels, half = padded(gate);
  for (int lane = 0; lane < tile.num_lanes; ++lane) {
    const std::ptrdiff_t step = tile.lanes[lane].condition_step;
    const float* from = tile.lanes[lane].condition + tile.first * step + 2 * gate * layer;
    for (int t = 0; t < tile.frames; ++t, from += step) {
      *starts++ = gate == half ? from : vectors;
      if (gate == half) continue;
      for (int i = 0; i < 2; ++i, vectors += half) {
        for (std::ptrdiff_t c = 0; c < half; ++c) vectors[c] = c < gate ? from[i * gate + c] : 0.0f;
      }
    }
  }
}

void lane_tile(const LaneTile& tile, std::ptrdiff_t skip_step, float* scratch) {
  const GatedStack& stack = tile.lanes[0].stack;
  const std::ptrdiff_t gate_row = padded(stack.gate_channels);
  const std::ptrdiff_t residual_row = padded(stack.channels);
  const std::ptrdiff_t out_row = residual_row + padded(stack.skip_channels);
  float* const taps = scratch;
  float* const z = taps + kGatedRows * padded(stack.kernel_size * stack.channels);
  float* const gated = z + kGatedRows * 2 * gate_row;
  float* const out = gated + kGatedRows * gate_row;
  float* const vectors = out + kGatedRows * out_row;
  const float* starts[kGatedRows];
  for (int l = 0; l < stack.num_layers; ++l) {
    const GatedLayer& layer = stack.layers[l];
    Rows rows = lane_rows(tile, l, taps);
    if (tile.lanes[0].condition != nullptr) {
      find_starts(tile, l, vectors, starts);
      rows.starts = starts;
    }
    matmul(layer.conv, rows, z, 2 * gate_row, tile.rows());
    gate(true, z, gated, static_cast<int>(gate_row), gate_row, 2 * gate_row, gate_row, tile.rows());
    const Rows gated_rows{gated, gate_row, 0, 1, stack.gate_channels};
    matmul(layer.out, gated_rows, out, out_row, tile.rows());
    const float* from = out;
    for (int i = 0; i < tile.num_lanes; ++i, from += tile.frames * out_row) {
      const GatedLane& lane = tile.lanes[i];
      add_skip(stack, from + residual_row, out_row, tile.frames, l == 0,
               lane.skip + tile.first * skip_step, skip_step);
      if (l + 1 == stack.num_layers) continue;
      add_residual(stack, lane.stack.layers[l], lane.stack.layers[l + 1],
                   lane.position + tile.first, tile.frames, lane.valid_begin - tile.first,
                   lane.valid_end - tile.first, from, out_row);
    }
  }
}

void gated_lanes(const GatedLane* lanes, int num_lanes, int num_frames, std::ptrdiff_t skip_step,
                 float* scratch) {
  const int most = kGatedRows / num_lanes;
  for (int t = 0; t < num_frames; t += most) {
    lane_tile({lanes, num_lanes, t, num_frames - t < most ? num_frames - t : most}, skip_step,
              scratch);
  }
}
