// Matrix times rows. See the numbers rules in kernels.h: every path below forms the same sums.

#if defined(__AVX512F__)
constexpr bool kWide = true;
#else
constexpr bool kWide = false;
#endif

// acc[f][v] += sum over k of w[k][v] * x[f][k], k rising.
template <int F, int V, class W>
RTA_HD void accumulate(Vec (&acc)[F][V], const W* w, std::ptrdiff_t w_step, const float* x,
                       std::ptrdiff_t frame_step, int count) {
  for (int k = 0; k < count; ++k) {
    Vec weights[V];
    RTA_UNROLL for (int v = 0; v < V; ++v) weights[v] = load(w + v * kLanes);
    RTA_UNROLL for (int f = 0; f < F; ++f) {
      const Vec value(x[f * frame_step + k]);
      RTA_UNROLL for (int v = 0; v < V; ++v) acc[f][v] = fma(value, weights[v], acc[f][v]);
    }
    w += w_step;
  }
}
// The same, two k from each word; count is even.
template <int F, int V>
RTA_HD void accumulate(Vec (&acc)[F][V], const HalfPair* w, std::ptrdiff_t w_step, const float* x,
                       std::ptrdiff_t frame_step, int count) {
  const Int upper(static_cast<int>(0xffff0000u));
  if constexpr (F == 1) {  // a few vectors at once: no weight is loaded twice
    constexpr int kGroup = kWide && V % 4 == 0 ? 4 : 1;
    for (int k = 0; k < count; k += 2, w += w_step) {
      const Vec even(x[k]), odd(x[k + 1]);
      RTA_UNROLL for (int v = 0; v < V; v += kGroup) {
        Int words[kGroup];
        Vec weights[kGroup];
        RTA_UNROLL for (int i = 0; i < kGroup; ++i) {
          words[i] = in_register(load_words(w + (v + i) * kLanes));
        }
        RTA_UNROLL for (int i = 0; i < kGroup; ++i) {
          weights[i] = in_order(as_float(shift_left<16>(words[i])));
        }
        RTA_UNROLL for (int i = 0; i < kGroup; ++i) {
          acc[0][v + i] = in_order(fma(even, weights[i], acc[0][v + i]));
        }
        RTA_UNROLL for (int i = 0; i < kGroup; ++i) {
          weights[i] = in_order(as_float(words[i] & upper));
        }
        RTA_UNROLL for (int i = 0; i < kGroup; ++i) {
          acc[0][v + i] = in_order(fma(odd, weights[i], acc[0][v + i]));
        }
      }
    }
    return;
  }
  for (int k = 0; k < count; k += 2, w += w_step) {
    Int words[V];
    for (int v = 0; v < V; ++v) words[v] = load_words(w + v * kLanes);
    for (int f = 0; f < F; ++f) {
      const Vec value(x[f * frame_step + k]);
      for (int v = 0; v < V; ++v) {
        acc[f][v] = fma(value, as_float(shift_left<16>(words[v])), acc[f][v]);
      }
    }
    for (int f = 0; f < F; ++f) {
      const Vec value(x[f * frame_step + k + 1]);
      for (int v = 0; v < V; ++v) acc[f][v] = fma(value, as_float(words[v] & upper), acc[f][v]);
    }
  }
}

// How many k stand in one step of the weights.
template <class W>
constexpr int kEachStep = 1;
template <>
constexpr int kEachStep<HalfPair> = 2;

// Walks the depth of a row tap by tap, without divisions.
struct Cursor {
  const float* x;    // the next k
  int left;          // how many of its tap are left
  const float* tap;  // where the tap starts

  RTA_HD Cursor(const Rows& rows, const float* row) : x(row), left(rows.inputs), tap(row) {}
  RTA_HD void advance(const Rows& rows, int count) {
    while (count >= left) {
      count -= left;
      tap += rows.tap_step;
      x = tap;
      left = rows.inputs;
    }
    x += count;
    left -= count;
  }
};

// The same over the next `depth` of the cursor, which may span taps.
template <int F, int V, class W>
RTA_HD void accumulate_taps(Vec (&acc)[F][V], const W*& w, std::ptrdiff_t w_step, const Rows& rows,
                            Cursor& cursor, int depth) {
  while (depth > 0) {
    const int count = cursor.left < depth ? cursor.left : depth;
    accumulate(acc, w, w_step, cursor.x, rows.frame_step, count);
    w += count / kEachStep<W> * w_step;
    depth -= count;
    cursor.advance(rows, count);
  }
}

template <int F, int V>
RTA_HD void fill(Vec (&acc)[F][V], Vec value) {
  RTA_UNROLL for (int f = 0; f < F; ++f) {
    RTA_UNROLL for (int v = 0; v < V; ++v) acc[f][v] = value;
  }
}
template <int F, int V>
RTA_HD void add_to(Vec (&acc)[F][V], const Vec (&other)[F][V]) {
  RTA_UNROLL for (int f = 0; f < F; ++f) {
    RTA_UNROLL for (int v = 0; v < V; ++v) acc[f][v] = acc[f][v] + other[f][v];
  }
}

// Where sums go: sink(t, output, sums) takes vectors of outputs of frame t. This one stores rows.
struct RowSink {
  float* y;
  std::ptrdiff_t y_step;
  int outputs;
  template <int V>
  RTA_HD void operator()(int t, int output, const Vec (&sums)[V]) const {
    float* to = y + t * y_step + output;
    if (V == 1 && outputs < kLanes) {
      store_first(to, outputs, sums[0]);
      return;
    }
    RTA_UNROLL for (int v = 0; v < V; ++v) store(to + v * kLanes, sums[v]);
  }
};
template <int F, int V, class Sink>
RTA_HD void give_tile(const Vec (&sum)[F][V], int t, int output, const Sink& sink) {
  RTA_UNROLL for (int f = 0; f < F; ++f) sink(t + f, output, sum[f]);
}

// The sums of a tile, which begins as the biases: next(sum, n) adds the next n of `depth` products.
template <int F, int V, class Next>
RTA_HD void sum_tree(const PackedMatrix& m, int depth, Vec (&sum)[F][V], const Next& next) {
  const int segment = m.splits == 1 ? depth : (depth + m.splits - 1) / m.splits;
  next(sum, segment);
  if (m.splits == 1) return;
  Vec part[F][V];
  fill(part, zero());
  next(part, m.splits == 2 ? depth - segment : segment);
  add_to(sum, part);
  if (m.splits == 2) return;
  fill(part, zero());
  next(part, segment);
  Vec last[F][V];
  fill(last, zero());
  next(last, depth - 3 * segment);
  add_to(part, last);
  add_to(sum, part);
}

// What the sums of frame t start from.
RTA_HD const float* start_of(const PackedMatrix& m, const float* const* starts, int t) {
  return starts != nullptr ? starts[t] : m.bias;
}

// F frames from t on times V vectors of outputs: w, floats or bf16, points at the first of them in
// the panel.
template <int F, int V, class W, class Sink>
void tile(const PackedMatrix& m, const W* w, std::ptrdiff_t w_step, int output, const Rows& rows,
          int t, const Sink& sink) {
  Cursor cursor(rows, rows.data + t * rows.frame_step);
  Vec sum[F][V];
  for (int f = 0; f < F; ++f) {
    const float* start = start_of(m, rows.starts, t + f) + output;
    for (int v = 0; v < V; ++v) sum[f][v] = load(start + v * kLanes);
  }
  sum_tree(m, rows.taps * rows.inputs, sum, [&](Vec(&acc)[F][V], int depth) {
    accumulate_taps(acc, w, w_step, rows, cursor, depth);
  });
  give_tile(sum, t, output, sink);
}

// All frames of one panel of V vectors. Tiles keep their sums in registers: up to 24 of 32 zmm on
// v4. Elsewhere columns are taken one vector at a time: 6 frames of it are 12 of 16 ymm on v3 and
// 24 of 32 registers on NEON; v2 has room for 2 frames (8 of 16 xmm).
#if defined(__AVX2__) || defined(__aarch64__)
constexpr int kMostFrames = 8;
#else
constexpr int kMostFrames = 2;
#endif

// The columns of a panel of V vectors that a tile of F frames takes.
template <int F, int V>
constexpr int kColumns = kWide || (F == 1 && V <= 4) ? V
                         : F == 1                    ? 4
                                                     : 1;

// The same in a single chain of sums, tap by tap: the weights come in at the speed of the cache
// that they are in, so nothing else may stand in the loop.
template <int F, int V, class W, class Sink>
void unsplit_tile(const PackedMatrix& m, const W* w, std::ptrdiff_t w_step, int output,
                  const Rows& rows, int t, const Sink& sink) {
  const float* x = rows.data + t * rows.frame_step;
  Vec sum[F][V];
  RTA_UNROLL for (int f = 0; f < F; ++f) {
    const float* start = start_of(m, rows.starts, t + f) + output;
    RTA_UNROLL for (int v = 0; v < V; ++v) sum[f][v] = load(start + v * kLanes);
  }
  for (int tap = 0; tap < rows.taps; ++tap, x += rows.tap_step) {
    accumulate(sum, w, w_step, x, rows.frame_step, rows.inputs);
    w += w_step * rows.inputs / kEachStep<W>;
  }
  give_tile(sum, t, output, sink);
}

// The taps of one row side by side, in `buffer` unless they already are.
constexpr int kMaxGathered = 2048;
RTA_HD const float* gather_taps(const Rows& rows, const float* x, float* buffer) {
  if (rows.taps == 1 || rows.tap_step == rows.inputs) return x;
  float* to = buffer;
  for (int tap = 0; tap < rows.taps; ++tap, x += rows.tap_step, to += rows.inputs) {
    int c = 0;
    for (; c + kLanes <= rows.inputs; c += kLanes) store(to + c, load(x + c));
    if (c < rows.inputs) store(to + c, load_first(x + c, rows.inputs - c));
  }
  return buffer;
}

// One frame of a split matrix of V vectors: the S sums run side by side, so that they are not
// bound by the latency of a single chain of fma.
template <int S, int V, class W, class Sink>
void split_frame(const PackedMatrix& m, const W* w, const Rows& rows, int t, const Sink& sink) {
  alignas(64) float buffer[kMaxGathered + kLanes];
  const float* x = gather_taps(rows, rows.data + t * rows.frame_step, buffer);
  const float* start = start_of(m, rows.starts, t);
  constexpr std::ptrdiff_t kStep = V * kLanes;
  const std::ptrdiff_t segment = (m.depth + S - 1) / S;
  const std::ptrdiff_t shortest = m.depth - (S - 1) * segment;
  Vec acc[S][V];
  for (int s = 0; s < S; ++s) {
    for (int v = 0; v < V; ++v) acc[s][v] = s == 0 ? load(start + v * kLanes) : zero();
  }
  for (std::ptrdiff_t k = 0; k < shortest; ++k, w += kStep) {
    for (int s = 0; s < S; ++s) {
      const Vec value(x[s * segment + k]);
      for (int v = 0; v < V; ++v) {
        acc[s][v] = fma(value, load(w + s * segment * kStep + v * kLanes), acc[s][v]);
      }
    }
  }
  for (std::ptrdiff_t k = shortest; k < segment; ++k, w += kStep) {
    for (int s = 0; s + 1 < S; ++s) {
      const Vec value(x[s * segment + k]);
      for (int v = 0; v < V; ++v) {
        acc[s][v] = fma(value, load(w + s * segment * kStep + v * kLanes), acc[s][v]);
      }
    }
  }
  Vec sum[V];
  for (int v = 0; v < V; ++v) {
    sum[v] = acc[0][v] + acc[1][v];
    if constexpr (S == 4) sum[v] = sum[v] + (acc[2][v] + acc[3][v]);
  }
  sink(t, 0, sum);
}

// Whether a tile of F frames is next where so many are left: 8 are better 4 and 4 than 6, 1 and 1.
template <int F>
RTA_HD bool fits(int frames) {
  return frames >= F && !(F == 6 && frames == 8);
}

template <int kFrames, int V, class W, class Sink>
RTA_HD void tiles(const PackedMatrix& m, const W* w, int output, const Rows& rows, const Sink& sink,
                  int& t, int num_frames) {
  constexpr int F = kFrames < kMostFrames ? kFrames : kMostFrames;
  constexpr int C = kColumns<F, V>;
  for (; fits<F>(num_frames - t); t += F) {
    for (int v = 0; v < V; v += C) {
      if constexpr (V > 2) {  // more than 32 outputs: never split
        unsplit_tile<F, C>(m, w + v * kLanes, V * kLanes, output + v * kLanes, rows, t, sink);
      } else {
        tile<F, C>(m, w + v * kLanes, V * kLanes, output + v * kLanes, rows, t, sink);
      }
    }
  }
}
template <int V, class W, class Sink>
void panel(const PackedMatrix& m, const W* w, int output, const Rows& rows, const Sink& sink,
           int num_frames) {
  int t = 0;
  if constexpr (V == 8 && kWide) {  // 16 sums
    tiles<2, V>(m, w, output, rows, sink, t, num_frames);
  } else {
    tiles < kWide&& V != 2 && V<4 ? 8 : 6, V>(m, w, output, rows, sink, t, num_frames);
    tiles<4, V>(m, w, output, rows, sink, t, num_frames);
  }
  if constexpr (V <= 2 && kEachStep<W> == 1) {
    if (m.splits == 4 / V && m.depth <= kMaxGathered) {
      for (; t < num_frames; ++t) split_frame<4 / V, V>(m, w, rows, t, sink);
      return;
    }
  }
  if (m.splits == 1) {
    constexpr int C = kColumns<1, V>;
    for (; t < num_frames; ++t) {
      for (int v = 0; v < V; v += C) {
        unsplit_tile<1, C>(m, w + v * kLanes, V * kLanes, output + v * kLanes, rows, t, sink);
      }
    }
    return;
  }
  tiles<1, V>(m, w, output, rows, sink, t, num_frames);
}

// f.operator()<V>(v) for the panels of V vectors that begin with vector v, from output `first` on,
// a multiple of 64.
template <class F>
RTA_HD void for_each_panel(int outputs, int first, bool in_wide_panels, const F& f) {
  const int vectors = (outputs + kLanes - 1) / kLanes;
  int v = first / kLanes;
  if (in_wide_panels) {
    for (v = v / 8 * 8; vectors - v >= 8; v += 8) f.template operator()<8>(v);
  }
  for (; v < vectors; v += 4) {
    switch (vectors - v) {
      case 1:
        f.template operator()<1>(v);
        break;
      case 2:
        f.template operator()<2>(v);
        break;
      case 3:
        f.template operator()<3>(v);
        break;
      default:
        f.template operator()<4>(v);
        break;
    }
  }
}

// Outputs from `first` on, a multiple of 64, or from the wide panel that it is in.
template <class W, class Sink>
void panels(const PackedMatrix& m, const W* weights, const Rows& rows, int first, const Sink& sink,
            int num_frames) {
  for_each_panel(m.outputs, first, m.in_wide_panels, [&]<int V>(int v) {
    if constexpr (V <= 4 || kEachStep<W> == 2) {
      const W* w = weights + std::ptrdiff_t{v} * kLanes * m.depth / kEachStep<W>;
      panel<V>(m, w, v * kLanes, rows, sink, num_frames);
    }
  });
}

// F frames of one vector of channels; the weights are loaded once for all of them.
template <int F>
RTA_HD void depthwise_tile(const float* w, std::ptrdiff_t row, const float* bias, const Rows& rows,
                           const float* x, float* y, std::ptrdiff_t y_step) {
  Vec sum[F];
  for (int f = 0; f < F; ++f) sum[f] = load(bias);
  for (int tap = 0; tap < rows.taps; ++tap, w += row, x += rows.tap_step) {
    const Vec weight = load(w);
    for (int f = 0; f < F; ++f) sum[f] = fma(weight, load(x + f * rows.frame_step), sum[f]);
  }
  for (int f = 0; f < F; ++f) store(y + f * y_step, sum[f]);
}

void depthwise(const float* w, const float* bias, int channels, const Rows& rows, float* y,
               std::ptrdiff_t y_step, int num_frames) {
  const std::ptrdiff_t row = padded_row(channels);
  const float* x = rows.data;
  if (channels < kLanes) {
    for (int t = 0; t < num_frames; ++t, x += rows.frame_step, y += y_step) {
      Vec sum = load_first(bias, channels);
      for (int tap = 0; tap < rows.taps; ++tap) {
        sum = fma(load_first(w + tap * row, channels),
                  load_first(x + tap * rows.tap_step, channels), sum);
      }
      store_first(y, channels, sum);
    }
    return;
  }
  int t = 0;
  for (; t + 4 <= num_frames; t += 4, x += 4 * rows.frame_step, y += 4 * y_step) {
    for (int c = 0; c < channels; c += kLanes) {
      depthwise_tile<4>(w + c, row, bias + c, rows, x + c, y + c, y_step);
    }
  }
  for (; t < num_frames; ++t, x += rows.frame_step, y += y_step) {
    for (int c = 0; c < channels; c += kLanes) {
      depthwise_tile<1>(w + c, row, bias + c, rows, x + c, y + c, y_step);
    }
  }
}
