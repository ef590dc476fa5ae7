// Time in lanes: signals as planes, one a channel, with the frames side by side. The same sums as
// the rows' of matmul.inl, for networks of too few channels to fill vectors.

// Vectors of frames that share a weight, and outputs that share a vector of frames: 8 sums of
// 512 bits, or of two times 256, keep the multipliers busy.
#if defined(__AVX512F__)
constexpr int kPlaneVectors = 2;
#else
constexpr int kPlaneVectors = 1;
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kPlaneSums = 8;
#elif defined(__AVX2__)
constexpr int kPlaneSums = 4;
#else
constexpr int kPlaneSums = 2;
#endif

// What a matrix is applied to: the frames of input k stand at data + offsets[k].
struct Planes {
  const float* data;
  const std::int32_t* offsets;
};

// sum[g][v] += sum over k of w[k][g] * x[k][v], k rising.
template <int G, int V>
RTA_HD void accumulate_planes(Vec (&sum)[G][V], const float* w, std::ptrdiff_t w_step,
                              const Planes& x, int count) {
  Vec acc[G][V];
  RTA_UNROLL for (int g = 0; g < G; ++g) {
    RTA_UNROLL for (int v = 0; v < V; ++v) acc[g][v] = sum[g][v];
  }
  for (int k = 0; k < count; ++k, w += w_step) {
    const float* in = x.data + x.offsets[k];
    Vec frames[V];
    RTA_UNROLL for (int v = 0; v < V; ++v) frames[v] = load(in + v * kLanes);
    RTA_UNROLL for (int g = 0; g < G; ++g) {
      const Vec weight(w[g]);
      RTA_UNROLL for (int v = 0; v < V; ++v) acc[g][v] = fma(frames[v], weight, acc[g][v]);
    }
  }
  RTA_UNROLL for (int g = 0; g < G; ++g) {
    RTA_UNROLL for (int v = 0; v < V; ++v) sum[g][v] = acc[g][v];
  }
}

// Outputs output .. output + G of V vectors of frames; an fp32 matrix.
template <int G, int V>
RTA_HD void plane_sums(const PackedMatrix& m, Planes x, int output, Vec (&sum)[G][V]) {
  const int panel = output / 64 * 64, left = (m.outputs - panel + kLanes - 1) / kLanes * kLanes;
  const std::ptrdiff_t w_step = left < 64 ? left : 64;
  const float* w = m.weights + static_cast<std::ptrdiff_t>(panel) * m.depth + (output - panel);
  RTA_UNROLL for (int g = 0; g < G; ++g) {
    RTA_UNROLL for (int v = 0; v < V; ++v) sum[g][v] = Vec(m.bias[output + g]);
  }
  sum_tree(m, m.depth, sum, [&](Vec(&acc)[G][V], int depth) {
    accumulate_planes(acc, w, w_step, x, depth);
    w += depth * w_step;
    x.offsets += depth;
  });
}

template <int G, int V, class F>
void plane_group(const PackedMatrix& m, const Planes& x, int begin, int output, const F& f) {
  Vec sum[G][V];
  plane_sums(m, x, begin + output, sum);
  f(output, sum);
}

// f(o, sums) for groups of outputs o, o + 1, ... of the first `outputs` of a part from `begin` on.
template <int V, class F>
RTA_HD void for_each_plane(const PackedMatrix& m, const Planes& x, int begin, int outputs,
                           const F& f) {
  constexpr int G = kPlaneSums / V;
  int o = 0;
  for (; o + G <= outputs; o += G) plane_group<G, V>(m, x, begin, o, f);
  if constexpr (G > 4) {
    for (; o + 4 <= outputs; o += 4) plane_group<4, V>(m, x, begin, o, f);
  }
  switch (outputs - o) {
    case 3:
      plane_group<3, V>(m, x, begin, o, f);
      break;
    case 2:
      plane_group<2, V>(m, x, begin, o, f);
      break;
    case 1:
      plane_group<1, V>(m, x, begin, o, f);
      break;
    default:
      break;
  }
}

// Four perfect shuffles of 16 rows of 16 are a transposition.
RTA_HD void transpose(Vec (&rows)[kLanes]) {
  for (int round = 0; round < 4; ++round) {
    Vec next[kLanes];
    for (int i = 0; i < kLanes / 2; ++i) {
      interleave(rows[i], rows[i + kLanes / 2], next[2 * i], next[2 * i + 1]);
    }
    for (int i = 0; i < kLanes; ++i) rows[i] = next[i];
  }
}

// Rows of frames to planes, and back. Frames up to the next multiple of 16 are written as zeros.
// One channel that is left over is moved alone, and at once where it is all there is.
void rows_to_planes(const float* rows, std::ptrdiff_t row, int channels, int num_frames,
                    float* planes, std::ptrdiff_t plane) {
  for (int t = 0; t < num_frames; t += kLanes) {
    const int frames = num_frames - t < kLanes ? num_frames - t : kLanes;
    for (int c = 0; c < channels; c += kLanes) {
      const int count = channels - c < kLanes ? channels - c : kLanes;
      if (row == 1) {
        store(planes + t, load_part(rows + t, frames));
        break;
      }
      if (count == 1) {
        float* to = planes + c * plane + t;
        for (int i = 0; i < kLanes; ++i) to[i] = i < frames ? rows[(t + i) * row + c] : 0.0f;
        break;
      }
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        block[i] = i < frames ? load_part(rows + (t + i) * row + c, count) : zero();
      }
      transpose(block);
      for (int i = 0; i < count; ++i) store(planes + (c + i) * plane + t, block[i]);
    }
  }
}
void planes_to_rows(const float* planes, std::ptrdiff_t plane, int channels, int num_frames,
                    float* rows, std::ptrdiff_t row) {
  for (int t = 0; t < num_frames; t += kLanes) {
    const int frames = num_frames - t < kLanes ? num_frames - t : kLanes;
    for (int c = 0; c < channels; c += kLanes) {
      const int count = channels - c < kLanes ? channels - c : kLanes;
      if (row == 1) {
        store_part(rows + t, frames, load(planes + t));
        break;
      }
      if (count == 1) {
        for (int i = 0; i < frames; ++i) rows[(t + i) * row + c] = planes[c * plane + t + i];
        break;
      }
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        block[i] = i < count ? load(planes + (c + i) * plane + t) : zero();
      }
      transpose(block);
      for (int i = 0; i < frames; ++i) store_part(rows + (t + i) * row + c, count, block[i]);
    }
  }
}
