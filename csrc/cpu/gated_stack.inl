// A stack of gated dilated convolutions, all layers for a tile of frames while it is hot.

RTA_HD std::int64_t slot_of(std::int64_t position, std::int64_t ring_frames) {
  const std::int64_t slot = position % ring_frames;
  return slot < 0 ? slot + ring_frames : slot;
}

RTA_HD void add_skip(const GatedStack& stack, const float* out, std::ptrdiff_t out_row,
                     int num_frames, bool first, float* skip, std::ptrdiff_t skip_step) {
  for (int t = 0; t < num_frames; ++t, out += out_row, skip += skip_step) {
    for_each(static_cast<std::size_t>(stack.skip_channels), [&](std::size_t c, int count) {
      const Vec value = load(out + c);
      store_part(skip + c, count, first ? value : load_part(skip + c, count) + value);
    });
  }
}

// The next layer's input, written to both halves of its ring. Rows are `row` floats wide, so they
// are read and written in full vectors.
RTA_HD void add_residual(const GatedStack& stack, const GatedLayer& layer, const GatedLayer& next,
                         std::int64_t position, int num_frames, int valid_begin, int valid_end,
                         const float* out, std::ptrdiff_t out_row) {
  const float* x = layer.ring + slot_of(position, layer.ring_frames) * stack.row;
  std::int64_t slot = slot_of(position, next.ring_frames);
  for (int t = 0; t < num_frames; ++t, x += stack.row, out += out_row) {
    float* to = next.ring + slot * stack.row;
    float* mirror = to + next.ring_frames * stack.row;
    const bool valid = t >= valid_begin && t < valid_end;
    for (std::ptrdiff_t c = 0; c < stack.row; c += kLanes) {
      const Vec value = valid ? load(x + c) + load(out + c) : zero();
      store(to + c, value);
      store(mirror + c, value);
    }
    if (++slot == next.ring_frames) slot = 0;
  }
}

// z of one frame whose older taps were summed ahead: those of this frame and of the next ones, as
// soon as the first of them is there. Every sum goes on where that of matmul would.
void sum_ahead(const GatedStack& stack, const GatedLayer& layer, const Rows& rows, float* z,
               std::ptrdiff_t z_row) {
  const int turn = stack.step % layer.frames_ahead, left = stack.steps - stack.step;
  const int older = stack.kernel_size - 1;
  if (turn == 0) {
    const Rows past{rows.data, rows.frame_step, rows.tap_step, older, rows.inputs};
    matmul(layer.conv, past, layer.ahead, z_row,
           left < layer.frames_ahead ? left : layer.frames_ahead);
  }
  const float* start = layer.ahead + turn * z_row;
  const Rows now{rows.data + older * rows.tap_step, 0, 0, 1, rows.inputs, &start,
                 older * rows.inputs};
  matmul(layer.conv, now, z, z_row, 1);
}

void gated_tile(const GatedStack& stack, std::int64_t position, int num_frames, int valid_begin,
                int valid_end, float* skip, std::ptrdiff_t skip_step, float* scratch) {
  const std::ptrdiff_t gate_row = padded(stack.gate_channels);
  const std::ptrdiff_t residual_row = padded(stack.channels);
  const std::ptrdiff_t out_row = residual_row + padded(stack.skip_channels);
  float* z = scratch;
  float* gated = z + kTileFrames * 2 * gate_row;
  float* out = gated + kTileFrames * gate_row;

  for (int l = 0; l < stack.num_layers; ++l) {
    const GatedLayer& layer = stack.layers[l];
    const std::int64_t reach = std::int64_t{stack.kernel_size - 1} * layer.dilation;
    const float* oldest = layer.ring + slot_of(position - reach, layer.ring_frames) * stack.row;
    const Rows rows{oldest, stack.row, layer.dilation * stack.row, stack.kernel_size,
                    stack.channels};
    if (layer.ahead != nullptr) {
      sum_ahead(stack, layer, rows, z, 2 * gate_row);
    } else {
      matmul(layer.conv, rows, z, 2 * gate_row, num_frames);
    }
    gate(true, z, gated, static_cast<int>(gate_row), gate_row, 2 * gate_row, gate_row, num_frames);
    const Rows gated_rows{gated, gate_row, 0, 1, stack.gate_channels};
    matmul(layer.out, gated_rows, out, out_row, num_frames);

    add_skip(stack, out + residual_row, out_row, num_frames, l == 0, skip, skip_step);
    if (l + 1 < stack.num_layers) {
      add_residual(stack, layer, stack.layers[l + 1], position, num_frames, valid_begin, valid_end,
                   out, out_row);
    }
  }
}

void gated_stack(const GatedStack& stack, std::int64_t position, int num_frames, int valid_begin,
                 int valid_end, float* skip, std::ptrdiff_t skip_step, float* scratch) {
  for (int t = 0; t < num_frames; t += kTileFrames) {
    const int count = num_frames - t < kTileFrames ? num_frames - t : kTileFrames;
    gated_tile(stack, position + t, count, valid_begin - t, valid_end - t, skip + t * skip_step,
               skip_step, scratch);
  }
}
