// Matrix times rows where the inputs are rounded too: bf16dot and int8. The inputs of a few frames
// are rounded once, on the stack, and then serve every panel.

constexpr int kDotBytes = 32768;

// Nearest even, as vcvtneps2bf16; the NaN that arithmetic makes stays one.
RTA_HD void round_inputs(Half* to, int count, Vec x, const float* /*scales*/) {
  const Int bits = as_int(x);
  const Int odd = shift_right<16>(bits) & Int(1);
  store_halves(to, count, shift_right<16>(bits + Int(0x7fff) + odd));
}
RTA_HD void round_inputs(std::int8_t* to, int count, Vec x, const float* scales) {
  const Vec magic = math::round_magic<Vec>();
  const Vec scaled = min(max(x * load(scales), Vec(-127.0f)), Vec(127.0f));
  const Int whole = as_int(scaled + magic) - as_int(magic);
  store_bytes(to, count, kUnsignedBytes ? whole + Int(128) : whole);
}

// One frame's taps side by side, rounded; `words` words, zeros at the end.
template <class T>
RTA_HD void round_frame(const PackedMatrix& m, const Rows& rows, const float* x, T* to, int words) {
  T* const begin = to;
  for (int tap = 0; tap < rows.taps; ++tap, x += rows.tap_step) {
    for_each(static_cast<std::size_t>(rows.inputs), [&](std::size_t c, int count) {
      round_inputs(to + c, count, load_part(x + c, count), m.input_scales + c);
    });
    to += rows.inputs;
  }
  for (T* const end = begin + words * static_cast<int>(4 / sizeof(T)); to < end; ++to) *to = 0;
}

struct HalfDot {
  using Input = Half;
  using Sum = Vec;
  RTA_HD static Vec start(const PackedMatrix&, int, const float* bias) { return load(bias); }
  RTA_HD static Vec step(Vec sum, Int w, Int x) { return dot_halves(sum, w, x); }
  RTA_HD static Vec finish(const PackedMatrix&, int, const float*, Vec sum) { return sum; }
};
struct ByteDot {
  using Input = std::int8_t;
  using Sum = Int;
  RTA_HD static Int start(const PackedMatrix& m, int output, const float*) {
    return kUnsignedBytes ? Int(0) - shift_left<7>(load_words(m.sums + output)) : Int(0);
  }
  RTA_HD static Int step(Int sum, Int w, Int x) { return dot_bytes(sum, w, x); }
  RTA_HD static Vec finish(const PackedMatrix& m, int output, const float* bias, Int sum) {
    return fma(to_float(sum), load(m.scales + output), load(bias));
  }
};

// The rounded inputs of a few frames, `words` words each, and what their sums start from.
struct RoundedRows {
  const unsigned char* data;
  int words;
  int first;  // the frame that they begin with
  const float* const* starts;
};

// F frames from t on times V vectors of outputs; w points at the first of them in the panel.
template <class Dot, int F, int V, class Sink>
void dot_tile(const PackedMatrix& m, const std::int32_t* w, std::ptrdiff_t w_step, int output,
              const RoundedRows& rows, int t, const Sink& sink) {
  const unsigned char* x = rows.data + static_cast<std::ptrdiff_t>(4 * t) * rows.words;
  typename Dot::Sum sum[F][V];
  const float* starts[F];
  RTA_UNROLL for (int f = 0; f < F; ++f) {
    starts[f] = start_of(m, rows.starts, t + f) + output;
    RTA_UNROLL for (int v = 0; v < V; ++v) {
      sum[f][v] = Dot::start(m, output + v * kLanes, starts[f] + v * kLanes);
    }
  }
  for (int k = 0; k < rows.words; ++k, w += w_step) {
    Int weights[V];
    RTA_UNROLL for (int v = 0; v < V; ++v) weights[v] = load_words(w + v * kLanes);
    RTA_UNROLL for (int f = 0; f < F; ++f) {
      std::int32_t word;
      __builtin_memcpy(&word, x + 4 * (f * rows.words + k), sizeof word);
      const Int value(word);
      RTA_UNROLL for (int v = 0; v < V; ++v) sum[f][v] = Dot::step(sum[f][v], weights[v], value);
    }
  }
  Vec out[F][V];
  RTA_UNROLL for (int f = 0; f < F; ++f) {
    RTA_UNROLL for (int v = 0; v < V; ++v) {
      out[f][v] = Dot::finish(m, output + v * kLanes, starts[f] + v * kLanes, sum[f][v]);
    }
  }
  give_tile(out, rows.first + t, output, sink);
}

template <class Dot, int kFrames, int V, class Sink>
RTA_HD void dot_tiles(const PackedMatrix& m, const std::int32_t* w, int output,
                      const RoundedRows& rows, const Sink& sink, int& t, int num_frames) {
  constexpr int F = kFrames < kMostFrames ? kFrames : kMostFrames;
  constexpr int C = kColumns<F, V>;
  for (; fits<F>(num_frames - t); t += F) {
    for (int v = 0; v < V; v += C) {
      dot_tile<Dot, F, C>(m, w + v * kLanes, V * kLanes, output + v * kLanes, rows, t, sink);
    }
  }
}
template <class Dot, int V, class Sink>
void dot_panel(const PackedMatrix& m, const std::int32_t* w, int output, const RoundedRows& rows,
               const Sink& sink, int num_frames) {
  int t = 0;
  dot_tiles<Dot, 6, V>(m, w, output, rows, sink, t, num_frames);
  dot_tiles<Dot, 4, V>(m, w, output, rows, sink, t, num_frames);
  dot_tiles<Dot, 1, V>(m, w, output, rows, sink, t, num_frames);
}

template <class Dot, class Sink>
void dot_matmul(const PackedMatrix& m, const Rows& rows, int first, const Sink& sink,
                int num_frames) {
  using Input = typename Dot::Input;
  constexpr int kEach = 4 / sizeof(Input);
  alignas(64) unsigned char x[kDotBytes];
  const int words = (m.depth + kEach - 1) / kEach;
  const int most = kDotBytes / 4 / words;
  const int vectors = (m.outputs + kLanes - 1) / kLanes;
  for (int t = 0; t < num_frames;) {
    const int count = num_frames - t < most ? num_frames - t : most;
    for (int f = 0; f < count; ++f) {
      round_frame(m, rows, rows.data + (t + f) * rows.frame_step,
                  reinterpret_cast<Input*>(x + 4 * f * words), words);
    }
    const RoundedRows rounded{x, words, t, rows.starts != nullptr ? rows.starts + t : nullptr};
    for (int v = first / kLanes; v < vectors; v += 4) {
      const auto* w = static_cast<const std::int32_t*>(m.narrow) +
                      static_cast<std::ptrdiff_t>(v) * kLanes * words;
      switch (vectors - v) {
        case 1:
          dot_panel<Dot, 1>(m, w, v * kLanes, rounded, sink, count);
          break;
        case 2:
          dot_panel<Dot, 2>(m, w, v * kLanes, rounded, sink, count);
          break;
        case 3:
          dot_panel<Dot, 3>(m, w, v * kLanes, rounded, sink, count);
          break;
        default:
          dot_panel<Dot, 4>(m, w, v * kLanes, rounded, sink, count);
          break;
      }
    }
    t += count;
  }
}

void note_largest(const PackedMatrix& m, const Rows& rows, int num_frames) {
  for (int t = 0; t < num_frames; ++t) {
    for (int tap = 0; tap < rows.taps; ++tap) {
      const float* x = rows.data + t * rows.frame_step + tap * rows.tap_step;
      for_each(static_cast<std::size_t>(rows.inputs), [&](std::size_t c, int count) {
        float* largest = m.largest_inputs + c;
        store_part(largest, count, max(abs(load_part(x + c, count)), load_part(largest, count)));
      });
    }
  }
}

// Frames of the outputs from `first` on, as panels().
template <class Sink>
void matmul_into(const PackedMatrix& m, const Rows& rows, int first, const Sink& sink,
                 int num_frames) {
  if (m.largest_inputs != nullptr) note_largest(m, rows, num_frames);
  switch (m.format) {
    case WeightFormat::fp32:
      panels(m, m.weights, rows, first, sink, num_frames);
      break;
    case WeightFormat::bf16:
      if (m.in_pairs) {
        panels(m, static_cast<const HalfPair*>(m.narrow), rows, first, sink, num_frames);
      } else {
        panels(m, static_cast<const Half*>(m.narrow), rows, first, sink, num_frames);
      }
      break;
    case WeightFormat::bf16dot:
      dot_matmul<HalfDot>(m, rows, first, sink, num_frames);
      break;
    case WeightFormat::int8:
      dot_matmul<ByteDot>(m, rows, first, sink, num_frames);
      break;
  }
}

void matmul(const PackedMatrix& m, const Rows& rows, float* y, std::ptrdiff_t y_step,
            int num_frames) {
  matmul_into(m, rows, 0, RowSink{y, y_step, m.outputs}, num_frames);
}
