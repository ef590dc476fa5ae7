// A stack of gated dilated convolutions, all layers for a tile of frames while it is hot: of one
// lane, or of several, so that each layer's weights are read once for all of them.

// Where the lanes' rows of a layer begin, `before` frames ahead of the tile.
class LaneRows {
 public:
  RTA_HD LaneRows(const LaneTile& tile, int layer, std::int64_t before)
      : tile_(tile),
        layer_(layer),
        offset_(tile.first - before),
        ring_frames_(tile.stack().layers[layer].ring_frames),
        slot_(slot_of(tile.lanes[0].position + offset_, ring_frames_)) {}

  RTA_HD std::int32_t ring_frames() const { return ring_frames_; }
  RTA_HD std::int64_t slot(int lane) const {  // a division, but for lanes that began together
    const std::int64_t position = tile_.lanes[lane].position;
    return position == tile_.lanes[0].position ? slot_ : slot_of(position + offset_, ring_frames_);
  }
  RTA_HD float* operator()(int lane) const {
    const GatedStack& stack = tile_.lanes[lane].stack;
    return stack.layers[layer_].ring + slot(lane) * stack.row;
  }

 private:
  const LaneTile& tile_;
  int layer_;
  std::int64_t offset_;
  std::int32_t ring_frames_;
  std::int64_t slot_;
};

// The inputs of all rows: where they are, if the lanes' frames stand at equal distances, as do
// those of streams that began together; else the taps of every row side by side in `gathered`.
Rows lane_rows(const LaneTile& tile, int layer, const LaneRows& oldest, float* gathered) {
  const GatedStack& stack = tile.stack();
  const std::ptrdiff_t tap_step = stack.layers[layer].weights->dilation * stack.row;
  const float* first = oldest(0);
  if (tile.num_lanes == 1) return {first, stack.row, tap_step, stack.kernel_size, stack.channels};
  std::ptrdiff_t step = oldest(1) - first;
  bool is_even = tile.frames == 1;
  for (int lane = 2; is_even && lane < tile.num_lanes; ++lane) {
    is_even = oldest(lane) - first == lane * step;
  }
  if (is_even) return {first, step, tap_step, stack.kernel_size, stack.channels};
  float* to = gathered;
  for (int lane = 0; lane < tile.num_lanes; ++lane) {
    const float* from = oldest(lane);
    for (int t = 0; t < tile.frames; ++t, from += stack.row) {
      for (int tap = 0; tap < stack.kernel_size; ++tap, to += stack.channels) {
        map(from + tap * tap_step, to, static_cast<std::size_t>(stack.channels),
            [](Vec v) { return v; });
      }
    }
  }
  step = std::ptrdiff_t{stack.kernel_size} * stack.channels;
  return {gathered, step, stack.channels, stack.kernel_size, stack.channels};
}

// What the sums of every row start from: the condition where it is, or in whole vectors.
void find_starts(const LaneTile& tile, int layer, float* vectors, const float** starts) {
  const std::ptrdiff_t gate = tile.stack().gate_channels, half = padded(gate);
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

// Where a row's residual and skip go: the next layer's input is written to both halves of its ring.
struct GatedRow {
  const float* x;
  float* next;
  float* mirror;
  float* skip;
  bool is_valid;
};
struct GatedSink {
  const GatedRow* rows;
  int residual_row, skip_channels;
  bool is_first, is_last;  // of the layers

  template <int V>
  RTA_HD void operator()(int t, int output, const Vec (&sums)[V]) const {
    const int end = output + V * kLanes;
    if (output >= residual_row && end <= residual_row + skip_channels) {
      float* const to = rows[t].skip + output - residual_row;
      RTA_UNROLL for (int v = 0; v < V; ++v) {
        store(to + v * kLanes, is_first ? sums[v] : load(to + v * kLanes) + sums[v]);
      }
    } else if (end <= residual_row) {
      if (is_last) return;
      RTA_UNROLL for (int v = 0; v < V; ++v) add_residual(t, output + v * kLanes, sums[v]);
    } else {
      RTA_UNROLL for (int v = 0; v < V; ++v) add_vector(t, output + v * kLanes, sums[v]);
    }
  }
  RTA_HD void add_vector(int t, int output, Vec sums) const {
    const int c = output - residual_row, left = skip_channels - c;
    if (c >= 0) {
      add_skip(t, c, left < kLanes ? left : kLanes, sums);
    } else if (!is_last) {
      add_residual(t, output, sums);
    }
  }
  RTA_HD void add_residual(int t, int c, Vec sums) const {
    const GatedRow& row = rows[t];
    const Vec next = row.is_valid ? load(row.x + c) + sums : zero();
    store(row.next + c, next);
    store(row.mirror + c, next);
  }
  RTA_HD void add_skip(int t, int c, int count, Vec sums) const {
    float* to = rows[t].skip + c;
    store_part(to, count, is_first ? sums : load_part(to, count) + sums);
  }
};

void find_rows(const LaneTile& tile, int layer, const LaneRows& oldest, std::ptrdiff_t skip_step,
               GatedRow* rows) {
  const GatedStack& stack = tile.stack();
  const int next_layer = layer + 1 < stack.num_layers ? layer + 1 : layer;
  const LaneRows next(tile, next_layer, 0);
  const std::int64_t ring_frames = next.ring_frames();
  const std::ptrdiff_t reach = tile.reach(layer) * stack.row;
  for (int i = 0; i < tile.num_lanes; ++i) {
    const GatedLane& lane = tile.lanes[i];
    const float* x = oldest(i) + reach;
    float* const ring = lane.stack.layers[next_layer].ring;
    float* skip = lane.skip + tile.first * skip_step;
    std::int64_t slot = next.slot(i);
    for (int t = 0; t < tile.frames; ++t, x += stack.row, skip += skip_step) {
      const int frame = tile.first + t;
      float* to = ring + slot * stack.row;
      *rows++ = {x, to, to + ring_frames * stack.row, skip,
                 frame >= lane.valid_begin && frame < lane.valid_end};
      if (++slot == ring_frames) slot = 0;
    }
  }
}

void gated_tile(const LaneTile& tile, std::ptrdiff_t skip_step, float* scratch) {
  const GatedStack& stack = tile.stack();
  const std::ptrdiff_t gate_row = padded(stack.gate_channels), z_row = 2 * gate_row;
  const auto residual_row = static_cast<int>(padded(stack.channels));
  float* const taps = scratch;
  float* const z = taps + kGatedRows * padded(stack.kernel_size * stack.channels);
  float* const gated = z + kGatedRows * 2 * gate_row;
  float* const vectors = gated + kGatedRows * gate_row;
  const auto end = reinterpret_cast<std::uintptr_t>(vectors + kGatedRows * 2 * gate_row);
  auto* const table = reinterpret_cast<FrameTable*>((end + 63) / 64 * 64);
  if (tile.rows() == 1 && gated_frame(tile, skip_step, taps, gated, *table)) return;
  const float* starts[kGatedRows];
  GatedRow out_rows[kGatedRows];
  for (int l = 0; l < stack.num_layers; ++l) {
    const GatedLayer& layer = stack.layers[l];
    const LaneRows oldest(tile, l, tile.reach(l));
    Rows rows = lane_rows(tile, l, oldest, taps);
    if (tile.lanes[0].condition != nullptr) {
      find_starts(tile, l, vectors, starts);
      rows.starts = starts;
    }
    find_rows(tile, l, oldest, skip_step, out_rows);
    const bool is_last = l + 1 == stack.num_layers;
    const GatedSink sink{out_rows, residual_row, stack.skip_channels, l == 0, is_last};
    const GatedWeights& m = *layer.weights;
    if (m.older.outputs > 0) {
      const float* sums = sum_older(stack, layer, rows, starts, z, z_row, tile.rows());
      const float* newest = rows.data + (rows.taps - 1) * rows.tap_step;
      for (int i = 0; i < tile.rows(); ++i) starts[i] = sums + i * z_row;
      rows = {newest, rows.frame_step, 0, 1, rows.inputs, starts};
    }
    matmul(m.conv, rows, z, z_row, tile.rows());
    gate(true, z, gated, static_cast<int>(gate_row), gate_row, z_row, gate_row, tile.rows());
    matmul_into(m.out, {gated, gate_row, 0, 1, stack.gate_channels},
                is_last ? residual_row / 64 * 64 : 0, sink, tile.rows());
  }
}

void gated_stack(const GatedLane* lanes, int num_lanes, int num_frames, std::ptrdiff_t skip_step,
                 float* scratch) {
  const int most = kGatedRows / num_lanes;
  for (int t = 0; t < num_frames; t += most) {
    gated_tile({lanes, num_lanes, t, num_frames - t < most ? num_frames - t : most}, skip_step,
               scratch);
  }
}
