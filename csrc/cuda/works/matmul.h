// Matrices times rows, in the order of sums that cpu/kernels.h prescribes: so a GPU has the CPU's
// bits. A thread keeps F rows times V outputs in registers, from which both its weights (side by
// side over the threads) and its inputs (the same for neighbours) come by way of the first cache;
// there is no barrier, so that a loop over the threads, in any order, does the same on a host.
#pragma once

#include "core/bf16.h"
#include "core/vecmath.h"
#include "cuda/lanes.h"

namespace rtaudio::gpu {

enum class Format : std::int32_t { fp32, bf16, bf16dot, int8 };

// cpu/kernels.h's PackedMatrix, on the device.
struct Matrix {
  int outputs;
  int depth;
  int splits;
  Format format;
  bool in_pairs;  // bf16: k stand in pairs
  const void* weights;
  const float* bias;
  const float* input_scales;
  const float* scales;
};

// One row of a matrix's inputs.
struct Row {
  const float* data;
  std::ptrdiff_t tap_step;
  int inputs;
  bool in_quads;  // every tap begins at a whole quad of floats

  RTA_HD const float* at(int k) const { return data + k / inputs * tap_step + k % inputs; }
  RTA_HD float operator[](int k) const { return *at(k); }
};

// Frame t of a lane reads, for each tap, `inputs` floats from first + t * frame_step + tap *
// tap_step.
struct Window {
  RingRows ring;  // size 0: the rows are in the memory itself
  std::ptrdiff_t offset = 0;
  std::ptrdiff_t frame_step = 0;
  std::ptrdiff_t tap_step = 0;
  int taps = 1;
  int inputs = 0;

  RTA_HD const float* at(int lane, std::int64_t position, int t) const {
    const float* first = ring.size > 0 ? ring.oldest(lane, position) : ring.memory.of(lane);
    return first + offset + t * frame_step;
  }
  RTA_HD bool in_quads() const { return (offset | frame_step | tap_step | ring.row) % 4 == 0; }
  RTA_HD Row row(int lane, std::int64_t position, int t) const {
    return {at(lane, position, t), tap_step, inputs, in_quads()};
  }
};

// Weight (k, output) of panels of `group` k side by side.
RTA_HD std::ptrdiff_t weight_at(const Matrix& m, int group, int k, int output) {
  const int padded = (m.outputs + 15) / 16 * 16, panel = output / 64 * 64;
  const int width = padded - panel < 64 ? padded - panel : 64;
  const int groups = (m.depth + group - 1) / group;
  return (std::ptrdiff_t{panel} * groups + std::ptrdiff_t{k / group} * width + (output - panel)) *
             group +
         k % group;
}

// Weights of V outputs that stand side by side.
template <int V>
RTA_HD void load_weights(const float* w, float (&to)[V]) {
  if constexpr (V == 4) {
    struct alignas(16) Four {
      float v[4];
    };
    const Four four = *reinterpret_cast<const Four*>(w);
    for (int v = 0; v < 4; ++v) to[v] = four.v[v];
  } else {
    for (int v = 0; v < V; ++v) to[v] = w[v];
  }
}

// The weights of some outputs along k.
template <int V>
struct Column {
  const void* first;    // of k = begin
  std::ptrdiff_t step;  // from one group of k to the next
  int group;
  bool half;

  RTA_HD Column(const Matrix& m, int begin, int output)
      : group(m.in_pairs || m.format == Format::bf16dot ? 2 : 1), half(m.format != Format::fp32) {
    const std::ptrdiff_t at = weight_at(m, group, begin, output);
    step = weight_at(m, group, begin + group, output) - at;
    first = half ? static_cast<const void*>(static_cast<const std::uint16_t*>(m.weights) + at)
                 : static_cast<const float*>(m.weights) + at;
  }
  RTA_HD void load(int k, float (&to)[V]) const {  // k from `begin` on, which begins a group
    if (!half) return load_weights(static_cast<const float*>(first) + k * step, to);
    const auto* w = static_cast<const std::uint16_t*>(first) + k / group * step + k % group;
    for (int v = 0; v < V; ++v) to[v] = from_bf16(w[v * group]);
  }
};

RTA_HD float as_number(float x) { return x; }
RTA_HD float as_number(std::uint16_t x) { return from_bf16(x); }

// sum += w[k] x[k] for `count` k from `k` of the column on, whose inputs lie side by side.
template <int F, int V, class X>
RTA_HD void accumulate_run(const Column<V>& column, int k, int count, const X* const (&x)[F],
                           float (&sum)[F][V]) {
  for (int i = 0; i < count; ++i) {
    float w[V];
    column.load(k + i, w);
    for (int f = 0; f < F; ++f) {
      for (int v = 0; v < V; ++v) sum[f][v] = fma(as_number(x[f][i]), w[v], sum[f][v]);
    }
  }
}
// The same by fours, each input one load: x at whole quads of floats.
template <int F, int V>
RTA_HD void accumulate_quads(const Column<V>& column, int k, int count, const float* const (&x)[F],
                             float (&sum)[F][V]) {
  for (int i = 0; i < count; i += 4) {
    float quad[F][4];
    for (int f = 0; f < F; ++f) load_weights(x[f] + i, quad[f]);
    for (int j = 0; j < 4; ++j) {
      float w[V];
      column.load(k + i + j, w);
      for (int f = 0; f < F; ++f) {
        for (int v = 0; v < V; ++v) sum[f][v] = fma(quad[f][j], w[v], sum[f][v]);
      }
    }
  }
}

// The same as bf16dot does it: of each two k the second first.
template <int F, int V, class X>
RTA_HD void accumulate_pairs(const Column<V>& column, int k, int count, const X* const (&x)[F],
                             float (&sum)[F][V]) {
  for (int i = 0; i < count; i += 2) {
    for (int j = 1; j >= 0; --j) {
      float w[V];
      column.load(k + i + j, w);
      for (int f = 0; f < F; ++f) {
        for (int v = 0; v < V; ++v) sum[f][v] = fma(as_number(x[f][i + j]), w[v], sum[f][v]);
      }
    }
  }
}

// One segment of the sums of F rows times V outputs: k in [begin, end), in rising order. R: Row, or
// what else says where inputs stand, runs of `inputs` side by side.
template <int F, int V, class R>
RTA_HD void accumulate(const Matrix& m, const R (&rows)[F], int output, int begin, int end,
                       float (&sum)[F][V]) {
  const Column<V> column(m, begin, output);
  const int inputs = rows[0].inputs;
  for (int k = begin; k < end;) {
    const int c = k % inputs;
    const int run = inputs - c < end - k ? inputs - c : end - k;
    const float* x[F];
    for (int f = 0; f < F; ++f) x[f] = rows[f].at(k);
    const int quads = rows[0].in_quads && c % 4 == 0 ? run / 4 * 4 : 0;
    if (quads > 0) {
      accumulate_quads(column, k - begin, quads, x, sum);
      for (int f = 0; f < F; ++f) x[f] += quads;
    }
    accumulate_run(column, k - begin + quads, run - quads, x, sum);
    k += run;
  }
}

// The sums of fp32 and bf16 by the matrix's tree, from start(row, output) on.
template <int F, int V, class R, class Start>
RTA_HD void multiply(const Matrix& m, const R (&rows)[F], int output, const Start& start,
                     float (&sum)[F][V]) {
  const int segment = (m.depth + m.splits - 1) / m.splits;
  float part[F][V], third[F][V] = {};
  for (int f = 0; f < F; ++f) {
    for (int v = 0; v < V; ++v) sum[f][v] = 0.0f;  // whatever the compiler thinks of splits
  }
  for (int s = 0; s < m.splits; ++s) {
    for (int f = 0; f < F; ++f) {
      for (int v = 0; v < V; ++v) part[f][v] = s == 0 ? start(f, output + v) : 0.0f;
    }
    const int end = (s + 1) * segment < m.depth ? (s + 1) * segment : m.depth;
    accumulate(m, rows, output, s * segment, end, part);
    for (int f = 0; f < F; ++f) {
      for (int v = 0; v < V; ++v) {
        if (s == 0) sum[f][v] = part[f][v];
        if (s == 1) sum[f][v] = sum[f][v] + part[f][v];
        if (s == 2) third[f][v] = part[f][v];
        if (s == 3) sum[f][v] = sum[f][v] + (third[f][v] + part[f][v]);
      }
    }
  }
}

// The same where inputs are rounded too.
RTA_HD bool rounds_inputs(const Matrix& m) {
  return m.format == Format::bf16dot || m.format == Format::int8;
}
RTA_HD float multiply_dot(const Matrix& m, const Row& row, float start, int output) {
  if (m.format == Format::bf16dot) {
    const auto* w = static_cast<const std::uint16_t*>(m.weights);
    const auto weight = [&](int k) { return from_bf16(w[weight_at(m, 2, k, output)]); };
    const auto input = [&](int k) { return from_bf16(to_bf16(row[k])); };
    float sum = start;
    for (int k = 0; k < m.depth; k += 2) {
      const bool pair = k + 1 < m.depth;
      sum = fma(pair ? weight(k + 1) : 0.0f, pair ? input(k + 1) : 0.0f, sum);
      sum = fma(weight(k), input(k), sum);
    }
    return sum;
  }
  const auto* w = static_cast<const std::int8_t*>(m.weights);
  const float magic = math::round_magic<float>();
  std::int32_t sum = 0;
  for (int k = 0; k < m.depth; ++k) {
    const float scaled = row[k] * m.input_scales[k % row.inputs];
    const float near = min(max(scaled, -127.0f), 127.0f) + magic;
    sum += static_cast<std::int32_t>(as_int(near) - as_int(magic)) * w[weight_at(m, 4, k, output)];
  }
  return fma(static_cast<float>(sum), m.scales[output], start);
}

// One sum in any format.
template <class Start>
RTA_HD float product(const Matrix& m, const Row& row, int output, const Start& start) {
  if (rounds_inputs(m)) return multiply_dot(m, row, start(0, output), output);
  float sum[1][1];
  const Row rows[1] = {row};
  multiply(m, rows, output, start, sum);
  return sum[0][0];
}

// y = m x, one thread for F rows and V outputs; rows count through all lanes. Frames that the first
// input does not have are left out, or zero.
template <int F, int V>
struct Matmul {
  Timing timing;
  Matrix m;
  Window x;
  Memory y;
  int y_step;    // floats from one row to the next
  int frames;    // rows per tick
  bool zeros;    // rows outside the signal are zeros; needs as many rows as input frames
  int more = 0;  // rows beyond those of the ticks

  RTA_HD int columns() const { return (m.outputs + V - 1) / V; }
  RTA_HD std::int64_t items(int ticks) const {
    const std::int64_t rows = std::int64_t{timing.lanes} * (frames * ticks + more);
    return (rows + F - 1) / F * columns();
  }
  RTA_HD void operator()(int item, int ticks) const {
    const int output = item % columns() * V, first = item / columns() * F;
    const int each = frames * ticks + more, all = timing.lanes * each;
    Row rows[F];
    bool wanted[F];
    bool any = false;
    for (int f = 0; f < F; ++f) {
      const int row = first + f < all ? first + f : all - 1;
      const int lane = row / each, t = row % each;
      wanted[f] = first + f < all && timing.held[lane] == 0;
      rows[f] = x.row(lane, timing.position(lane), t);
      any = any || wanted[f];
    }
    if (!any) return;
    float sum[F][V];
    const auto start = [this](int, int o) { return m.bias[o]; };
    if constexpr (F == 1 && V == 1) {
      sum[0][0] = product(m, rows[0], output, start);
    } else if constexpr (F == 8) {  // of matrices that are not split: registers for one chain
      for (int f = 0; f < F; ++f) {
        for (int v = 0; v < V; ++v) sum[f][v] = m.bias[output + v];
      }
      accumulate(m, rows, output, 0, m.depth, sum);
    } else {
      multiply(m, rows, output, start, sum);
    }
    for (int f = 0; f < F; ++f) {
      if (!wanted[f]) continue;
      const int lane = (first + f) / each, t = (first + f) % each;
      const bool zero = zeros && !timing.span(lane, ticks).contains(t);
      float* const to = y.of(lane) + std::ptrdiff_t{t} * y_step + output;
      for (int v = 0; v < V; ++v) {
        if (output + v < m.outputs) to[v] = zero ? 0.0f : sum[f][v];
      }
    }
  }
};

// A kernel of its own for every channel: y[c] = bias[c] + sum over the taps of w[tap][c] x[tap][c].
struct Depthwise {
  Timing timing;
  Window x;
  const float* weights;  // [tap][row]
  int row;
  const float* bias;
  Memory y;
  int y_step;
  int frames;
  int channels;

  RTA_HD Grid grid(int ticks) const { return {timing, frames * ticks, channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const float* from = x.at(p.lane, timing.position(p.lane), p.t) + p.c;
    float sum = bias[p.c];
    for (int tap = 0; tap < x.taps; ++tap) {
      sum = fma(weights[tap * row + p.c], from[tap * x.tap_step], sum);
    }
    y.of(p.lane)[std::ptrdiff_t{p.t} * y_step + p.c] = sum;
  }
};

}  // namespace rtaudio::gpu
