// The layers of a diffusion network, all of them for a chunk of frames while it is hot.

enum class DotWord : std::uint32_t {};  // two bf16 of an input or of a weight
template <>
constexpr int kEachStep<DotWord> = 1;

template <int F, int V>
RTA_HD void accumulate(Vec (&acc)[F][V], const DotWord* w, std::ptrdiff_t w_step, const DotWord* x,
                       std::ptrdiff_t frame_step, int count) {
  for (int k = 0; k < count; ++k, w += w_step) {
    Int weights[V];
    for (int v = 0; v < V; ++v) weights[v] = load_words(w + v * kLanes);
    for (int f = 0; f < F; ++f) {
      const Int value(static_cast<int>(x[f * frame_step + k]));
      for (int v = 0; v < V; ++v) acc[f][v] = dot_halves(acc[f][v], weights[v], value);
    }
  }
}

// A part of a matrix's inputs: `count` of each frame, frames `step` apart.
template <class X>
struct Piece {
  const X* data;
  std::ptrdiff_t step;
  int count;
};

template <int F, int V, class W, class X>
void piece_tile(const PackedMatrix& m, const W* w, std::ptrdiff_t w_step, int output,
                const Piece<X>* pieces, int num_pieces, int t, float* y, std::ptrdiff_t y_step) {
  Vec sum[F][V];
  for (int f = 0; f < F; ++f) {
    for (int v = 0; v < V; ++v) sum[f][v] = load(m.bias + output + v * kLanes);
  }
  for (int i = 0; i < num_pieces; ++i) {
    const Piece<X>& piece = pieces[i];
    accumulate(sum, w, w_step, piece.data + t * piece.step, piece.step, piece.count);
    w += piece.count / kEachStep<W> * w_step;
  }
  give_tile(sum, t, output, RowSink{y, y_step, m.outputs});
}

template <int kFrames, int V, class W, class X>
RTA_HD void piece_tiles(const PackedMatrix& m, const W* w, int output, const Piece<X>* pieces,
                        int num_pieces, float* y, std::ptrdiff_t y_step, int& t, int num_frames) {
  constexpr int F = kFrames < kMostFrames ? kFrames : kMostFrames;
  constexpr int C = kColumns<F, V>;
  for (; fits<F>(num_frames - t); t += F) {
    for (int v = 0; v < V; v += C) {
      piece_tile<F, C>(m, w + v * kLanes, V * kLanes, output + v * kLanes, pieces, num_pieces, t, y,
                       y_step);
    }
  }
}
template <int V, class W, class X>
void piece_panel(const PackedMatrix& m, const W* w, int output, const Piece<X>* pieces,
                 int num_pieces, float* y, std::ptrdiff_t y_step, int num_frames) {
  int t = 0;
  piece_tiles<6, V>(m, w, output, pieces, num_pieces, y, y_step, t, num_frames);
  piece_tiles<4, V>(m, w, output, pieces, num_pieces, y, y_step, t, num_frames);
  piece_tiles<1, V>(m, w, output, pieces, num_pieces, y, y_step, t, num_frames);
}

// y = m [pieces], whose counts make up the depth; the sums have one part (S = 1) for every shape.
template <class W, class X>
void multiply_pieces(const PackedMatrix& m, const W* weights, const Piece<X>* pieces,
                     int num_pieces, float* y, std::ptrdiff_t y_step, int num_frames) {
  std::ptrdiff_t steps = 0;
  for (int i = 0; i < num_pieces; ++i) steps += pieces[i].count / kEachStep<W>;
  for_each_panel(m.outputs, 0, false, [&]<int V>(int v) {
    if constexpr (V <= 4) {
      piece_panel<V>(m, weights + v * kLanes * steps, v * kLanes, pieces, num_pieces, y, y_step,
                     num_frames);
    }
  });
}
RTA_HD void multiply_pieces(const PackedMatrix& m, const Piece<float>* pieces, int num_pieces,
                            float* y, std::ptrdiff_t y_step, int num_frames) {
  if (m.format == WeightFormat::fp32) {
    multiply_pieces(m, m.weights, pieces, num_pieces, y, y_step, num_frames);
  } else if (m.in_pairs) {
    multiply_pieces(m, static_cast<const HalfPair*>(m.narrow), pieces, num_pieces, y, y_step,
                    num_frames);
  } else {
    multiply_pieces(m, static_cast<const Half*>(m.narrow), pieces, num_pieces, y, y_step,
                    num_frames);
  }
}
RTA_HD void multiply_pieces(const PackedMatrix& m, const Piece<DotWord>* pieces, int num_pieces,
                            float* y, std::ptrdiff_t y_step, int num_frames) {
  multiply_pieces(m, static_cast<const DotWord*>(m.narrow), pieces, num_pieces, y, y_step,
                  num_frames);
}

// A stored value is a float, or a bf16 of which two are a word.
RTA_HD void put(float* to, Vec x) { store(to, x); }
RTA_HD void put(DotWord* to, Vec x) {
  round_inputs(reinterpret_cast<Half*>(to), kLanes, x, nullptr);
}
template <class X>
constexpr int kInWord = 1;
template <>
constexpr int kInWord<DotWord> = 2;

// Rows in a ring of `frames`, of which the first `repeated` stand behind its end once more: as many
// rows from any slot on can be read without a seam.
template <class X>
struct RowRing {
  X* data;
  std::int64_t frames;
  std::ptrdiff_t row;  // in X
  std::ptrdiff_t repeated;

  RTA_HD X* at(std::int64_t index) const { return data + slot_of(index, frames) * row; }
  RTA_HD X* mirror(X* to) const { return to - data < repeated * row ? to + frames * row : nullptr; }
};

// Where a layer's inputs stand: in a ring, or, where the history is shorter than a chunk, behind
// that history in scratch, which serves all layers in turn and stays in the cache.
template <class X>
struct LayerInput {
  RowRing<X> ring;
  X* scratch;  // null: the ring
  X* kept;     // the history between calls
  int history;

  // `begin`: the index of the call's first frame.
  RTA_HD X* row_at(std::int64_t begin, std::int64_t index) const {
    return scratch == nullptr ? ring.at(index) : scratch + (index - begin + history) * ring.row;
  }
  RTA_HD void enter(X* to, std::ptrdiff_t c, Vec x) const {
    put(to + c / kInWord<X>, x);
    X* const mirror = scratch == nullptr ? ring.mirror(to) : nullptr;
    if (mirror != nullptr) put(mirror + c / kInWord<X>, x);
  }
  RTA_HD void recall() const {
    if (scratch != nullptr) move(kept, scratch);
  }
  RTA_HD void remember(int num_frames) const {
    if (scratch != nullptr) move(scratch + num_frames * ring.row, kept);
  }

 private:
  RTA_HD void move(const X* from, X* to) const {
    const auto floats = static_cast<std::size_t>(history * ring.row);
    map(reinterpret_cast<const float*>(from), reinterpret_cast<float*>(to), floats,
        [](Vec v) { return v; });
  }
};

// What one layer leaves to the next: h = (h + r) / sqrt(2), y = h + step inside the signal, and
// the sum of the skips.
template <class X>
void diffwave_outputs(const DiffWave& net, const DiffWaveMemory& memory, int layer,
                      const LayerInput<X>& next, std::int64_t begin, std::int64_t index,
                      int num_frames, const float* out, float* skips) {
  const std::ptrdiff_t row = net.row;
  const float* step = layer + 1 < net.num_layers ? memory.steps + (layer + 1) * row : nullptr;
  const Vec root(0.70710678118654752f), scale(net.skip_scale);
  for (int t = 0; t < num_frames; ++t, ++index, out += 2 * row, skips += row) {
    const std::int64_t slot = slot_of(index, memory.frames);
    float* h = memory.h + slot * row;
    float* sum = memory.skips + slot * row;
    const bool valid = memory.flags[slot_of(index, memory.condition_frames)] > 0.0f;
    X* to = step != nullptr ? next.row_at(begin, index) : nullptr;
    for (std::ptrdiff_t c = 0; c < row; c += kLanes) {
      Vec skip = load(out + row + c);
      if (layer > 0) skip = load(sum + c) + skip;
      if (step == nullptr) {
        store(skips + c, skip * scale);
        continue;
      }
      store(sum + c, skip);
      const Vec value = (load(h + c) + load(out + c)) * root;
      store(h + c, value);
      next.enter(to, c, valid ? value + load(step + c) : zero());
    }
  }
}

template <class X>
void diffwave_first(const DiffWave& net, const DiffWaveMemory& memory, const LayerInput<X>& input,
                    std::int64_t index, int num_frames, const float* h) {
  const std::int64_t begin = index;
  for (int t = 0; t < num_frames; ++t, ++index, h += net.row) {
    float* kept = memory.h + slot_of(index, memory.frames) * net.row;
    const bool valid = memory.flags[slot_of(index, memory.condition_frames)] > 0.0f;
    X* to = input.row_at(begin, index);
    for (std::ptrdiff_t c = 0; c < net.row; c += kLanes) {
      const Vec value = load(h + c);
      store(kept + c, value);
      input.enter(to, c, valid ? value + load(memory.steps + c) : zero());
    }
  }
}

template <class X>
void diffwave_run(const DiffWave& net, const DiffWaveMemory& memory, std::int64_t index,
                  int num_frames, const float* h, float* skips, float* scratch) {
  const std::ptrdiff_t row = net.row, words = row / kInWord<X>;
  float* z = scratch;
  X* gated = reinterpret_cast<X*>(z + kDiffWaveTile * 2 * row);
  const RowRing<X> condition{reinterpret_cast<X*>(memory.condition), memory.condition_frames,
                             net.condition_row / kInWord<X>, memory.chunk};
  X* rows = reinterpret_cast<X*>(memory.y);
  X* const buffers = gated + kDiffWaveTile * words;
  const auto input_of = [&](int l) {
    const int history = (net.taps - 1) * net.layers[l].dilation;
    const bool in_scratch = history <= memory.chunk;
    X* const own = rows;
    rows += diffwave_kept_rows(history, memory.chunk) * words;
    X* const buffer = buffers + l % 2 * 2 * memory.chunk * words;
    const RowRing<X> ring{own, std::int64_t{history} + memory.chunk, words, memory.chunk};
    return LayerInput<X>{ring, in_scratch ? buffer : nullptr, own, history};
  };
  LayerInput<X> input = input_of(0);
  input.recall();
  diffwave_first(net, memory, input, index, num_frames, h);
  for (int l = 0; l < net.num_layers; ++l) {
    const DiffWaveLayer& layer = net.layers[l];
    LayerInput<X> next = input;
    if (l + 1 < net.num_layers) {
      next = input_of(l + 1);
      next.recall();
    }
    const std::int64_t begin = index;
    const std::int64_t oldest = index - std::int64_t{net.taps - 1} * layer.dilation;
    index -= std::int64_t{net.ahead} * layer.dilation;
    Piece<X> pieces[kMaxDiffWaveTaps + 1];
    for (int i = 0; i < net.taps; ++i) {
      pieces[i] = {input.row_at(begin, oldest + i * layer.dilation), words,
                   static_cast<int>(words)};
    }
    pieces[net.taps] = {condition.at(index), condition.row, static_cast<int>(condition.row)};
    for (int t = 0; t < num_frames; t += kDiffWaveTile) {
      const int count = num_frames - t < kDiffWaveTile ? num_frames - t : kDiffWaveTile;
      multiply_pieces(layer.in, pieces, net.taps + 1, z, 2 * row, count);
      for (int f = 0; f < count; ++f) {
        const float* sums = z + f * 2 * row;
        for (std::ptrdiff_t c = 0; c < row; c += kLanes) {
          put(gated + (f * row + c) / kInWord<X>,
              math::gated_tanh(load(sums + c), load(sums + row + c)));
        }
      }
      const Piece<X> all{gated, words, static_cast<int>(words)};
      multiply_pieces(layer.out, &all, 1, z, 2 * row, count);
      diffwave_outputs(net, memory, l, next, index, index + t, count, z, skips + t * row);
      for (int i = 0; i <= net.taps; ++i) pieces[i].data += count * pieces[i].step;
    }
    input.remember(num_frames);
    input = next;
  }
}

void diffwave(const DiffWave& net, const DiffWaveMemory& memory, std::int64_t index, int num_frames,
              const float* h, float* skips, float* scratch) {
  if (net.halves) {
    diffwave_run<DotWord>(net, memory, index, num_frames, h, skips, scratch);
  } else {
    diffwave_run<float>(net, memory, index, num_frames, h, skips, scratch);
  }
}

template <class X>
void condition_rows(const DiffWave& net, const DiffWaveMemory& memory, std::int64_t index,
                    const float* x, std::ptrdiff_t x_step, int channels, int num_frames) {
  const RowRing<X> ring{reinterpret_cast<X*>(memory.condition), memory.condition_frames,
                        net.condition_row / kInWord<X>, memory.chunk};
  for (int t = 0; t < num_frames; ++t, ++index, x += x_step) {
    const bool valid = memory.flags[slot_of(index, memory.condition_frames)] > 0.0f;
    X* to = ring.at(index);
    for (int c = 0; c < net.condition_row; c += kLanes) {
      const int count = channels - c < kLanes ? channels - c : kLanes;
      const Vec value = valid ? load_part(x + c, count) : zero();
      put(to + c / kInWord<X>, value);
      if (X* const mirror = ring.mirror(to)) put(mirror + c / kInWord<X>, value);
    }
  }
}
void diffwave_condition(const DiffWave& net, const DiffWaveMemory& memory, std::int64_t index,
                        const float* x, std::ptrdiff_t x_step, int channels, int num_frames) {
  if (net.halves) {
    condition_rows<DotWord>(net, memory, index, x, x_step, channels, num_frames);
  } else {
    condition_rows<float>(net, memory, index, x, x_step, channels, num_frames);
  }
}
