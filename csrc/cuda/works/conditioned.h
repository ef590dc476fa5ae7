// Layers of a conditioned stack (cpu/kernels.h), two works each over all frames of a call. x and s
// stand in the rows [x; c; s] of the output, each layer's input in a ring besides.
#pragma once

#include "cuda/works/matmul.h"
#include "cuda/works/pointwise.h"

namespace rtaudio::gpu {

// h = f(conv(x) + condition c): one thread for F frames of an output, with its gate.
template <int F>
struct ConditionedHidden {
  Timing timing;
  Matrix conv;
  Window past;
  Signal rows;
  int channels;
  const float* condition;  // an output's weight of c
  Memory h;
  int h_row;  // to the gate's half
  int hidden;
  bool gated;
  Unary activation, gate;
  float activation_a, activation_b, gate_a, gate_b;

  RTA_HD std::int64_t items(int ticks) const {
    const std::int64_t frames = std::int64_t{timing.lanes} * timing.frames * ticks;
    return (frames + F - 1) / F * hidden;
  }
  RTA_HD void operator()(int item, int ticks) const {
    const int output = item % hidden, first = item / hidden * F;
    const int each = timing.frames * ticks, all = timing.lanes * each;
    float z[F] = {}, last[F] = {};  // a gate's sums are the last ones, where there is one
    RTA_ROLLED
    for (int half = 0; half < (gated ? 2 : 1); ++half) {
      for (int f = 0; f < F; ++f) z[f] = last[f];
      sums(first, each, all, half * h_row + output, last);
    }
    RTA_ROLLED
    for (int f = 0; f < F && first + f < all; ++f) {
      const int lane = (first + f) / each, t = (first + f) % each;
      if (timing.held[lane] != 0) continue;
      h.of(lane)[std::ptrdiff_t{t} * h_row + output] = function(one_of(z, f), one_of(last, f));
    }
  }

 private:
  RTA_HD void sums(int first, int each, int all, int output, float (&to)[F]) const {
    Row inputs[F];
    const float* condition_of[F];
    for (int f = 0; f < F; ++f) {
      const int row = first + f < all ? first + f : all - 1;
      const int lane = row / each, t = row % each;
      inputs[f] = past.row(lane, timing.position(lane), t);
      condition_of[f] = rows.at(lane, t) + channels;
    }
    float sum[F][1];
    multiply(conv, inputs, output, [this](int, int o) { return conv.bias[o]; }, sum);
    for (int f = 0; f < F; ++f) {
      to[f] = sum[f][0] + fma(*condition_of[f], condition[output], 0.0f);
    }
  }
  RTA_HD float function(float z, float last) const {
    if (!gated) return apply_unary(activation, last, activation_a, activation_b);
    if (activation == Unary::tanh && gate == Unary::sigmoid) return math::gated_tanh(z, last);
    return apply_unary(activation, z, activation_a, activation_b) *
           apply_unary(gate, last, gate_a, gate_b);
  }
};

// x += residual h, s += skip h (or h), and x enters the next layer's ring.
template <int F>
struct ConditionedOutput {
  Timing timing;
  Matrix residual, skip;  // skip.outputs 0: s += h
  Memory h;
  int h_row;
  int hidden;
  Signal rows;
  int channels, skip_channels;
  RingRows next;  // size 0: there is none

  RTA_HD int outputs() const { return channels + skip_channels; }
  RTA_HD std::int64_t items(int ticks) const {
    const std::int64_t frames = std::int64_t{timing.lanes} * timing.frames * ticks;
    return (frames + F - 1) / F * outputs();
  }
  RTA_HD void operator()(int item, int ticks) const {
    const int output = item % outputs(), first = item / outputs() * F;
    const int each = timing.frames * ticks, all = timing.lanes * each;
    const bool is_skip = output >= channels;
    Row inputs[F];
    for (int f = 0; f < F; ++f) {
      const int row = first + f < all ? first + f : all - 1;
      inputs[f] = {h.of(row / each) + std::ptrdiff_t{row % each} * h_row, 0, hidden, true};
    }
    float sum[F][1];
    if (is_skip && skip.outputs == 0) {
      for (int f = 0; f < F; ++f) sum[f][0] = inputs[f].data[output - channels];
    } else {
      const Matrix& m = is_skip ? skip : residual;
      multiply(
          m, inputs, is_skip ? output - channels : output, [&m](int, int o) { return m.bias[o]; },
          sum);
    }
    for (int f = 0; f < F && first + f < all; ++f) {
      const int lane = (first + f) / each, t = (first + f) % each;
      if (timing.held[lane] != 0) continue;
      float* const to = rows.at(lane, t) + output + (is_skip ? 1 : 0);
      *to = *to + sum[f][0];
      if (!is_skip && next.size > 0) enter(lane, t, output, *to, ticks);
    }
  }

 private:
  RTA_HD void enter(int lane, int t, int channel, float x, int ticks) const {
    const Span span = timing.span(lane, ticks);
    const std::ptrdiff_t slot = (span.position + t) % next.size;
    float* const to = next.memory.of(lane) + slot * next.row + channel;
    to[0] = to[std::ptrdiff_t{next.size} * next.row] = span.contains(t) ? x : 0.0f;
  }
};

}  // namespace rtaudio::gpu
