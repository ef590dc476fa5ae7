// The layers of a refinement's network (cpu/diffwave.inl), each for all frames of a call.
#pragma once

#include <type_traits>

#include "cuda/works/diffusion.h"

namespace rtaudio::gpu {

// What a step's network remembers of all layers together.
struct NetworkMemory {
  Memory h, skips;
  std::int64_t frames;
  int row;

  RTA_HD float* at(const Memory& ring, int lane, std::int64_t index) const {
    return ring.of(lane) + slot_of(index, frames) * row;
  }
};

// h = relu(h), and the first layer's input.
struct DiffWaveFirst {
  Refinement how;
  std::int64_t behind;  // frames behind those of the call
  Memory h;             // [frame][row]
  NetworkMemory memory;
  Store y;
  const float* step;  // what this step adds

  RTA_HD Grid grid(int ticks) const { return {how.timing, how.timing.frames * ticks, memory.row}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const std::int64_t index = how.timing.position(p.lane) + p.t - behind;
    const float value = max(0.0f, h.of(p.lane)[std::ptrdiff_t{p.t} * memory.row + p.c]);
    memory.at(memory.h, p.lane, index)[p.c] = value;
    y.put(p.lane, index, p.c, how.inside(p.lane, index) ? value + step[p.c] : 0.0f);
  }
};

// A layer: z = in [y at each tap; condition], [r; s] = out(tanh(z_a) sigmoid(z_b)), h = (h + r) /
// sqrt(2), skips += s. What there is of it, however the sums are done.
struct DiffWaveParts {
  Refinement how;
  std::int64_t behind;  // frames of its output behind those of the call
  int taps, ahead, dilation;
  Matrix in, out;
  Store y, next;      // inputs of this layer and of the next one
  const float* step;  // what the next layer adds to its input; null: this is the last one
  bool is_first;
  NetworkMemory memory;
  float skip_scale;
  Memory z;      // [frame][2 * row]
  Memory skips;  // [frame][row]: what the last layer leaves

  RTA_HD FlatRows rows(int ticks) const { return {how.timing.lanes, how.timing.frames * ticks}; }

 protected:
  // Where the outputs of a row go.
  struct Outputs {
    float *h, *sums, *last, *next;
    std::ptrdiff_t next_at;
    bool inside;
  };

  RTA_HD bool is_wanted(const FlatRows& all, int r) const {
    return how.timing.held[all.lane(r)] == 0;
  }
  RTA_HD float* z_of(const FlatRows& all, int r) const {
    return z.of(all.lane(r)) + std::ptrdiff_t{all.frame(r)} * 2 * memory.row;
  }
  RTA_HD std::int64_t index_of(const FlatRows& all, int r) const {
    return how.timing.position(all.lane(r)) + all.frame(r) - behind;
  }
  // Piece i of the inputs, the condition last, and how far from a row its own there is.
  RTA_HD const Store& piece(int i) const { return i < taps ? y : how.condition; }
  RTA_HD std::int64_t shift(int i) const {
    return i < taps ? std::int64_t{i - (taps - 1 - ahead)} * dilation : 0;
  }

  RTA_HD Outputs outputs_of(const FlatRows& all, int r) const {
    const int lane = all.lane(r);
    const std::int64_t index = index_of(all, r);
    return {memory.at(memory.h, lane, index),
            memory.at(memory.skips, lane, index),
            skips.of(lane) + std::ptrdiff_t{all.frame(r)} * memory.row,
            next.memory.of(lane),
            next.at(index),
            how.inside(lane, index)};
  }
  RTA_HD void put(const Outputs& to, int o, float sum) const {
    if (o >= memory.row) {
      const int c = o - memory.row;
      const float skip = is_first ? sum : to.sums[c] + sum;
      if (step != nullptr) {
        to.sums[c] = skip;
      } else {
        to.last[c] = skip * skip_scale;
      }
    } else if (step != nullptr) {
      const float value = (to.h[o] + sum) * 0.70710678118654752f;
      to.h[o] = value;
      next.put_at(to.next, to.next_at + o, to.inside ? value + step[o] : 0.0f);
    }
  }
};

// With the CPU's order of sums. A team takes kRows rows, F of them and V outputs a thread at a
// time.
template <int F, int V, int kRows>
struct DiffWaveLayer : DiffWaveParts {
  static constexpr int kTeam = 128;

  RTA_HD std::int64_t teams(int ticks) const { return (rows(ticks).count() + kRows - 1) / kRows; }
  RTA_HD int phases(int /*ticks*/) const { return 3; }

  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const FlatRows all = rows(ticks);
    const int first = team * kRows, row = memory.row;
    const int left = all.count() - first, count = left < kRows ? left : kRows;
    if (phase == 1) {
      for (int i = thread; i < count * row; i += kTeam) {
        const int r = first + i / row, c = i % row;
        float* const to = z_of(all, r);
        if (!is_wanted(all, r)) continue;
        const float gated = math::gated_tanh(to[c], to[row + c]);
        to[c] = y.halves ? from_bf16(to_bf16(gated)) : gated;
      }
      return;
    }
    const int columns = 2 * row / V;
    for (int i = thread; i < kRows / F * columns; i += kTeam) {
      const int r = first + i / columns * F, o = i % columns * V;
      const int some = first + count - r < F ? first + count - r : F;
      if (some <= 0) continue;
      if (phase == 0) {
        sum_taps(all, r, some, o);
      } else {
        give(all, r, some, o);
      }
    }
  }

 private:
  // Row f, or one that is there in its place.
  RTA_HD static int some_row(int r, int f, int count) { return r + (f < count ? f : 0); }

  // sum += the products of a piece of the inputs, `count` from `k` on, of rows of either kind.
  template <class X>
  RTA_HD void add_piece(const FlatRows& all, int r, int count, const Column<V>& column, int k,
                        const Store& from, std::int64_t shift, float (&sum)[F][V]) const {
    const X* x[F];
    for (int f = 0; f < F; ++f) {
      const int row = some_row(r, f, count);
      x[f] = reinterpret_cast<const X*>(from.memory.of(all.lane(row))) +
             from.at(index_of(all, row) + shift);
    }
    if constexpr (std::is_same_v<X, float>) {
      accumulate_quads(column, k, from.row, x, sum);
    } else {
      accumulate_pairs(column, k, from.row, x, sum);
    }
  }
  RTA_HD void start(const Matrix& m, int o, float (&sum)[F][V]) const {
    for (int f = 0; f < F; ++f) {
      for (int v = 0; v < V; ++v) sum[f][v] = m.bias[o + v];
    }
  }

  RTA_HD void sum_taps(const FlatRows& all, int r, int count, int o) const {
    float sum[F][V];
    start(in, o, sum);
    const Column<V> column(in, 0, o);
    for (int i = 0; i <= taps; ++i) {
      if (y.halves) {
        add_piece<std::uint16_t>(all, r, count, column, i * memory.row, piece(i), shift(i), sum);
      } else {
        add_piece<float>(all, r, count, column, i * memory.row, piece(i), shift(i), sum);
      }
    }
    for (int f = 0; f < F; ++f) {
      if (f >= count || !is_wanted(all, r + f)) continue;
      for (int v = 0; v < V; ++v) z_of(all, r + f)[o + v] = sum[f][v];
    }
  }
  RTA_HD void give(const FlatRows& all, int r, int count, int o) const {
    if (step == nullptr && o < memory.row) return;
    float sum[F][V];
    start(out, o, sum);
    const Column<V> column(out, 0, o);
    const float* x[F];
    for (int f = 0; f < F; ++f) x[f] = z_of(all, some_row(r, f, count));
    if (y.halves) {
      accumulate_pairs(column, 0, memory.row, x, sum);
    } else {
      accumulate_quads(column, 0, memory.row, x, sum);
    }
    RTA_UNROLL
    for (int f = 0; f < F; ++f) {
      if (f >= count || !is_wanted(all, r + f)) continue;
      const Outputs to = outputs_of(all, r + f);
      for (int v = 0; v < V; ++v) put(to, o + v, sum[f][v]);
    }
  }
};

}  // namespace rtaudio::gpu
