// Stacks of dilated layers under one condition, time in lanes: layer after layer over a chunk of
// frames, so that a layer's weights are read once a chunk.

// x into the ring, zeros outside [begin, end). What a tile writes beyond the call's last frame lies
// in slots that hold nothing yet, beyond the ring and its copy in the padding.
template <int V>
RTA_HD void append_planes(int channels, const PlaneRing& ring, std::int64_t position,
                          const float* x, int begin, int end) {
  constexpr int kFrames = V * kLanes;
  static_assert(kFrames <= kPlanePad);
  const std::int64_t slot = slot_of(position, ring.frames);
  const bool is_whole = begin <= 0 && end >= kFrames;
  for (int c = 0; c < channels; ++c, x += kPlaneChunk) {
    alignas(64) float valid[kFrames];
    const float* from = x;
    if (!is_whole) {
      for (int t = 0; t < kFrames; ++t) valid[t] = t >= begin && t < end ? x[t] : 0.0f;
      from = valid;
    }
    float* to = ring.data + c * ring.plane + slot;
    for (int v = 0; v < kFrames; v += kLanes) {
      const Vec frames = load(from + v);
      store(to + v, frames);
      if (slot + kFrames > ring.frames) store(to - ring.frames + v, frames);
      if (slot < kPlanePad) store(to + ring.frames + v, frames);
    }
  }
}

// h = f(z) where f is not tanh alone.
template <int V>
RTA_HD void conditioned_planes_function(const ConditionedStack& stack, float* z) {
  const std::size_t n = static_cast<std::size_t>(stack.hidden) * V * kLanes;
  if (!stack.gated) {
    unary(stack.activation, z, z, n, stack.activation_a, stack.activation_b);
  } else if (stack.activation == Unary::tanh && stack.gate == Unary::sigmoid) {
    gate(true, z, z, static_cast<int>(n), static_cast<std::ptrdiff_t>(n), 0, 0, 1);
  } else {
    unary(stack.activation, z, z, n, stack.activation_a, stack.activation_b);
    unary(stack.gate, z + n, z + n, n, stack.gate_a, stack.gate_b);
    multiply(z, z + n, z, n);
  }
}

template <int G, int V>
RTA_HD void add_to_planes(float* planes, int output, const Vec (&sum)[G][V]) {
  float* to = planes + output * std::ptrdiff_t{kPlaneChunk};
  RTA_UNROLL for (int g = 0; g < G; ++g, to += kPlaneChunk) {
    RTA_UNROLL for (int v = 0; v < V; ++v) {
      store(to + v * kLanes, load(to + v * kLanes) + sum[g][v]);
    }
  }
}

// f.operator()<V>(t) for tiles of V vectors.
template <class F>
RTA_HD void for_each_tile(int count, const F& f) {
  for (int t = 0; t < count;) {
    if (count - t > kLanes && kPlaneVectors > 1) {
      f.template operator()<kPlaneVectors>(t);
      t += kPlaneVectors * kLanes;
    } else {
      f.template operator()<1>(t);
      t += kLanes;
    }
  }
}

// x and s of one tile through one layer.
template <int V>
void conditioned_tile(const ConditionedStack& stack, const ConditionedLayer& layer,
                      const PlaneRing& ring, std::int64_t position, const ConditionedScratch& at,
                      int begin, int end) {
  constexpr int kFrames = V * kLanes;
  append_planes<V>(stack.channels, ring, position, at.x, begin, end);
  std::int32_t offsets[kMaxPlaneDepth];
  std::int32_t* offset = offsets;
  const int reach = (layer.kernel_size - 1) * layer.dilation;
  auto slot = static_cast<std::int32_t>(slot_of(position - reach, ring.frames));
  for (int tap = 0; tap < layer.kernel_size; ++tap) {
    for (int c = 0; c < stack.channels; ++c) *offset++ = slot + c * ring.plane;
    slot += layer.dilation;
    if (slot >= ring.frames) slot -= ring.frames;
  }
  const bool is_tanh = !stack.gated && stack.activation == Unary::tanh;
  const bool adds_hidden = layer.skip.weights == nullptr;
  for (int half = 0; half <= static_cast<int>(stack.gated); ++half) {
    const int first = half * static_cast<int>(padded(stack.hidden));
    const float* weights = layer.condition.weights + first;
    float* z = at.z + half * stack.hidden * kFrames;
    const Planes past{ring.data, offsets};
    for_each_plane<V>(layer.conv, past, first, stack.hidden, [&]<int G>(int o, Vec(&sum)[G][V]) {
      RTA_UNROLL for (int g = 0; g < G; ++g) {
        RTA_UNROLL for (int v = 0; v < V; ++v) {
          const Vec condition = load(at.condition + v * kLanes);
          sum[g][v] = sum[g][v] + fma(condition, Vec(weights[o + g]), zero());
        }
      }
      if (is_tanh) {
        RTA_UNROLL for (int g = 0; g < G; ++g) {
          RTA_UNROLL for (int v = 0; v < V; ++v) sum[g][v] = math::tanh(sum[g][v]);
        }
        if (adds_hidden) add_to_planes(at.skip, o, sum);
      }
      RTA_UNROLL for (int g = 0; g < G; ++g) {
        RTA_UNROLL for (int v = 0; v < V; ++v) {
          store(z + (o + g) * kFrames + v * kLanes, sum[g][v]);
        }
      }
    });
  }
  if (!is_tanh) {
    conditioned_planes_function<V>(stack, at.z);
    for (int c = 0; adds_hidden && c < stack.hidden; ++c) {
      Vec h[1][V];
      for (int v = 0; v < V; ++v) h[0][v] = load(at.z + c * kFrames + v * kLanes);
      add_to_planes(at.skip, c, h);
    }
  }
  for (int c = 0; c < stack.hidden; ++c) offsets[c] = c * kFrames;
  const Planes hidden{at.z, offsets};
  if (!adds_hidden) {
    for_each_plane<V>(layer.skip, hidden, 0, stack.skip_channels,
                      [&]<int G>(int o, Vec(&sum)[G][V]) { add_to_planes(at.skip, o, sum); });
  }
  for_each_plane<V>(layer.residual, hidden, 0, stack.channels,
                    [&]<int G>(int o, Vec(&sum)[G][V]) { add_to_planes(at.x, o, sum); });
}

// The planes of a chunk's `count` frames through a stack; returns the end of its state.
float* planes_through_stack(const ConditionedStack& stack, const ConditionedCall& call,
                            float* state, int begin, int count, float* planes, float* z) {
  const ConditionedScratch all{planes, planes + stack.channels * kPlaneChunk,
                               planes + (stack.channels + 1) * kPlaneChunk, z};
  const std::int64_t position = call.position + begin;
  if (stack.is_whole && call.valid_begin <= begin && call.valid_end >= begin + count) {
    return whole_chunk(stack, state, call.max_frames, position, count, all);
  }
  for (int l = 0; l < stack.num_layers; ++l) {
    const ConditionedLayer& layer = stack.layers[l];
    const int history = (layer.kernel_size - 1) * layer.dilation;
    const int frames = plane_ring_frames(history, call.max_frames);
    const PlaneRing ring{state + kPlanePad, plane_floats(frames), frames};
    state += stack.channels * ring.plane;
    for_each_tile(count, [&]<int V>(int t) {
      const ConditionedScratch at{all.x + t, all.condition + t, all.skip + t, z};
      conditioned_tile<V>(stack, layer, ring, position + t, at, call.valid_begin - begin - t,
                          call.valid_end - begin - t);
    });
  }
  return state;
}

// Where the channels of a chunk stand.
struct ChunkOffsets {
  std::int32_t at[kMaxMapDepth];
  constexpr ChunkOffsets() : at() {
    for (int k = 0; k < kMaxMapDepth; ++k) at[k] = k * kPlaneChunk;
  }
};
constexpr ChunkOffsets kChunkOffsets;

void map_planes(const ConditionedMap& map, const float* x, float* y, int count) {
  x += map.from * kPlaneChunk;
  for_each_tile(count, [&]<int V>(int t) {
    float* const to = y + map.to * kPlaneChunk + t;
    for_each_plane<V>(map.matrix, {x + t, kChunkOffsets.at}, 0, map.matrix.outputs,
                      [&]<int G>(int o, Vec(&sum)[G][V]) {
                        RTA_UNROLL for (int g = 0; g < G; ++g) {
                          RTA_UNROLL for (int v = 0; v < V; ++v) {
                            store(to + (o + g) * kPlaneChunk + v * kLanes, sum[g][v]);
                          }
                        }
                      });
  });
}

void conditioned_planes(const ConditionedNet& net, const ConditionedCall& call) {
  float* x = call.scratch;
  float* y = x + net.width * kPlaneChunk;
  float* const z = y + net.width * kPlaneChunk;
  for (int begin = 0; begin < call.num_frames; begin += kPlaneChunk) {
    const int left = call.num_frames - begin, count = left < kPlaneChunk ? left : kPlaneChunk;
    rows_to_planes(call.in + begin * call.in_row, call.in_row, net.inputs, count, x, kPlaneChunk);
    float* state = call.state;
    for (int s = 0; s < net.num_stages; ++s) {
      const ConditionedStage& stage = net.stages[s];
      for (int m = 0; m < stage.num_maps; ++m) map_planes(stage.maps[m], x, y, count);
      if (stage.num_maps > 0) {
        float* const made = y;
        y = x;
        x = made;
      }
      state = planes_through_stack(stage.stack, call, state, begin, count, x, z);
    }
    planes_to_rows(x + net.first_output * kPlaneChunk, kPlaneChunk, net.outputs, count,
                   call.out + begin * call.out_row, call.out_row);
  }
}
