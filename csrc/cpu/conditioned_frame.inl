// One frame through conditioned layers of 8 or 16 channels: signals are one vector each and stay in
// registers, and no branch stands between a layer and what it waits for. The same sums as
// frame_sums'.

// The sums over K taps, part by part.
template <int C, int K>
struct FrameSums {
  static constexpr int kDepth = C * K, kSplits = num_splits(kLanes, kDepth);
  static constexpr int kPart = (kDepth + kSplits - 1) / kSplits, kNewest = kDepth - C;
  static_assert(kSplits == 1 || kSplits == 4);
  const float* weights;
  Vec part[kSplits];

  // All but the newest tap, whose frame is what the layer before makes.
  RTA_HD FrameSums(const PackedMatrix& m, const float* oldest, std::ptrdiff_t tap_step)
      : weights(m.weights) {
    part[0] = load(m.bias);
    for (int s = 1; s < kSplits; ++s) part[s] = zero();
    RTA_UNROLL for (int tap = 0; tap + 1 < K; ++tap) {
      RTA_UNROLL for (int c = 0; c < C; ++c) {
        const int k = tap * C + c;
        part[k / kPart] =
            fma(Vec(oldest[tap * tap_step + c]), load(weights + k * kLanes), part[k / kPart]);
      }
    }
  }
  template <int I = 0>
  RTA_HD void add_newest(Vec x) {
    if constexpr (I < C) {
      constexpr int k = kNewest + I;
      part[k / kPart] = fma(spread<I>(x), load(weights + k * kLanes), part[k / kPart]);
      add_newest<I + 1>(x);
    }
  }
  RTA_HD Vec total() const {
    if constexpr (kSplits == 1) return part[0];
    return (part[0] + part[1]) + (part[2] + part[3]);
  }
};

template <int C, int K, Unary F>
RTA_HD void whole_frame_layer(const ConditionedStack& stack, const ConditionedLayer& layer,
                              float* ring, int max_frames, std::int64_t position, bool is_valid,
                              Vec condition, Vec& x, Vec& s) {
  const int history = (K - 1) * layer.dilation;
  const std::int64_t frames = row_ring_frames(history, max_frames);
  const std::int64_t slot = slot_of(position, frames);
  const std::int64_t oldest = slot < history ? slot - history + frames : slot - history;
  FrameSums<C, K> sums(layer.conv, ring + oldest * kLanes, std::ptrdiff_t{layer.dilation} * kLanes);
  float* const row = ring + slot * kLanes;
  const Vec kept = is_valid ? x : zero();
  store(row, kept);
  store(row + frames * kLanes, kept);
  sums.add_newest(kept);
  const Vec z = sums.total() + fma(condition, load(layer.condition.weights), zero());
  const Vec h = apply<F>(z, stack.activation_a, stack.activation_b);
  s = s + h;
  FrameSums<C, 1> residual(layer.residual, nullptr, 0);
  residual.add_newest(h);
  x = x + residual.total();
}

// K, L: the taps that layers have. Returns the end of their state.
template <int C, int K, int L, Unary F>
float* whole_frame(const ConditionedStack& stack, float* state, int max_frames,
                   std::int64_t position, bool is_valid, const float* in, float* out) {
  const Vec condition(in[C]);
  Vec x = load_first(in, C), s = load_first(in + C + 1, C);
  for (int l = 0; l < stack.num_layers; ++l) {
    const ConditionedLayer& layer = stack.layers[l];
    if (K == L || layer.kernel_size == K) {
      whole_frame_layer<C, K, F>(stack, layer, state, max_frames, position, is_valid, condition, x,
                                 s);
    } else {
      whole_frame_layer<C, L, F>(stack, layer, state, max_frames, position, is_valid, condition, x,
                                 s);
    }
    state += row_state_floats(C, (layer.kernel_size - 1) * layer.dilation, max_frames);
  }
  store_first(out, C, x);
  out[C] = in[C];
  store_first(out + C + 1, C, s);
  return state;
}

using WholeFrame = float* (*)(const ConditionedStack& stack, float* state, int max_frames,
                              std::int64_t position, bool is_valid, const float* in, float* out);
// For stacks with whole tiles.
WholeFrame find_whole_frame(const ConditionedStack& stack) {
  if (stack.activation == Unary::leaky_relu) return whole_frame<8, 6, 15, Unary::leaky_relu>;
  if (stack.channels == 8) return whole_frame<8, 3, 3, Unary::tanh>;
  return whole_frame<16, 3, 3, Unary::tanh>;
}
