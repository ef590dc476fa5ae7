// Stacks of dilated layers under one condition, channels in lanes: all layers for a few frames.

constexpr int kFewFrames = 4;  // where narrow layers go frame by frame

// Rows into both halves of a ring, zeros outside [begin, end).
RTA_HD void append_rows(float* ring, std::int64_t ring_frames, std::ptrdiff_t row,
                        std::int64_t position, const float* x, int num_frames, int begin, int end) {
  std::int64_t slot = slot_of(position, ring_frames);
  for (int t = 0; t < num_frames; ++t, x += row) {
    float* to = ring + slot * row;
    float* mirror = to + ring_frames * row;
    const bool valid = t >= begin && t < end;
    for (std::ptrdiff_t c = 0; c < row; c += kLanes) {
      const Vec value = valid ? load(x + c) : zero();
      store(to + c, value);
      store(mirror + c, value);
    }
    if (++slot == ring_frames) slot = 0;
  }
}

// h = f(z + condition c) in z's place; the second half of a gated z is used up.
RTA_HD void conditioned_function(const ConditionedStack& stack, const ConditionedLayer& layer,
                                 const float* condition, std::ptrdiff_t condition_row, float* z,
                                 std::ptrdiff_t z_row, int num_frames) {
  const std::ptrdiff_t half = padded(stack.hidden);
  for (int t = 0; t < num_frames; ++t) {
    const Vec c(condition[t * condition_row]);
    for (std::ptrdiff_t o = 0; o < z_row; o += kLanes) {
      float* to = z + t * z_row + o;
      store(to, load(to) + fma(c, load(layer.condition.weights + o), zero()));
    }
  }
  if (!stack.gated) {
    unary(stack.activation, z, z, static_cast<std::size_t>(num_frames * z_row), stack.activation_a,
          stack.activation_b);
  } else if (stack.activation == Unary::tanh && stack.gate == Unary::sigmoid) {
    gate(true, z, z, static_cast<int>(half), half, z_row, z_row, num_frames);
  } else {
    const auto n = static_cast<std::size_t>(half);
    for (int t = 0; t < num_frames; ++t, z += z_row) {
      unary(stack.activation, z, z, n, stack.activation_a, stack.activation_b);
      unary(stack.gate, z + half, z + half, n, stack.gate_a, stack.gate_b);
      multiply(z, z + half, z, n);
    }
  }
}

RTA_HD void add_rows(float* to, std::ptrdiff_t row, const float* x, std::ptrdiff_t x_row,
                     int num_frames) {
  for (int t = 0; t < num_frames; ++t, to += row, x += x_row) {
    for (std::ptrdiff_t c = 0; c < row; c += kLanes) store(to + c, load(to + c) + load(x + c));
  }
}

// The sums of a matrix of one vector of outputs for one frame.
RTA_HD Vec frame_sums(const PackedMatrix& m, const Rows& rows) {
  const float* w = m.weights;
  Cursor cursor(rows, rows.data);
  Vec sum[1][1] = {{load(m.bias)}};
  sum_tree(m, m.depth, sum, [&](Vec(&acc)[1][1], int depth) {
    accumulate_taps(acc, w, kLanes, rows, cursor, depth);
  });
  return sum[0][0];
}

// One frame through layers whose signals are one vector each: they stay in registers. Returns the
// end of their state.
float* conditioned_frame(const ConditionedStack& stack, float* state, int max_frames,
                         std::int64_t position, bool is_valid, const float* in, float* out) {
  alignas(64) float h_row[kLanes];
  const int channels = stack.channels;
  const Vec condition(in[channels]);
  Vec x = load_first(in, channels), s = load_first(in + channels + 1, stack.skip_channels);
  for (int l = 0; l < stack.num_layers; ++l) {
    const ConditionedLayer& layer = stack.layers[l];
    const int history = (layer.kernel_size - 1) * layer.dilation;
    const std::int64_t frames = row_ring_frames(history, max_frames);
    const std::int64_t slot = slot_of(position, frames);
    const std::int64_t oldest = slot < history ? slot - history + frames : slot - history;
    float* row = state + slot * kLanes;
    const Vec kept = is_valid ? x : zero();
    store(row, kept);
    store(row + frames * kLanes, kept);
    const Rows past{state + oldest * kLanes, kLanes, std::ptrdiff_t{layer.dilation} * kLanes,
                    layer.kernel_size, channels};
    state += row_state_floats(channels, history, max_frames);
    Vec h = frame_sums(layer.conv, past) + fma(condition, load(layer.condition.weights), zero());
    if (stack.activation == Unary::tanh) {
      h = math::tanh(h);
      store(h_row, h);
    } else {
      store(h_row, h);
      unary(stack.activation, h_row, h_row, kLanes, stack.activation_a, stack.activation_b);
      h = load(h_row);
    }
    const Rows hidden{h_row, 0, 0, 1, stack.hidden};
    s = s + (layer.skip.weights != nullptr ? frame_sums(layer.skip, hidden) : h);
    x = x + frame_sums(layer.residual, hidden);
  }
  store_first(out, channels, x);
  out[channels] = in[channels];
  store_first(out + channels + 1, stack.skip_channels, s);
  return state;
}

// Rows `begin` to begin + count of a call, kTileFrames at most, through a stack; in place allowed.
// Returns the end of its state.
float* rows_through_stack(const ConditionedStack& stack, const ConditionedCall& call, float* state,
                          int begin, int count, const float* from, std::ptrdiff_t from_row,
                          float* to, std::ptrdiff_t to_row, float* scratch) {
  const int channels = stack.channels, skip_channels = stack.skip_channels;
  const int valid_begin = call.valid_begin - begin, valid_end = call.valid_end - begin;
  const std::int64_t position = call.position + begin;
  const std::ptrdiff_t x_row = padded(channels), skip_row = padded(skip_channels);
  const std::ptrdiff_t z_row = padded(stack.hidden) * (stack.gated ? 2 : 1);
  const bool is_narrow = x_row == kLanes && skip_row == kLanes && z_row == kLanes;
  if (is_narrow && count < kFewFrames) {
    const WholeFrame frame = stack.is_whole ? find_whole_frame(stack) : conditioned_frame;
    float* end = state;
    for (int t = 0; t < count; ++t) {
      end = frame(stack, state, call.max_frames, position + t, t >= valid_begin && t < valid_end,
                  from + t * from_row, to + t * to_row);
    }
    return end;
  }
  float* x = scratch;
  float* skip = x + kTileFrames * x_row;
  float* z = skip + kTileFrames * skip_row;
  float* other = z + kTileFrames * z_row;
  copy_rows(from, from_row, x, x_row, channels, count);
  copy_rows(from + channels + 1, from_row, skip, skip_row, skip_channels, count);
  for (int l = 0; l < stack.num_layers; ++l) {
    const ConditionedLayer& layer = stack.layers[l];
    const int history = (layer.kernel_size - 1) * layer.dilation;
    const std::int64_t frames = row_ring_frames(history, call.max_frames);
    append_rows(state, frames, x_row, position, x, count, valid_begin, valid_end);
    const Rows past{state + slot_of(position - history, frames) * x_row, x_row,
                    layer.dilation * x_row, layer.kernel_size, channels};
    state += row_state_floats(channels, history, call.max_frames);
    matmul(layer.conv, past, z, z_row, count);
    conditioned_function(stack, layer, from + channels, from_row, z, z_row, count);
    const Rows hidden{z, z_row, 0, 1, stack.hidden};
    if (layer.skip.weights != nullptr) {
      matmul(layer.skip, hidden, other, skip_row, count);
      add_rows(skip, skip_row, other, skip_row, count);
    } else {
      add_rows(skip, skip_row, z, z_row, count);
    }
    matmul(layer.residual, hidden, other, x_row, count);
    add_rows(x, x_row, other, x_row, count);
  }
  copy_rows(x, x_row, to, to_row, channels, count);
  for (int t = 0; t < count; ++t) to[t * to_row + channels] = from[t * from_row + channels];
  copy_rows(skip, skip_row, to + channels + 1, to_row, skip_channels, count);
  return state;
}

void conditioned_rows(const ConditionedNet& net, const ConditionedCall& call) {
  const auto row = static_cast<std::ptrdiff_t>(conditioned_row(net));
  float* const scratch = call.scratch + 2 * kTileFrames * row;
  for (int begin = 0; begin < call.num_frames; begin += kTileFrames) {
    const int left = call.num_frames - begin, count = left < kTileFrames ? left : kTileFrames;
    const float* x = call.in + begin * call.in_row;
    std::ptrdiff_t x_row = call.in_row;
    float* const out = call.out + begin * call.out_row;
    float* state = call.state;
    for (int s = 0; s < net.num_stages; ++s) {
      const ConditionedStage& stage = net.stages[s];
      const bool leaves = s + 1 == net.num_stages && net.outputs == stage.width;
      float* const y = leaves ? out : call.scratch + s % 2 * kTileFrames * row;
      const std::ptrdiff_t y_row = leaves ? call.out_row : row;
      for (int m = 0; m < stage.num_maps; ++m) {
        const ConditionedMap& each = stage.maps[m];
        const Rows from{x + each.from, x_row, 0, 1, each.matrix.depth};
        matmul(each.matrix, from, y + each.to, y_row, count);
      }
      const float* const made = stage.num_maps > 0 ? y : x;
      const std::ptrdiff_t made_row = stage.num_maps > 0 ? y_row : x_row;
      if (stage.stack.num_layers > 0) {
        state = rows_through_stack(stage.stack, call, state, begin, count, made, made_row, y, y_row,
                                   scratch);
      }
      x = y;
      x_row = y_row;
    }
    if (x != out) copy_rows(x + net.first_output, x_row, out, call.out_row, net.outputs, count);
  }
}
