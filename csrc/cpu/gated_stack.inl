// A stack of gated dilated convolutions, all layers for a tile of frames while it is hot.

constexpr int kTileFrames = 16;

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
    const std::int64_t frames = layer.ring_frames;
    const auto slot_of = [&](std::int64_t p) { return ((p % frames) + frames) % frames; };
    const std::int64_t reach = std::int64_t{stack.kernel_size - 1} * layer.dilation;
    const float* oldest = layer.ring + slot_of(position - reach) * stack.row;
    const Rows rows{oldest, stack.row, layer.dilation * stack.row, stack.kernel_size,
                    stack.channels};
    matmul(layer.conv, rows, z, 2 * gate_row, num_frames);
    gate(true, z, gated, static_cast<int>(gate_row), gate_row, 2 * gate_row, gate_row,
         num_frames);
    const Rows gated_rows{gated, gate_row, 0, 1, stack.gate_channels};
    matmul(layer.out, gated_rows, out, out_row, num_frames);

    const bool last = l + 1 == stack.num_layers;
    for (int t = 0; t < num_frames; ++t) {
      const float* from = out + t * out_row;
      float* sum = skip + t * skip_step;
      for_each(static_cast<std::size_t>(stack.skip_channels), [&](std::size_t c, int count) {
        const Vec value = load(from + residual_row + c);
        store_part(sum + c, count, l == 0 ? value : load_part(sum + c, count) + value);
      });
      if (last) continue;
      const GatedLayer& next = stack.layers[l + 1];
      const bool valid = t >= valid_begin && t < valid_end;
      const float* x = layer.ring + slot_of(position + t) * stack.row;
      const std::int64_t slot = (position + t) % next.ring_frames;
      float* to = next.ring + slot * stack.row;
      float* mirror = to + std::int64_t{next.ring_frames} * stack.row;
      for_each(static_cast<std::size_t>(stack.channels), [&](std::size_t c, int count) {
        const Vec value = valid ? load_part(x + c, count) + load(from + c) : zero();
        store_part(to + c, count, value);
        store_part(mirror + c, count, value);
      });
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
