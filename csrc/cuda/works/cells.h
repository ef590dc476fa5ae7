// Recurrent cells, of which W x of all frames is a product of its own. Calls of a few frames go
// frame by frame through all rows at once; else walks.h.
#pragma once

#include "core/cells.h"
#include "core/functions.h"
#include "cuda/works/matmul.h"
#include "cuda/works/pointwise.h"

namespace rtaudio::gpu {

struct Cell {
  enum class Kind : std::int32_t { gru, lstm, rnn };
  Kind kind;
  bool is_relu;  // an rnn, whose function else is tanh
  int hidden;
  int stride;  // of gates
  Matrix u;

  RTA_HD int gates() const { return kind == Kind::gru ? 3 : kind == Kind::lstm ? 4 : 1; }
  RTA_HD int row() const { return gates() * stride; }

  // A unit's next h, from its W x and U h by gate; c changes in place.
  template <class Wx, class Uh>
  RTA_HD float next(const Wx& wx, const Uh& uh, float h, float* c) const {
    if (kind == Kind::gru) return step<3>(wx, uh, h, c);
    if (kind == Kind::lstm) return step<4>(wx, uh, h, c);
    return step<1>(wx, uh, h, c);
  }
  // The same from all of h.
  template <class Wx>
  RTA_HD float next_of(int unit, const Wx& wx, const float* h, float* c) const {
    if (kind == Kind::gru) return with_sums<3>(unit, wx, h, c);
    if (kind == Kind::lstm) return with_sums<4>(unit, wx, h, c);
    return with_sums<1>(unit, wx, h, c);
  }

 private:
  // Of so many gates.
  template <int G, class Wx, class Uh>
  RTA_HD float step(const Wx& wx, const Uh& uh, float h, float* c) const {
    if constexpr (G == 3) return math::gru_cell(wx, uh, h);
    if constexpr (G == 4) {
      const auto now = math::lstm_cell(wx, uh, *c);
      *c = now.c;
      return now.h;
    }
    const float sum = wx(0) + uh(0);
    return is_relu ? apply<Unary::relu>(sum, 0.0f, 0.0f) : math::tanh(sum);
  }
  template <int G, class Wx>
  RTA_HD float with_sums(int unit, const Wx& wx, const float* h, float* c) const {
    float sum[G] = {};
    const Row row{h, 0, hidden, true};
    if constexpr (G == 1) {
      sum[0] = product(u, row, unit, [this](int, int output) { return u.bias[output]; });
    } else if (u.format == Format::fp32 || u.format == Format::bf16) {
      side_by_side(unit, h, sum);
    } else {
      RTA_ROLLED
      for (int g = 0; g < G; ++g) {
        const int output = g * stride + unit;
        set_one_of(sum, g, multiply_dot(u, row, u.bias[output], output));
      }
    }
    return step<G>(wx, [&](int gate) { return sum[gate]; }, h[unit], c + unit);
  }
  // The sums of a unit's gates; a matrix of so many outputs has one chain of sums.
  template <int G>
  RTA_HD void side_by_side(int unit, const float* h, float (&sum)[G]) const {
    const int group = u.format == Format::bf16 && u.in_pairs ? 2 : 1;
    int at[G], step[G];  // a matrix has less than 2^31 weights
    for (int g = 0; g < G; ++g) {
      const int output = g * stride + unit;
      sum[g] = u.bias[output];
      at[g] = static_cast<int>(weight_at(u, group, 0, output));
      step[g] = static_cast<int>(weight_at(u, group, group, output)) - at[g];
    }
    if (u.format == Format::fp32) {
      const auto* w = static_cast<const float*>(u.weights);
      for (int k = 0; k < hidden; ++k) {
        for (int g = 0; g < G; ++g) sum[g] = fma(h[k], w[at[g] + k * step[g]], sum[g]);
      }
      return;
    }
    const auto* w = static_cast<const std::uint16_t*>(u.weights);
    for (int k = 0; k < hidden; ++k) {
      for (int g = 0; g < G; ++g) {
        const std::uint16_t half = w[at[g] + k / group * step[g] + k % group];
        sum[g] = fma(h[k], from_bf16(half), sum[g]);
      }
    }
  }
};

// One frame, U h of all rows being there.
struct RecurrenceStep {
  Timing timing;
  Cell cell;
  int rows;
  Memory wx;
  Memory uh;  // [row][gate]
  Memory state;
  Signal y;
  int t;

  RTA_HD Grid grid(int /*ticks*/) const { return {timing, rows, cell.hidden}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const Span span = timing.span(p.lane, ticks);
    if (t >= span.frames) return;
    float* const to = y.at(p.lane, t) + p.t * cell.hidden + p.c;
    if (!span.contains(t)) {
      *to = 0.0f;
      return;
    }
    const int stride = cell.stride;
    float* const h = state.of(p.lane) + std::ptrdiff_t{p.t} * stride + p.c;
    const float* const w = wx.of(p.lane) + (std::ptrdiff_t{t} * rows + p.t) * cell.row() + p.c;
    const float* const u = uh.of(p.lane) + std::ptrdiff_t{p.t} * cell.row() + p.c;
    *h = cell.next([&](int gate) { return w[gate * stride]; },
                   [&](int gate) { return u[gate * stride]; }, *h,
                   h + std::ptrdiff_t{rows} * stride);
    *to = *h;
  }
};

}  // namespace rtaudio::gpu
