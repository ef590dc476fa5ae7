// Convolutions of maps [band][channel] over frames and bands.
#pragma once

#include "cuda/works/matmul.h"

namespace rtaudio::gpu {

// What output band `i` of `count` reads: input bands from first + i * step on, a tap each tap_step,
// of each of them the frames x.taps, of each of those x.inputs channels.
struct MapWindow {
  Window x;
  const float* zeros;  // what stands in bands that the map does not have; x.inputs of them
  int bands, band_floats;
  int first, step, tap_step, count;

  RTA_HD const float* at(const float* frame, int i, int tap, int kernel_frame) const {
    const int band = first + i * step + tap * tap_step;
    return band >= 0 && band < bands
               ? frame + std::ptrdiff_t{band} * band_floats + kernel_frame * x.tap_step
               : zeros;
  }
};
// And where it writes.
struct MapBands {
  Signal y;
  int first, step;  // bands
  int band_floats;
  int offset;  // of channels

  RTA_HD float* at(int lane, int t, int i) const {
    return y.at(lane, t) + std::ptrdiff_t{first + i * step} * band_floats + offset;
  }
};

// The inputs of a matrix, as gpu::Row has them.
struct MapRow {
  MapWindow window;
  const float* frame;
  int band;
  int inputs;
  static constexpr bool in_quads = false;

  RTA_HD const float* at(int k) const {
    const int run = k / inputs, frames = window.x.taps;
    return window.at(frame, band, run / frames, run % frames) + k % inputs;
  }
};

// y = m x of every band, one thread for F bands and V outputs.
template <int F, int V>
struct MapMatmul {
  Timing timing;
  Matrix m;
  MapWindow x;
  MapBands to;

  RTA_HD int columns() const { return (m.outputs + V - 1) / V; }
  RTA_HD int rows(int ticks) const { return timing.lanes * to.y.frames * ticks * x.count; }
  RTA_HD std::int64_t items(int ticks) const {
    return (std::int64_t{rows(ticks)} + F - 1) / F * columns();
  }
  RTA_HD void operator()(int item, int ticks) const {
    const int output = item % columns() * V, first = item / columns() * F;
    MapRow from[F];
    bool any = false;
    for (int f = 0; f < F; ++f) {
      const Place p = place(first + f, ticks);
      any = any || timing.held[p.lane] == 0;
      from[f] = {x, x.x.at(p.lane, timing.position(p.lane), p.t), p.c, x.x.inputs};
    }
    if (!any) return;
    float sum[F][V] = {};
    multiply(m, from, output, [this](int, int o) { return m.bias[o]; }, sum);
    for (int f = 0; f < F; ++f) {
      const Place p = place(first + f, ticks);
      if (first + f >= rows(ticks) || timing.held[p.lane] != 0) continue;
      float* const y = to.at(p.lane, p.t, p.c) + output;
      for (int v = 0; v < V; ++v) {
        if (output + v < m.outputs) y[v] = sum[f][v];
      }
    }
  }

 private:
  // Rows beyond the last one count as that.
  RTA_HD Place place(int row, int ticks) const {
    const int last = rows(ticks) - 1;
    return {row < last ? row : last, to.y.frames * ticks, x.count};
  }
};

// A kernel of its own for every channel.
struct MapDepthwise {
  Timing timing;
  MapWindow x;
  int taps;
  const float* weights;  // [tap][kernel frame][row]
  int row;
  const float* bias;
  MapBands to;

  RTA_HD Grid grid(int ticks) const {
    return {timing, to.y.frames * ticks * x.count, to.band_floats};
  }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const int t = p.t / x.count, i = p.t % x.count;
    const float* frame = x.x.at(p.lane, timing.position(p.lane), t);
    const float* w = weights + p.c;
    float sum = bias[p.c];
    for (int tap = 0; tap < taps; ++tap) {
      for (int k = 0; k < x.x.taps; ++k, w += row) sum = fma(*w, x.at(frame, i, tap, k)[p.c], sum);
    }
    to.at(p.lane, t, i)[p.c] = sum;
  }
};

}  // namespace rtaudio::gpu
