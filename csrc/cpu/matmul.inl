// Matrix times rows. See the numbers rules in kernels.h: every path below forms the same sums.

// acc[f][v] += sum over k of w[k][v] * x[f][k], k rising.
template <int F, int V>
RTA_HD void accumulate(Vec (&acc)[F][V], const float* w, std::ptrdiff_t w_step, const float* x,
                       std::ptrdiff_t frame_step, int count) {
  for (int k = 0; k < count; ++k) {
    Vec weights[V];
    for (int v = 0; v < V; ++v) weights[v] = load(w + v * kLanes);
    for (int f = 0; f < F; ++f) {
      const Vec value(x[f * frame_step + k]);
      for (int v = 0; v < V; ++v) acc[f][v] = fma(value, weights[v], acc[f][v]);
    }
    w += w_step;
  }
}

// The same over depths [begin, end), which may span taps.
template <int F, int V>
RTA_HD void accumulate_taps(Vec (&acc)[F][V], const float* w, std::ptrdiff_t w_step,
                            const Rows& rows, const float* x, int begin, int end) {
  int tap = begin / rows.inputs;
  int channel = begin - tap * rows.inputs;
  while (begin < end) {
    const int left = rows.inputs - channel;
    const int count = left < end - begin ? left : end - begin;
    accumulate(acc, w + begin * w_step, w_step, x + tap * rows.tap_step + channel,
               rows.frame_step, count);
    begin += count;
    channel = 0;
    ++tap;
  }
}

template <int F, int V>
RTA_HD void fill(Vec (&acc)[F][V], Vec value) {
  for (int f = 0; f < F; ++f) {
    for (int v = 0; v < V; ++v) acc[f][v] = value;
  }
}
template <int F, int V>
RTA_HD void add_to(Vec (&acc)[F][V], const Vec (&other)[F][V]) {
  for (int f = 0; f < F; ++f) {
    for (int v = 0; v < V; ++v) acc[f][v] = acc[f][v] + other[f][v];
  }
}

// F frames times V vectors of outputs: w points at the first of them in the panel.
template <int F, int V>
void tile(const PackedMatrix& m, const float* w, std::ptrdiff_t w_step, int output,
          const Rows& rows, const float* x, float* y, std::ptrdiff_t y_step) {
  const int segment = (m.depth + m.splits - 1) / m.splits;
  Vec sum[F][V];
  for (int f = 0; f < F; ++f) {
    for (int v = 0; v < V; ++v) sum[f][v] = load(m.bias + output + v * kLanes);
  }
  if (m.splits == 1) {
    accumulate_taps(sum, w, w_step, rows, x, 0, m.depth);
  } else {
    accumulate_taps(sum, w, w_step, rows, x, 0, segment);
    const int second_end = m.splits == 2 ? m.depth : 2 * segment;
    Vec part[F][V];
    fill(part, zero());
    accumulate_taps(part, w, w_step, rows, x, segment, second_end);
    add_to(sum, part);
    if (m.splits == 4) {
      fill(part, zero());
      accumulate_taps(part, w, w_step, rows, x, 2 * segment, 3 * segment);
      Vec last[F][V];
      fill(last, zero());
      accumulate_taps(last, w, w_step, rows, x, 3 * segment, m.depth);
      add_to(part, last);
      add_to(sum, part);
    }
  }
  for (int f = 0; f < F; ++f) {
    for (int v = 0; v < V; ++v) {
      float* out = y + f * y_step + output + v * kLanes;
      if (m.outputs >= kLanes) {
        store(out, sum[f][v]);
      } else {
        store_first(out, m.outputs, sum[f][v]);
      }
    }
  }
}

// One frame of a split matrix: the S sums of one vector run side by side, so that one frame is
// not bound by the latency of a single chain of fma.
template <int S, int V>
void split_frame(const PackedMatrix& m, const Rows& rows, const float* x, float* y) {
  constexpr std::ptrdiff_t kStep = V * kLanes;
  const int segment = (m.depth + S - 1) / S;
  Vec acc[S][V];
  const float* from[S];  // x of the segment's next k, and how many of its tap are left
  int left[S], tap[S];
  for (int s = 0; s < S; ++s) {
    for (int v = 0; v < V; ++v) acc[s][v] = s == 0 ? load(m.bias + v * kLanes) : zero();
    tap[s] = s * segment / rows.inputs;
    const int channel = s * segment - tap[s] * rows.inputs;
    from[s] = x + tap[s] * rows.tap_step + channel;
    left[s] = rows.inputs - channel;
  }
  const int shortest = m.depth - (S - 1) * segment;
  for (int k = 0; k < shortest;) {
    int count = shortest - k;
    for (int s = 0; s < S; ++s) count = left[s] < count ? left[s] : count;
    const float* w = m.weights + k * kStep;
    for (int i = 0; i < count; ++i, w += kStep) {
      for (int s = 0; s < S; ++s) {
        const Vec value(from[s][i]);
        for (int v = 0; v < V; ++v) {
          acc[s][v] = fma(value, load(w + s * segment * kStep + v * kLanes), acc[s][v]);
        }
      }
    }
    k += count;
    for (int s = 0; s < S; ++s) {
      from[s] += count;
      left[s] -= count;
      if (left[s] == 0) {
        ++tap[s];
        from[s] = x + tap[s] * rows.tap_step;
        left[s] = rows.inputs;
      }
    }
  }
  for (int s = 0; s + 1 < S; ++s) {
    Vec one[1][V];
    for (int v = 0; v < V; ++v) one[0][v] = acc[s][v];
    accumulate_taps(one, m.weights, kStep, rows, x, s * segment + shortest, (s + 1) * segment);
    for (int v = 0; v < V; ++v) acc[s][v] = one[0][v];
  }
  for (int v = 0; v < V; ++v) {
    Vec sum = acc[0][v] + acc[1][v];
    if constexpr (S == 4) sum = sum + (acc[2][v] + acc[3][v]);
    if (m.outputs >= kLanes) {
      store(y + v * kLanes, sum);
    } else {
      store_first(y, m.outputs, sum);
    }
  }
}

// All frames of one panel of V vectors. Tiles of `kFrames` frames keep the sums in registers:
// 24 of 32 zmm on v4; on v3 (16 ymm, two per vector) columns are taken one vector at a time.
template <int V>
void panel(const PackedMatrix& m, const float* w, int output, const Rows& rows, float* y,
           std::ptrdiff_t y_step, int num_frames) {
  constexpr std::ptrdiff_t kStep = V * kLanes;
#if defined(__AVX512F__)
  constexpr int kFrames = V == 4 ? 6 : 8;
  constexpr int kColumns = V;
#else
  constexpr int kFrames = 6;
  constexpr int kColumns = 1;
#endif
  int t = 0;
  const auto at = [&](int frame) { return rows.data + frame * rows.frame_step; };
  for (; t + kFrames <= num_frames; t += kFrames) {
    for (int v = 0; v < V; v += kColumns) {
      tile<kFrames, kColumns>(m, w + v * kLanes, kStep, output + v * kLanes, rows, at(t),
                              y + t * y_step, y_step);
    }
  }
  if constexpr (kFrames > 4) {
    for (; t + 4 <= num_frames; t += 4) {
      for (int v = 0; v < V; v += kColumns) {
        tile<4, kColumns>(m, w + v * kLanes, kStep, output + v * kLanes, rows, at(t),
                          y + t * y_step, y_step);
      }
    }
  }
  for (; t < num_frames; ++t) {
    if constexpr (V == 1) {
      if (m.splits == 4) {
        split_frame<4, 1>(m, rows, at(t), y + t * y_step);
        continue;
      }
    }
    if constexpr (V == 2) {
      if (m.splits == 2) {
        split_frame<2, 2>(m, rows, at(t), y + t * y_step);
        continue;
      }
    }
    tile<1, V>(m, w, kStep, output, rows, at(t), y + t * y_step, y_step);
  }
}

void matmul(const PackedMatrix& m, const Rows& rows, float* y, std::ptrdiff_t y_step,
            int num_frames) {
  const int vectors = (m.outputs + kLanes - 1) / kLanes;
  for (int v = 0; v < vectors; v += 4) {
    const float* w = m.weights + static_cast<std::ptrdiff_t>(v) * kLanes * m.depth;
    const int output = v * kLanes;
    switch (vectors - v) {
      case 1: panel<1>(m, w, output, rows, y, y_step, num_frames); break;
      case 2: panel<2>(m, w, output, rows, y, y_step, num_frames); break;
      case 3: panel<3>(m, w, output, rows, y, y_step, num_frames); break;
      default: panel<4>(m, w, output, rows, y, y_step, num_frames); break;
    }
  }
}

void depthwise(const float* w, const float* bias, int channels, const Rows& rows, float* y,
               std::ptrdiff_t y_step, int num_frames) {
  const std::ptrdiff_t row = padded_row(channels);
  for (int t = 0; t < num_frames; ++t) {
    const float* x = rows.data + t * rows.frame_step;
    float* out = y + t * y_step;
    if (channels < kLanes) {
      Vec sum = load_first(bias, channels);
      for (int tap = 0; tap < rows.taps; ++tap) {
        sum = fma(load_first(w + tap * row, channels),
                  load_first(x + tap * rows.tap_step, channels), sum);
      }
      store_first(out, channels, sum);
      continue;
    }
    for (int c = 0; c < channels; c += kLanes) {
      Vec sum = load(bias + c);
      for (int tap = 0; tap < rows.taps; ++tap) {
        sum = fma(load(w + tap * row + c), load(x + tap * rows.tap_step + c), sum);
      }
      store(out + c, sum);
    }
  }
}
