// Sums of products of bf16 by tensor cores, where there are any for bf16; elsewhere, as on the host
// in a GPU's place, each thread does its own part of them.
// A warp adds up 16 rows times N tiles of 8 outputs, 16 k a step. Lane l of it has
//   of the inputs rows l / 4 and l / 4 + 8, of these k l % 4 * 4 up to the fourth from there,
//   of the weights the same k of output l / 4 of each tile,
//   of the sums outputs l % 4 * 2 and the next one of each tile, first of the one row.
// The order of sums is the device's own: it is the same for every row and output, wherever in a
// tile they stand.
#pragma once

#include <cstring>

#include "cuda/works/matmul.h"

namespace rtaudio::gpu {

constexpr int kTileRows = 16, kTileOutputs = 8, kTileDepth = 16, kWarp = 32;

RTA_HD int tile_row(int lane, int i) { return lane / 4 + 8 * i; }
RTA_HD int tile_k(int lane) { return lane % 4 * 4; }
RTA_HD int tile_output(int lane) { return lane % 4 * 2; }

// Four bf16 of rising k.
struct alignas(8) Quad {
  std::uint32_t low, high;

  RTA_HD float operator[](int i) const {
    return from_bf16(static_cast<std::uint16_t>((i < 2 ? low : high) >> i % 2 * 16));
  }
};

RTA_HD std::uint32_t pair_of(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint32_t both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  return both;
#else
  return std::uint32_t{to_bf16(first)} | std::uint32_t{to_bf16(second)} << 16;
#endif
}

// A lane's two rows of inputs, from its first k on; a tap's are side by side.
struct HalfRows {
  const std::uint16_t* rows[2];

  RTA_HD Quad at(int i, int /*tap*/, int step) const {
    Quad quad;
    std::memcpy(&quad, __builtin_assume_aligned(rows[i] + step * kTileDepth, 8), sizeof quad);
    return quad;
  }
};
struct FloatRows {
  const float* rows[2];
  std::ptrdiff_t tap_step;

  RTA_HD Quad at(int i, int tap, int step) const {
    float x[4];
    load_weights(rows[i] + tap * tap_step + step * kTileDepth, x);
    return {pair_of(x[0], x[1]), pair_of(x[2], x[3])};
  }
};

// A lane's weights of N tiles of a matrix in bf16dot.
template <int N>
struct TileWeights {
  const std::uint16_t* first[N];
  int step[N];  // from two k to the next two

  // Of the tiles that begin at these outputs, from `k` on.
  RTA_HD TileWeights(const Matrix& m, int k, const int (&outputs)[N], int lane) {
    for (int n = 0; n < N; ++n) {
      const int output = outputs[n] + lane / 4;
      const std::ptrdiff_t at = weight_at(m, 2, k + tile_k(lane), output);
      first[n] = static_cast<const std::uint16_t*>(m.weights) + at;
      step[n] = static_cast<int>(weight_at(m, 2, k + tile_k(lane) + 2, output) - at);
    }
  }
  RTA_HD Quad at(int n, int k_step) const {
    const std::uint16_t* const two = first[n] + std::ptrdiff_t{k_step} * 8 * step[n];
    return {word(two), word(two + step[n])};
  }

 private:
  RTA_HD static std::uint32_t word(const std::uint16_t* two) {
    std::uint32_t both;
    std::memcpy(&both, __builtin_assume_aligned(two, 4), sizeof both);
    return both;
  }
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
// A lane's sum += 16 k of its two rows times those of its output.
RTA_HD void add_step(const Quad& row, const Quad& next, const Quad& output, float (&sum)[4]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(row.low), "r"(next.low), "r"(row.high), "r"(next.high), "r"(output.low),
        "r"(output.high));
}
#endif

// A lane's sums before the first product.
template <int N>
RTA_HD void start_tiles(const Matrix& m, const int (&outputs)[N], int lane, float (&sum)[N][4]) {
  for (int n = 0; n < N; ++n) {
    for (int i = 0; i < 4; ++i) sum[n][i] = m.bias[outputs[n] + tile_output(lane) + i % 2];
  }
}

// A lane's sum += the products of `steps` steps of each tap. rows_of(lane), weights_of(lane): what
// that lane reads.
template <int N, class Rows, class Weights>
RTA_HD void add_tiles(int lane, int taps, int steps, const Rows& rows_of, const Weights& weights_of,
                      float (&sum)[N][4]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const auto rows = rows_of(lane);
  const auto weights = weights_of(lane);
  for (int tap = 0, k = 0; tap < taps; ++tap) {
    for (int s = 0; s < steps; ++s, ++k) {
      const Quad a = rows.at(0, tap, s), b = rows.at(1, tap, s);
      for (int n = 0; n < N; ++n) add_step(a, b, weights.at(n, k), sum[n]);
    }
  }
#else
  for (int j = 0; j < 4; ++j) {
    const auto rows = rows_of(lane / 4 * 4 + j);
    for (int v = 0; v < 2; ++v) {
      const auto weights = weights_of((tile_output(lane) + v) * 4 + j);
      for (int tap = 0, k = 0; tap < taps; ++tap) {
        for (int s = 0; s < steps; ++s, ++k) {
          const Quad a = rows.at(0, tap, s), b = rows.at(1, tap, s);
          for (int n = 0; n < N; ++n) {
            const Quad w = weights.at(n, k);
            for (int i = 0; i < 4; ++i) {
              sum[n][v] = fma(a[i], w[i], sum[n][v]);
              sum[n][2 + v] = fma(b[i], w[i], sum[n][2 + v]);
            }
          }
        }
      }
    }
  }
#endif
}

// Whether TileMatmul can do them: in bf16dot, every tap's inputs whole steps, in quads of floats.
RTA_HD bool fits_tiles(const Matrix& m, const Window& x) {
  return m.format == Format::bf16dot && x.inputs % kTileDepth == 0 && m.depth % x.inputs == 0 &&
         x.in_quads();
}

// Matmul (matmul.h) by tiles, without zeros. A warp does 16 rows and N tiles of outputs.
template <int N>
struct TileMatmul {
  Timing timing;
  Matrix m;
  Window x;
  Memory y;
  int y_step;
  int frames;
  int more;

  RTA_HD int columns() const { return (m.outputs + kTileOutputs * N - 1) / (kTileOutputs * N); }
  RTA_HD std::int64_t items(int ticks) const {
    const std::int64_t rows = std::int64_t{timing.lanes} * (frames * ticks + more);
    return (rows + kTileRows - 1) / kTileRows * columns() * kWarp;
  }
  RTA_HD void operator()(int item, int ticks) const {
    const int lane = item % kWarp, tile = item / kWarp;
    const int first = tile / columns() * kTileRows, each = frames * ticks + more;
    const int all = timing.lanes * each, padded = (m.outputs + 15) / 16 * 16;
    int outputs[N];
    for (int n = 0; n < N; ++n) {
      const int output = (tile % columns() * N + n) * kTileOutputs;
      outputs[n] = output < padded ? output : 0;  // any that is there, for nobody
    }
    const auto rows_of = [&](int l) {
      FloatRows rows{{}, x.tap_step};
      for (int i = 0; i < 2; ++i) {
        const int r = first + tile_row(l, i), row = r < all ? r : all - 1;
        rows.rows[i] = x.at(row / each, timing.position(row / each), row % each) + tile_k(l);
      }
      return rows;
    };
    const auto weights_of = [&](int l) { return TileWeights<N>(m, 0, outputs, l); };
    float sum[N][4];
    start_tiles(m, outputs, lane, sum);
    add_tiles(lane, m.depth / x.inputs, x.inputs / kTileDepth, rows_of, weights_of, sum);
    for (int i = 0; i < 2; ++i) {
      const int r = first + tile_row(lane, i);
      if (r < all && timing.held[r / each] == 0) give(r / each, r % each, tile, lane, i, sum);
    }
  }

 private:
  RTA_HD void give(int of, int t, int tile, int lane, int i, const float (&sum)[N][4]) const {
    float* const to = y.of(of) + std::ptrdiff_t{t} * y_step;
    for (int n = 0; n < N; ++n) {
      for (int v = 0; v < 2; ++v) {
        const int o = (tile % columns() * N + n) * kTileOutputs + tile_output(lane) + v;
        if (o < m.outputs) to[o] = sum[n][2 * i + v];
      }
    }
  }
};

}  // namespace rtaudio::gpu
