// The products of the persistent WaveNet kernel by tensor cores, in bf16dot: a warp has 16 rows of
// a matrix for the eight lanes of a bunch. Where there are none for bf16, as on the host in a GPU's
// place, each thread does its own part of them (works/tensor_cores.h).
// Lane l of a warp has
//   of the weights rows l / 4 and l / 4 + 8 of a tile, of these k l % 4 * 4 up to the fourth from
//   there, as one group of the image,
//   of the inputs the same k of the bunch's lane l / 4,
//   of the sums lanes l % 4 * 2 and the next one, first of the one row.
// The order of sums is the device's own: the same for every row and lane, wherever they stand.
#pragma once

#include "cuda/wavenet_own.h"
#include "cuda/works/tensor_cores.h"

namespace rtaudio::wavenet {

// Inputs of one lane, from a thread's first k on.
struct RoundedInputs {
  const std::uint16_t* first;

  RTA_HD gpu::Quad at(int step) const {
    return *reinterpret_cast<const gpu::Quad*>(first + step * kTile);
  }
};
struct RoundedRows {
  const std::uint16_t* first;
  int row;  // of floats' room, from one lane's to the next

  RTA_HD RoundedInputs operator()(int lane) const {
    return {first + lane / 4 * 2 * row + gpu::tile_k(lane)};
  }
};
struct RingInputs {
  const float* first;
  int left;  // of the row from there on

  RTA_HD gpu::Quad at(int step) const {
    if (step * kTile >= left) return {};
    const Four four = *reinterpret_cast<const Four*>(first + step * kTile);
    return {gpu::pair_of(four.x[0], four.x[1]), gpu::pair_of(four.x[2], four.x[3])};
  }
};

RTA_HD gpu::Quad row_of(const Group& w, int i) { return {w.words[i], w.words[i + 2]}; }

// A lane's sum += N tiles of weights, each of `steps` steps of k, times the inputs.
// inputs_of(lane): what that lane reads.
template <int N, class InputsOf>
RTA_HD void add_tiles(const Group* weights, int steps, int lane, const InputsOf& inputs_of,
                      float (&sum)[N][4]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  constexpr int kChains = 4;  // products that need not wait for one another
  const auto inputs = inputs_of(lane);
  float others[kChains - 1][N][4] = {};
  for (int first = 0; first < steps; first += kChains) {
    RTA_UNROLL
    for (int chain = 0; chain < kChains; ++chain) {
      const int step = first + chain;
      if (step == steps) break;
      const gpu::Quad x = inputs.at(step);
      RTA_UNROLL
      for (int n = 0; n < N; ++n) {
        const Group w = weights[(n * steps + step) * kWarp + lane];
        gpu::add_step(row_of(w, 0), row_of(w, 1), x, chain == 0 ? sum[n] : others[chain - 1][n]);
      }
    }
  }
  RTA_UNROLL
  for (int chain = 1; chain < kChains; ++chain) {
    RTA_UNROLL
    for (int i = 0; i < 4 * N; ++i)
      sum[i / 4][i % 4] = sum[i / 4][i % 4] + others[chain - 1][i / 4][i % 4];
  }
#else
  for (int step = 0; step < steps; ++step) {
    for (int j = 0; j < 4; ++j) {
      const gpu::Quad x[2] = {inputs_of(gpu::tile_output(lane) * 4 + j).at(step),
                              inputs_of((gpu::tile_output(lane) + 1) * 4 + j).at(step)};
      for (int n = 0; n < N; ++n) {
        const Group& w = weights[(n * steps + step) * kWarp + lane / 4 * 4 + j];
        for (int i = 0; i < 4; ++i) {
          const gpu::Quad row = row_of(w, i / 2);
          for (int k = 0; k < 4; ++k) sum[n][i] = fma(row[k], x[i % 2][k], sum[n][i]);
        }
      }
    }
  }
#endif
}

class Tiles {
 public:
  static constexpr int kLanes = 8;
  static constexpr int kUnit = 4;  // floats of a message that go together

  RTA_HD explicit Tiles(const Own<kLanes>& block)
      : own(block), net_(block.net), room_(block.room) {}

  Own<kLanes> own;

  // Of all layers: the condition and the taps that are known before the sample is.
  template <class Links>
  RTA_HD void sum_older_taps(Links& links, int bunch, int step) const {
    links.phase([&](Thread t) {
      const int pairs = divided_up(net_.gate, kTile), frame = step / own.call.hop;
      each_tile(t, own.share.num_layers() * pairs, [&](int i, int lane) {
        const int l = i / pairs, pair = i % pairs;
        float sum[2][4];
        each_sum(lane, [&](int n, int row, int b) {
          const float* condition = own.layers_condition(own.lane(bunch, b), frame);
          const int gate = pair * kTile + row;
          for (int half = 0; half < 2; ++half) {
            sum[half][n] = gate < net_.gate ? condition[(2 * l + half) * net_.gate + gate] : 0.0f;
          }
        });
        for (int tap = 0; tap < net_.kernel - 1; ++tap) {
          const auto inputs_of = [&](int of) {
            const float* row = own.ring_row(own.lane(bunch, of / 4), l, tap);
            return RingInputs{row + gpu::tile_k(of), net_.ring_row() - gpu::tile_k(of)};
          };
          add_tiles(taps(own.share.older_tap(l, tap), pair), steps(net_.channels), lane, inputs_of,
                    sum);
        }
        for (int half = 0; half < 2; ++half) *z_of(i, half, lane) = as_four(sum[half]);
      });
    });
  }

  // The first layer's input, from the block before if there is one.
  template <class Links>
  RTA_HD void begin(Links& links, int bunch, int step, const float* before) const {
    links.phase([&](Thread t) {
      t.template each_of<kLanes>(net_.whole(net_.channels), [&](int b, int c) {
        float x = 0.0f;
        if (c < net_.channels) {
          x = before != nullptr ? before[b * room_.x_row + c] : own.embedded(own.lane(bunch, b), c);
        }
        set_x(bunch, b, step, 0, c, x);
      });
    });
  }
  // Layer l; the next one's input, unless it is the last.
  template <class Links>
  RTA_HD void pass_layer(Links& links, int bunch, int step, int l, bool last) const {
    links.phase([&](Thread t) { open_gates(t, l); });
    if (last) return;
    links.phase([&](Thread t) {
      const Share& share = own.share;
      const Group* w = own.weights(share.residual(l), share.residual_groups());
      const float* bias = own.biases() + share.residual_bias(l);
      each_tile(t, tiles(net_.channels), [&](int tile, int lane) {
        float sum[1][4];
        each_sum(lane, [&](int n, int r, int) { sum[0][n] = bias[tile * kTile + r]; });
        add_tiles(w + tile * steps(net_.gate) * kWarp, steps(net_.gate), lane,
                  RoundedRows{h_of(l), room_.h_row}, sum);
        each_sum(lane, [&](int n, int row, int b) {
          const int c = tile * kTile + row;
          set_x(bunch, b, step, l + 1, c, *x_of(b, c) + sum[0][n]);
        });
      });
    });
  }

  // `before` and the skips of the layers; after the net's last one through a relu.
  template <class Links>
  RTA_HD void add_skips(Links& links, int bunch, int step, const float* before, bool last) const {
    links.phase([&](Thread t) {
      const Share& share = own.share;
      const int from = port_row(net_, kSkips);
      each_tile(t, tiles(net_.skip), [&](int tile, int lane) {
        float sum[1][4];
        each_sum(lane, [&](int n, int row, int b) {
          const int s = tile * kTile + row;
          sum[0][n] = before != nullptr ? before[b * from + s] : 0.0f;
          for (int l = 0; l < share.num_layers(); ++l) {
            sum[0][n] = sum[0][n] + own.biases()[share.skip_bias(l) + s];
          }
        });
        for (int l = 0; l < share.num_layers(); ++l) {
          const Group* w = own.weights(share.skip(l), share.skip_groups());
          add_tiles(w + tile * steps(net_.gate) * kWarp, steps(net_.gate), lane,
                    RoundedRows{h_of(l), room_.h_row}, sum);
        }
        give(tile, lane, last, sum[0]);
      });
      own.advance(t, bunch, step);
    });
  }

  // This block's rows of a matrix times x.
  template <class Links>
  RTA_HD void multiply(Links& links, int m, const float* x, bool last) const {
    links.phase([&](Thread t) {
      const Share& share = own.share;
      const int rows = share.num_rows(m), depth = net_.depth(m);
      const int row = port_row(net_, matrix_input(m));
      const Group* w = own.weights(share.matrix(m), net_.matrix_groups(rows, depth));
      const float* bias = own.biases() + share.matrix_bias(m);
      each_tile(t, tiles(rows), [&](int tile, int lane) {
        float sum[1][4];
        each_sum(lane, [&](int n, int r, int) { sum[0][n] = bias[tile * kTile + r]; });
        add_tiles(w + tile * steps(depth) * kWarp, steps(depth), lane,
                  RoundedRows{reinterpret_cast<const std::uint16_t*>(x), row}, sum);
        give(tile, lane, !last, sum[0]);
      });
    });
  }

 private:
  RTA_HD static int tiles(int rows) { return divided_up(rows, kTile); }
  RTA_HD static int steps(int depth) { return divided_up(depth, kTile); }
  template <class F>
  RTA_HD static void each_tile(Thread t, int count, const F& f) {
    t.each(count * kWarp, [&](int i) { f(i / kWarp, i % kWarp); });
  }
  // f(n, row, b) for the four sums of a lane.
  template <class F>
  RTA_HD static void each_sum(int lane, const F& f) {
    RTA_UNROLL
    for (int n = 0; n < 4; ++n) f(n, gpu::tile_row(lane, n / 2), gpu::tile_output(lane) + n % 2);
  }
  RTA_HD static Four as_four(const float (&sum)[4]) { return {{sum[0], sum[1], sum[2], sum[3]}}; }

  // Both halves of a pair of tiles: what the gates need is in one thread.
  RTA_HD const Group* taps(int begin, int pair) const {
    return own.weights(begin, own.share.tap_groups()) + pair * 2 * steps(net_.channels) * kWarp;
  }
  RTA_HD Four* z_of(int i, int half, int lane) const {
    return reinterpret_cast<Four*>(own.memory + room_.z) + (2 * i + half) * kWarp + lane;
  }
  RTA_HD float* x_of(int b, int c) const { return own.memory + room_.x + b * room_.x_row + c; }
  RTA_HD std::uint16_t* rounded_x() const {
    return reinterpret_cast<std::uint16_t*>(own.memory + room_.rounded_x);
  }
  RTA_HD std::uint16_t* h_of(int l) const {
    return reinterpret_cast<std::uint16_t*>(own.memory + room_.h + l * room_.h_layer);
  }

  RTA_HD void set_x(int bunch, int b, int step, int l, int c, float value) const {
    *x_of(b, c) = value;
    rounded_x()[b * 2 * room_.rounded_x_row + c] = to_bf16(value);
    if (c < net_.channels) own.keep(bunch, b, step, l, c, value);
  }
  RTA_HD void open_gates(Thread t, int l) const {
    const int pairs = divided_up(net_.gate, kTile);
    each_tile(t, pairs, [&](int pair, int lane) {
      float sum[2][4];
      for (int half = 0; half < 2; ++half) {
        const Four z = *z_of(l * pairs + pair, half, lane);
        for (int n = 0; n < 4; ++n) sum[half][n] = z.x[n];
      }
      add_tiles(taps(own.share.newest_tap(l), pair), steps(net_.channels), lane,
                RoundedRows{rounded_x(), room_.rounded_x_row}, sum);
      each_sum(lane, [&](int n, int row, int b) {
        h_of(l)[b * 2 * room_.h_row + pair * kTile + row] =
            to_bf16(math::gated_tanh(sum[0][n], sum[1][n]));
      });
    });
  }
  // Rows for the next block or matrix, which tensor cores take rounded.
  RTA_HD void give(int tile, int lane, bool to_matrix, const float (&sum)[4]) const {
    each_sum(lane, [&](int n, int row, int b) {
      float* const to = own.memory + room_.sums + b * room_.sums_row;
      if (to_matrix) {
        reinterpret_cast<std::uint16_t*>(to)[tile * kTile + row] = to_bf16(max(0.0f, sum[n]));
      } else {
        to[tile * kTile + row] = sum[n];
      }
    });
  }

  const Net& net_;
  const Room& room_;
};

}  // namespace rtaudio::wavenet
