// Conditioned layers of 8 or 16 channels over frames that all belong to the signal: what leaves a
// layer goes straight into the next one's ring, f is applied to the sums in registers, and no loop
// is left around the products of a tile. The same sums as conditioned_tile's.

// The chunk's signals and what one tile of V vectors needs.
struct ConditionedScratch {
  float* x;  // planes of kPlaneChunk frames
  float* condition;
  float* skip;
  float* z;  // planes of one tile
};

struct PlaneRing {
  float* data;  // slot 0 of the first channel
  std::int32_t plane;
  std::int32_t frames;
};

// Where a tile's frames go: planes, and the copies of a ring's frames.
struct PlaneTarget {
  float* data;  // of the first channel
  std::ptrdiff_t plane;
  std::ptrdiff_t before, after;  // to the copies; 0: none

  RTA_HD void operator()(int channel, Vec frames) const {
    float* const to = data + channel * plane;
    store(to, frames);
    if (before != 0) store(to + before, frames);
    if (after != 0) store(to + after, frames);
  }
};

// The ring of a layer, and the slot of the chunk's first frame.
struct ChunkRing {
  PlaneRing ring;
  std::int32_t first;

  RTA_HD std::int32_t slot(int t) const {
    return first + t < ring.frames ? first + t : first + t - ring.frames;
  }
  RTA_HD PlaneTarget target(int t) const {
    const std::int32_t at = slot(t);
    return {ring.data + at, ring.plane, at + kLanes > ring.frames ? -ring.frames : 0,
            at < kPlanePad ? ring.frames : 0};
  }
};
RTA_HD ChunkRing chunk_ring(const ConditionedLayer& layer, float* history, int max_frames,
                            std::int64_t position) {
  const int frames = plane_ring_frames((layer.kernel_size - 1) * layer.dilation, max_frames);
  return {{history + kPlanePad, plane_floats(frames), frames},
          static_cast<std::int32_t>(slot_of(position, frames))};
}

// A tile's frames at each tap, of C channels.
template <int C, int K>
struct TapPlanes {
  const float* taps[K];
  std::ptrdiff_t plane;

  RTA_HD TapPlanes(const ChunkRing& from, int dilation, int t) : plane(from.ring.plane) {
    std::int32_t slot = from.slot(t);
    RTA_UNROLL for (int tap = K - 1; tap >= 0; --tap) {
      taps[tap] = from.ring.data + slot;
      slot -= dilation;
      if (slot < 0) slot += from.ring.frames;
    }
  }
  RTA_HD const float* operator[](int k) const { return taps[k / C] + k % C * plane; }
};

struct HiddenPlanes {
  const float* data;

  RTA_HD const float* operator[](int k) const { return data + k * kLanes; }
};

// acc[g] += sum over k from Begin to End of w[k][g] * x[k], k rising.
template <int Begin, int End, int G, class X>
RTA_HD void accumulate_whole(Vec (&acc)[G], const float* w, const X& x) {
  if constexpr (End - Begin > 16) {
    accumulate_whole<Begin, Begin + 16>(acc, w, x);
    accumulate_whole<Begin + 16, End>(acc, w, x);
  } else {
    RTA_UNROLL for (int k = Begin; k < End; ++k) {
      const Vec frames = in_register(load(x[k]));
      RTA_UNROLL for (int g = 0; g < G; ++g) acc[g] = fma(frames, Vec(w[k * kLanes + g]), acc[g]);
    }
  }
}
template <int Begin, int End, int G, class X>
RTA_HD void sum_whole(Vec (&sum)[G], const float* w, const X& x) {
  RTA_UNROLL for (int g = 0; g < G; ++g) sum[g] = zero();
  accumulate_whole<Begin, End>(sum, w, x);
}
template <int G>
RTA_HD void add_whole(Vec (&sum)[G], const Vec (&other)[G]) {
  RTA_UNROLL for (int g = 0; g < G; ++g) sum[g] = sum[g] + other[g];
}

// Sums of G outputs of a matrix of one vector of outputs.
template <int Depth, int G, class X>
RTA_HD void whole_sums(const PackedMatrix& m, const X& x, int output, Vec (&sum)[G]) {
  constexpr int kSplits = num_splits(kLanes, Depth), kPart = (Depth + kSplits - 1) / kSplits;
  static_assert(kSplits == 1 || kSplits == 4);
  const float* const w = m.weights + output;
  RTA_UNROLL for (int g = 0; g < G; ++g) sum[g] = Vec(m.bias[output + g]);
  accumulate_whole<0, kPart>(sum, w, x);
  if constexpr (kSplits == 4) {
    Vec part[G], last[G];
    sum_whole<kPart, 2 * kPart>(part, w, x);
    add_whole(sum, part);
    sum_whole<2 * kPart, 3 * kPart>(part, w, x);
    sum_whole<3 * kPart, Depth>(last, w, x);
    add_whole(part, last);
    add_whole(sum, part);
  }
}

// Not inlined: where taps and planes stand would all be found first, and kept in memory.
template <int C, int K, Unary F>
[[gnu::noinline]] void whole_layer(const ConditionedStack& stack, const ConditionedLayer& layer,
                                   const TapPlanes<C, K>& past, const ConditionedScratch& at,
                                   const PlaneTarget& next) {
  constexpr int G = kPlaneSums < C ? kPlaneSums : C;
  alignas(64) float h[C * kLanes];
  const Vec condition = load(at.condition);
  for (int o = 0; o < C; o += G) {
    Vec sum[G];
    whole_sums<C * K>(layer.conv, past, o, sum);
    RTA_UNROLL for (int g = 0; g < G; ++g) {
      const Vec weight(layer.condition.weights[o + g]);
      const Vec z = sum[g] + fma(condition, weight, zero());
      sum[g] = apply<F>(z, stack.activation_a, stack.activation_b);
    }
    RTA_UNROLL for (int g = 0; g < G; ++g) {
      store(h + (o + g) * kLanes, sum[g]);
      float* const skip = at.skip + (o + g) * kPlaneChunk;
      store(skip, load(skip) + sum[g]);
    }
  }
  for (int o = 0; o < C; o += G) {
    Vec sum[G];
    whole_sums<C>(layer.residual, HiddenPlanes{h}, o, sum);
    RTA_UNROLL for (int g = 0; g < G; ++g) {
      next(o + g, load(past.taps[K - 1] + (o + g) * past.plane) + sum[g]);
    }
  }
}

// Tile t of 16 frames through a layer.
template <int C, int K, Unary F>
void whole_tile(const ConditionedStack& stack, const ConditionedLayer& layer, const ChunkRing& from,
                int t, const ConditionedScratch& at, const PlaneTarget& next) {
  const TapPlanes<C, K> past(from, layer.dilation, t);
  whole_layer<C, K, F>(stack, layer, past, at, next);
}

using WholeTile = void (*)(const ConditionedStack& stack, const ConditionedLayer& layer,
                           const ChunkRing& from, int t, const ConditionedScratch& at,
                           const PlaneTarget& next);
// For stacks that have whole tiles.
WholeTile find_whole_tile(const ConditionedStack& stack, int taps) {
  if (stack.activation == Unary::leaky_relu) {
    return taps == 6 ? whole_tile<8, 6, Unary::leaky_relu> : whole_tile<8, 15, Unary::leaky_relu>;
  }
  return stack.channels == 8 ? whole_tile<8, 3, Unary::tanh> : whole_tile<16, 3, Unary::tanh>;
}

// All layers for `count` frames from `position` on, a chunk at most; returns the end of their
// state.
float* whole_chunk(const ConditionedStack& stack, float* state, int max_frames,
                   std::int64_t position, int count, const ConditionedScratch& planes) {
  const int channels = stack.channels;
  ChunkRing ring = chunk_ring(stack.layers[0], state, max_frames, position);
  for (int t = 0; t < count; t += kLanes) {
    const PlaneTarget first = ring.target(t);
    for (int c = 0; c < channels; ++c) first(c, load(planes.x + c * kPlaneChunk + t));
  }
  for (int l = 0; l < stack.num_layers; ++l) {
    const ConditionedLayer& layer = stack.layers[l];
    const WholeTile tile = find_whole_tile(stack, layer.kernel_size);
    const bool is_last = l + 1 == stack.num_layers;
    state += channels * ring.ring.plane;
    const ChunkRing next =
        is_last ? ring : chunk_ring(stack.layers[l + 1], state, max_frames, position);
    for (int t = 0; t < count; t += kLanes) {
      const ConditionedScratch at{planes.x + t, planes.condition + t, planes.skip + t, nullptr};
      tile(stack, layer, ring, t, at,
           is_last ? PlaneTarget{at.x, kPlaneChunk, 0, 0} : next.target(t));
    }
    ring = next;
  }
  return state;
}
