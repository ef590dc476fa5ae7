// A refinement's steps (model/layers/refine.cpp) and the layers of its network (cpu/diffwave.inl),
// each for all frames of a call. Indices count a lane's frames; a step works on frames that lie
// behind those of the call by what it and those before it look ahead.
#pragma once

#include <type_traits>

#include "core/noise.h"
#include "core/refine.h"
#include "cuda/works/stacks.h"

namespace rtaudio::gpu {

RTA_HD std::int64_t slot_of(std::int64_t index, std::int64_t frames) {
  const std::int64_t slot = index % frames;
  return slot < 0 ? slot + frames : slot;
}

// Rows of a ring of floats or of bf16.
struct Store {
  Memory memory;
  std::int64_t frames;
  int row;
  bool halves;

  RTA_HD std::ptrdiff_t at(std::int64_t index) const { return slot_of(index, frames) * row; }
  RTA_HD void put(int lane, std::int64_t index, int c, float x) const {
    float* const to = memory.of(lane);
    if (halves) {
      reinterpret_cast<std::uint16_t*>(to)[at(index) + c] = to_bf16(x);
    } else {
      to[at(index) + c] = x;
    }
  }
};

// What all works of a refinement know.
struct Refinement {
  Timing timing;
  Memory state;  // begins with the lane's noise
  Memory flags;  // [channel][frames]: 1 inside the signal, then the spread or the given noise
  Store condition;
  std::int64_t frames;  // of the ring of flags
  int flag_rows;
  int values;
  bool given;
  bool clip;
  int steps;
  std::uint32_t site;

  RTA_HD bool inside(int lane, std::int64_t index) const {
    return flags.of(lane)[slot_of(index, frames)] > 0.0f;
  }
  // Value v of the noise of a frame inside the signal, for the step that `left` more follow.
  RTA_HD float noise(int lane, std::int64_t index, int left, int v) const {
    const float* row = flags.of(lane) + frames + slot_of(index, frames);
    if (given) return row[(std::int64_t{steps - left} * values + v) * frames];
    float z[4] = {};
    const int draw = v / 4, count = values - 4 * draw;
    refine::normals_of_draw(noise::source_of(state.of(lane), site), index - timing.delay,
                            static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(draw),
                            count < 4 ? count : 4, z);
    const int at = v % 4;
    return *row * (at == 0 ? z[0] : at == 1 ? z[1] : at == 2 ? z[2] : z[3]);
  }
};

// The condition, and what is known of the call's frames.
struct TakeCondition {
  Refinement how;
  Signal x;
  int channels;  // of the condition

  RTA_HD int width() const { return how.condition.row + how.flag_rows; }
  RTA_HD std::int64_t items(int ticks) const {
    return places(how.timing.lanes, how.timing.frames * ticks, width());
  }
  RTA_HD void operator()(int item, int ticks) const {
    const Place p(item, how.timing.frames * ticks, width());
    if (how.timing.held[p.lane] != 0) return;
    const Span span = how.timing.span(p.lane, ticks);
    const std::int64_t index = span.position + p.t;
    const bool valid = span.contains(p.t);
    const float* row = x.at(p.lane, p.t);
    if (p.c < how.condition.row) {
      how.condition.put(p.lane, index, p.c, valid && p.c < channels ? row[p.c] : 0.0f);
      return;
    }
    const int i = p.c - how.condition.row;
    const float value = i == 0 || x.channels == channels ? 1.0f : row[channels + i - 1];
    how.flags.of(p.lane)[i * how.frames + slot_of(index, how.frames)] = valid ? value : 0.0f;
  }
};

// Before the first step (step -1) x is noise; after each other one it is what the step makes of it.
// x goes to the output and into the ring where the next step will look for it.
struct RefineStep {
  Refinement how;
  int step;
  refine::Step coefficients;
  std::int64_t ahead;  // of the network
  Signal x;
  Memory found;       // [frame][values]: of frames `ahead` behind those of the step
  Memory previous;    // the step's ring of x
  Memory next;        // the next step's; null after the last
  std::int64_t ring;  // frames of these

  RTA_HD std::int64_t items(int ticks) const {
    return places(how.timing.lanes, how.timing.frames * ticks, how.values);
  }
  RTA_HD void operator()(int item, int ticks) const {
    const Place p(item, how.timing.frames * ticks, how.values);
    if (how.timing.held[p.lane] != 0) return;
    const std::int64_t index = how.timing.position(p.lane) + p.t - (step + 1) * ahead;
    const float value = how.inside(p.lane, index) ? make(p, index) : 0.0f;
    x.at(p.lane, p.t)[p.c] = value;
    if (next.data != nullptr) next.of(p.lane)[slot_of(index, ring) * how.values + p.c] = value;
  }

 private:
  RTA_HD float make(const Place& p, std::int64_t index) const {
    const int left = how.steps - 1 - step;
    if (step < 0) return how.noise(p.lane, index, left, p.c);
    const float z = coefficients.deviation > 0.0f ? how.noise(p.lane, index, left, p.c) : 0.0f;
    const float before = previous.of(p.lane)[slot_of(index, ring) * how.values + p.c];
    return refine::update(coefficients, before,
                          found.of(p.lane)[std::ptrdiff_t{p.t} * how.values + p.c], z, how.clip);
  }
};

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

  RTA_HD std::int64_t items(int ticks) const {
    return places(how.timing.lanes, how.timing.frames * ticks, memory.row);
  }
  RTA_HD void operator()(int item, int ticks) const {
    const Place p(item, how.timing.frames * ticks, memory.row);
    if (how.timing.held[p.lane] != 0) return;
    const std::int64_t index = how.timing.position(p.lane) + p.t - behind;
    const float value = max(0.0f, h.of(p.lane)[std::ptrdiff_t{p.t} * memory.row + p.c]);
    memory.at(memory.h, p.lane, index)[p.c] = value;
    y.put(p.lane, index, p.c, how.inside(p.lane, index) ? value + step[p.c] : 0.0f);
  }
};

// A layer: z = in [y at each tap; condition], [r; s] = out(tanh(z_a) sigmoid(z_b)), h = (h + r) /
// sqrt(2), skips += s. A team takes kRows rows, F of them and V outputs a thread at a time.
template <int F, int V, int kRows>
struct DiffWaveLayer {
  static constexpr int kTeam = 128;

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
  RTA_HD bool is_wanted(const FlatRows& all, int r) const {
    return how.timing.held[all.lane(r)] == 0;
  }
  RTA_HD float* z_of(const FlatRows& all, int r) const {
    return z.of(all.lane(r)) + std::ptrdiff_t{all.frame(r)} * 2 * memory.row;
  }
  RTA_HD std::int64_t index_of(const FlatRows& all, int r) const {
    return how.timing.position(all.lane(r)) + all.frame(r) - behind;
  }
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
      const Store& from = i < taps ? y : condition();
      const std::int64_t shift = i < taps ? std::int64_t{i - (taps - 1 - ahead)} * dilation : 0;
      if (y.halves) {
        add_piece<std::uint16_t>(all, r, count, column, i * memory.row, from, shift, sum);
      } else {
        add_piece<float>(all, r, count, column, i * memory.row, from, shift, sum);
      }
    }
    for (int f = 0; f < F; ++f) {
      if (f >= count || !is_wanted(all, r + f)) continue;
      for (int v = 0; v < V; ++v) z_of(all, r + f)[o + v] = sum[f][v];
    }
  }
  RTA_HD const Store& condition() const { return how.condition; }

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
    for (int f = 0; f < F; ++f) {
      if (f >= count || !is_wanted(all, r + f)) continue;
      for (int v = 0; v < V; ++v) give_one(all, r + f, o + v, sum[f][v]);
    }
  }
  RTA_HD void give_one(const FlatRows& all, int r, int o, float sum) const {
    const int lane = all.lane(r), row = memory.row;
    const std::int64_t index = index_of(all, r);
    if (o >= row) {
      float* const to = memory.at(memory.skips, lane, index) + o - row;
      const float skip = is_first ? sum : *to + sum;
      if (step != nullptr) {
        *to = skip;
      } else {
        skips.of(lane)[std::ptrdiff_t{all.frame(r)} * row + o - row] = skip * skip_scale;
      }
      return;
    }
    float* const h = memory.at(memory.h, lane, index) + o;
    const float value = (*h + sum) * 0.70710678118654752f;
    *h = value;
    next.put(lane, index, o, how.inside(lane, index) ? value + step[o] : 0.0f);
  }
};

}  // namespace rtaudio::gpu
