// One frame of one lane through a gated stack, and what it shares with tiles of frames.

RTA_HD std::int64_t slot_of(std::int64_t position, std::int64_t ring_frames) {
  const std::int64_t slot = position % ring_frames;
  return slot < 0 ? slot + ring_frames : slot;
}

// Rows of a tile: lane after lane, `frames` of each from `first` of the call on.
struct LaneTile {
  const GatedLane* lanes;
  int num_lanes;
  int first;
  int frames;

  RTA_HD int rows() const { return num_lanes * frames; }
  RTA_HD const GatedStack& stack() const { return lanes[0].stack; }
  RTA_HD std::int64_t reach(int layer) const {
    return std::int64_t{stack().kernel_size - 1} * stack().layers[layer].weights->dilation;
  }
};

// The sums of all rows over the older taps, rows of z_row: in z, or made ahead, those of this frame
// and of the next ones as soon as the first of them is there.
const float* sum_older(const GatedStack& stack, const GatedLayer& layer, Rows rows,
                       const float** starts, float* z, std::ptrdiff_t z_row, int num_rows) {
  --rows.taps;
  if (layer.ahead == nullptr) {
    matmul(layer.weights->older, rows, z, z_row, num_rows);
    return z;
  }
  const int turn = stack.step % layer.frames_ahead, left = stack.steps - stack.step;
  if (turn == 0) {
    const int count = left < layer.frames_ahead ? left : layer.frames_ahead;
    for (int i = 1; i < count && rows.starts != nullptr; ++i) starts[i] = starts[0];
    matmul(layer.weights->older, rows, layer.ahead, z_row, count);
  }
  return layer.ahead + turn * z_row;
}

// One frame through layers whose signals are whole panels, or halves of them: sums become gates,
// residuals and skips in registers.
constexpr int kFrameSteps = 64;  // the most layers

bool is_in_panels(const GatedStack& stack) {
  const PackedMatrix& first = stack.layers[0].weights->conv;
  const int gate = stack.gate_channels;
  // A row of sums a layer has to go where taps and sums of a tile's rows do otherwise.
  const std::ptrdiff_t z_row = std::ptrdiff_t{2} * gate;
  const std::ptrdiff_t room =
      kGatedRows * (std::ptrdiff_t{stack.kernel_size} * stack.channels + z_row);
  if (!has_whole_panels(stack.channels, gate, stack.skip_channels) ||
      (first.in_wide_panels && gate != 64 && gate % 128 != 0) ||
      (first.format != WeightFormat::fp32 && !first.in_pairs) || stack.num_layers > kFrameSteps ||
      stack.num_layers * z_row > room) {
    return false;
  }
  const auto is_alike = [&](const PackedMatrix& m) {
    return m.format == first.format && m.in_pairs == first.in_pairs && m.largest_inputs == nullptr;
  };
  for (int l = 0; l < stack.num_layers; ++l) {
    const GatedWeights& m = *stack.layers[l].weights;
    if (m.older.outputs == 0 || !is_alike(m.conv) || !is_alike(m.out)) return false;
  }
  return true;
}

// What a layer needs for a frame, found before the first layer begins: the products then follow one
// another without a wait for addresses.
struct FrameStep {
  const void* conv;
  const void* out;
  const float* bias;   // of out
  const float* start;  // this frame's sums over the older taps
  float* x;            // the layer's row in its ring
  float* ring;         // whose rows stand again `mirror` floats on
  std::ptrdiff_t mirror;
  float* sums;  // over the older taps, of this frame and those after it
  int frames_ahead, turn;
  const PackedMatrix* older;
  std::ptrdiff_t tap_step, reach;  // of the older taps' rows, in floats
};

// Kept in the scratch from step to step of a loop: what the weights drove out of the caches is not
// looked for again, and nothing is divided.
using FrameLayer = void (*)(const GatedStack&, const FrameStep&, const FrameStep*, bool, bool,
                            float*, float*);
struct FrameTable {
  std::int64_t position;  // that the steps are for
  FrameLayer layer;       // null: a frame does not go through the layers like this
  FrameStep steps[kFrameSteps];
};
static_assert(sizeof(FrameTable) <= kFrameTableFloats * sizeof(float));

// sums: room for a row of each layer.
void find_steps(const LaneTile& tile, float* sums, FrameStep* steps) {
  const GatedStack& stack = tile.stack();
  const std::int64_t position = tile.lanes[0].position + tile.first;
  const std::ptrdiff_t z_row = std::ptrdiff_t{2} * stack.gate_channels;
  for (int l = 0; l < stack.num_layers; ++l, sums += z_row) {
    const GatedLayer& layer = stack.layers[l];
    const GatedWeights& m = *layer.weights;
    const bool is_fp32 = m.conv.format == WeightFormat::fp32, is_ahead = layer.ahead != nullptr;
    FrameStep& step = steps[l];
    step.conv = is_fp32 ? m.conv.weights : m.conv.narrow;
    step.out = is_fp32 ? m.out.weights : m.out.narrow;
    step.bias = m.out.bias;
    step.x = layer.ring + slot_of(position, layer.ring_frames) * stack.row;
    step.ring = layer.ring;
    step.mirror = layer.ring_frames * stack.row;
    step.sums = is_ahead ? layer.ahead : sums;
    step.frames_ahead = is_ahead ? layer.frames_ahead : 1;
    step.turn = stack.step % step.frames_ahead;
    step.start = step.sums + step.turn * z_row;
    step.older = &m.older;
    step.tap_step = m.dilation * stack.row;
    step.reach = tile.reach(l) * stack.row;
  }
}
void move_steps(const GatedStack& stack, FrameStep* steps) {
  const std::ptrdiff_t z_row = std::ptrdiff_t{2} * stack.gate_channels;
  for (FrameStep* step = steps; step < steps + stack.num_layers; ++step) {
    step->x += stack.row;
    if (step->x == step->ring + step->mirror) step->x = step->ring;
    step->turn = step->turn + 1 < step->frames_ahead ? step->turn + 1 : 0;
    step->start = step->sums + step->turn * z_row;
  }
}

// The sums over the older taps that are due, of this frame and of those known to come.
void sum_due(const LaneTile& tile, const FrameStep* steps) {
  const GatedLane& lane = tile.lanes[0];
  const GatedStack& stack = lane.stack;
  const std::ptrdiff_t z_row = std::ptrdiff_t{2} * stack.gate_channels;
  const int left = stack.steps - stack.step;
  const float* starts[kGatedRows];
  for (int l = 0; l < stack.num_layers; ++l) {
    const FrameStep& step = steps[l];
    if (step.turn > 0) continue;
    const int count = left < step.frames_ahead ? left : step.frames_ahead;
    const std::ptrdiff_t at = step.x - step.ring, oldest = at - step.reach;
    Rows rows{step.ring + (oldest < 0 ? oldest + step.mirror : oldest), stack.row, step.tap_step,
              stack.kernel_size - 1, stack.channels};
    if (lane.condition != nullptr) {
      const float* const start = lane.condition + tile.first * lane.condition_step + z_row * l;
      for (int i = 0; i < count; ++i) starts[i] = start;
      rows.starts = starts;
    }
    matmul(*step.older, rows, step.sums, z_row, count);
  }
}

// The sums of the panel from `output` on: of `start`, and of a matrix times x.
template <int V, class W>
RTA_HD void sum_panel(Vec (&sum)[1][V], const W* w, int depth, int output, const float* start,
                      const float* x) {
  constexpr int C = kColumns<1, V>;
  w += std::ptrdiff_t{output} * depth / kEachStep<W>;
  RTA_UNROLL for (int v = 0; v < V; v += C) {
    Vec part[1][C];
    RTA_UNROLL for (int i = 0; i < C; ++i) part[0][i] = load(start + output + (v + i) * kLanes);
    accumulate(part, w + v * kLanes, V * kLanes, x, 0, depth);
    RTA_UNROLL for (int i = 0; i < C; ++i) sum[0][v + i] = part[0][i];
  }
}

// A row that is about to be written, and was last used as many frames ago as its queue is long.
RTA_HD void expect_row(const float* row, int channels) {
  for (int c = 0; c < channels; c += 16) __builtin_prefetch(row + c, 1);
}

// One layer; next: the step of the one that follows, null for the last. kWidth: the channels of x
// and of the gate where the compiler may know them, else 0.
template <int V, class W, int kWidth>
void frame_layer(const GatedStack& stack, const FrameStep& step, const FrameStep* next,
                 bool is_valid, bool is_first, float* gated, float* skip) {
  constexpr int kPanel = V * kLanes;
  const int gate = kWidth > 0 ? kWidth : stack.gate_channels;
  const int channels = kWidth > 0 ? kWidth : stack.channels;
  const auto* const conv = static_cast<const W*>(step.conv);
  const auto* const out = static_cast<const W*>(step.out);
  if (next != nullptr) {
    expect_row(next->x, channels);
    expect_row(next->x + next->mirror, channels);
  }
  Vec a[1][V], b[1][V];
  if (gate < kPanel) {  // both halves are one panel
    sum_panel(a, conv, channels, 0, step.start, step.x);
    RTA_UNROLL for (int v = 0; v < V / 2; ++v) {
      store(gated + v * kLanes, math::gated_tanh(a[0][v], a[0][v + V / 2]));
    }
  }
  for (int c = 0; c + kPanel <= gate; c += kPanel) {
    sum_panel(a, conv, channels, c, step.start, step.x);
    sum_panel(b, conv, channels, gate + c, step.start, step.x);
    RTA_UNROLL for (int v = 0; v < V; ++v) {
      store(gated + c + v * kLanes, math::gated_tanh(a[0][v], b[0][v]));
    }
  }
  const auto give = [&](int output, Vec sums) {
    if (output >= channels) {
      float* const to = skip + output - channels;
      store(to, is_first ? sums : load(to) + sums);
    } else if (next != nullptr) {
      const Vec x = is_valid ? load(step.x + output) + sums : zero();
      store(next->x + output, x);
      store(next->x + next->mirror + output, x);
    }
  };
  const int outputs = channels + stack.skip_channels;
  int c = next == nullptr ? channels / kPanel * kPanel : 0;
  for (; c + kPanel <= outputs; c += kPanel) {
    sum_panel(a, out, gate, c, step.bias, gated);
    RTA_UNROLL for (int v = 0; v < V; ++v) give(c + v * kLanes, a[0][v]);
  }
  if (c < outputs) {
    Vec rest[1][4];
    sum_panel(rest, out, gate, c, step.bias, gated);
    RTA_UNROLL for (int v = 0; v < 4; ++v) give(c + v * kLanes, rest[0][v]);
  }
}

template <int V>
FrameLayer find_half_layer([[maybe_unused]] int width) {
#if defined(__AVX2__)  // vectors of four lanes make these several times as long
  if (width == 64) return frame_layer<V, HalfPair, 64>;
  if (width == 128) return frame_layer<V, HalfPair, 128>;
#endif
  return frame_layer<V, HalfPair, 0>;
}
FrameLayer find_layer(const GatedStack& stack) {
  if (!is_in_panels(stack)) return nullptr;
  const PackedMatrix& m = stack.layers[0].weights->conv;
  // Loops over weights of fp32 wait for reads alone: a known length does not help them.
  if (m.format == WeightFormat::fp32) return frame_layer<4, float, 0>;
  const int width = stack.channels == stack.gate_channels ? stack.channels : 0;
  return m.in_wide_panels ? find_half_layer<8>(width) : find_half_layer<4>(width);
}

// False, and nothing is done, where a frame does not go through the layers like this.
bool gated_frame(const LaneTile& tile, std::ptrdiff_t skip_step, float* z, float* gated,
                 FrameTable& table) {
  const GatedLane& lane = tile.lanes[0];
  const GatedStack& stack = lane.stack;
  const std::int64_t position = lane.position + tile.first;
  const bool is_next = stack.step > 0 && table.position == position - 1;
  table.position = position;
  if (!is_next) table.layer = find_layer(stack);
  if (table.layer == nullptr) return false;
  FrameStep* const steps = table.steps;
  if (is_next) {
    move_steps(stack, steps);
  } else {
    find_steps(tile, z, steps);
  }
  sum_due(tile, steps);
  const bool is_valid = tile.first >= lane.valid_begin && tile.first < lane.valid_end;
  float* const skip = lane.skip + tile.first * skip_step;
  for (int l = 0; l < stack.num_layers; ++l) {
    const FrameStep* const next = l + 1 < stack.num_layers ? steps + l + 1 : nullptr;
    table.layer(stack, steps[l], next, is_valid, l == 0, gated, skip);
  }
  return true;
}
