// One layer of a stack for all frames of a call: a team takes some rows through its two matrices
// and the gates between them.
#pragma once

#include "cuda/works/matmul.h"

namespace rtaudio::gpu {

// Rows of all lanes, one after the other.
struct FlatRows {
  int lanes;
  int each;  // rows of a lane

  RTA_HD int count() const { return lanes * each; }
  RTA_HD int lane(int row) const { return row / each; }
  RTA_HD int frame(int row) const { return row % each; }
};

// A layer of a gated stack (cpu/gated_stack.inl): z = conv(x), [residual; skip] = out(tanh(z_a)
// sigmoid(z_b)); the next layer's rows are x + residual, zeros outside the signal.
struct GatedLayer {
  static constexpr int kTeam = 128;
  static constexpr int kRows = 4;

  Timing timing;
  RingRows x;
  RingRows next;  // size 0: this is the last layer
  int dilation, taps, channels, gate, half;
  Matrix conv, out;
  Signal condition;  // row 0: none, the sums start from the biases
  int condition_at;  // where this layer's is
  Memory z;          // [frame][2 * half]
  Signal skip;
  bool is_first;

  RTA_HD FlatRows rows(int ticks) const { return {timing.lanes, timing.frames * ticks}; }
  RTA_HD std::int64_t teams(int ticks) const { return (rows(ticks).count() + kRows - 1) / kRows; }
  RTA_HD int phases(int /*ticks*/) const { return 3; }

  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const FlatRows all = rows(ticks);
    const int first = team * kRows;
    const int left = all.count() - first, count = left < kRows ? left : kRows;
    if (phase == 0) {
      for (int o = thread; o < 2 * half; o += kTeam) sum_taps(all, first, count, o);
    } else if (phase == 1) {
      for (int i = thread; i < count * half; i += kTeam) {
        const int row = first + i / half, c = i % half;
        float* const to = z_of(all, row);
        if (is_wanted(all, row)) to[c] = math::gated_tanh(to[c], to[half + c]);
      }
    } else {
      for (int o = thread; o < out.outputs; o += kTeam) give(all, first, count, o);
    }
  }

 private:
  RTA_HD bool is_wanted(const FlatRows& all, int row) const {
    return timing.held[all.lane(row)] == 0;
  }
  RTA_HD float* z_of(const FlatRows& all, int row) const {
    return z.of(all.lane(row)) + std::ptrdiff_t{all.frame(row)} * 2 * half;
  }
  RTA_HD const float* x_of(const FlatRows& all, int row) const {
    const int lane = all.lane(row);
    return x.oldest(lane, timing.position(lane)) + std::ptrdiff_t{all.frame(row)} * x.row;
  }
  RTA_HD float condition_of(const FlatRows& all, int row, int o) const {
    const int c = o % half;
    if (c >= gate) return 0.0f;
    return condition.at(all.lane(row), all.frame(row))[condition_at + o / half * gate + c];
  }

  // The same output of all rows of the team; row_at(f) is there for the first `count`.
  template <class RowAt, class Start, class Use>
  RTA_HD void products(const Matrix& m, const RowAt& row_at, int count, int o, const Start& start,
                       const Use& use) const {
    if (rounds_inputs(m)) {
      for (int f = 0; f < count; ++f) use(f, multiply_dot(m, row_at(f), start(f, o), o));
      return;
    }
    Row rows[kRows];
    for (int f = 0; f < kRows; ++f) rows[f] = row_at(f < count ? f : 0);
    float sum[kRows][1];
    multiply(m, rows, o, start, sum);
    for (int f = 0; f < kRows; ++f) {
      if (f < count) use(f, sum[f][0]);
    }
  }

  RTA_HD void sum_taps(const FlatRows& all, int first, int count, int o) const {
    const auto row_at = [&](int f) {
      return Row{x_of(all, first + f), std::ptrdiff_t{dilation} * x.row, channels, true};
    };
    const auto start = [&](int f, int output) {
      return condition.row == 0 ? conv.bias[output]
                                : condition_of(all, first + (f < count ? f : 0), output);
    };
    products(conv, row_at, count, o, start, [&](int f, float sum) {
      if (is_wanted(all, first + f)) z_of(all, first + f)[o] = sum;
    });
  }
  RTA_HD void give(const FlatRows& all, int first, int count, int o) const {
    if (o < x.row && (next.size == 0 || o >= channels)) return;
    if (o >= x.row + skip.channels) return;
    const auto row_at = [&](int f) { return Row{z_of(all, first + f), 0, gate, true}; };
    const auto start = [&](int, int output) { return out.bias[output]; };
    products(out, row_at, count, o, start, [&](int f, float sum) {
      const int row = first + f;
      if (!is_wanted(all, row)) return;
      if (o >= x.row) {
        float* const to = skip.at(all.lane(row), all.frame(row)) + o - x.row;
        *to = is_first ? sum : *to + sum;
        return;
      }
      const Span span = timing.span(all.lane(row), all.each / timing.frames);
      const float newest = x_of(all, row)[std::ptrdiff_t{taps - 1} * dilation * x.row + o];
      const float value = span.contains(all.frame(row)) ? newest + sum : 0.0f;
      const std::ptrdiff_t slot = (span.position + all.frame(row)) % next.size;
      float* const to = next.memory.of(all.lane(row)) + slot * next.row + o;
      to[0] = value;
      to[std::ptrdiff_t{next.size} * next.row] = value;
    });
  }
};

}  // namespace rtaudio::gpu
