// The products of the persistent WaveNet kernel one sum at a time: a thread has a row, or a part of
// one, for some lanes of a bunch, each in the order of sums that a lone lane has.
#pragma once

#include "cuda/wavenet_own.h"

namespace rtaudio::wavenet {

// A bunch's inputs in the block's memory, and in its layers' rings.
struct NearRows {
  const float* first;
  int row;

  RTA_HD const float* at(int lane) const { return first + lane * row; }
};
template <int kLanes>
struct RingRows {
  const float* first[kLanes];

  RTA_HD const float* at(int lane) const { return first[lane]; }
};

// sum[lane] + w x[lane] over [begin, end), k rising; `column`: the row's first group, others `rows`
// apart.
template <class W, int kLanes, class X>
RTA_HD void add_dots(const Group* column, int rows, const X& x, Range range, float (&sum)[kLanes]) {
  for (int g = range.begin / W::kEach; g * W::kEach < range.end; ++g) {
    const Group group = column[std::int64_t{g} * rows];
    const int first = g * W::kEach;
    if (first >= range.begin && first + W::kEach <= range.end) {
      for (int lane = 0; lane < kLanes; ++lane) {
        for (int f = 0; f < W::kEach; f += 4) {
          const Four four = *reinterpret_cast<const Four*>(x.at(lane) + first + f);
          for (int i = 0; i < 4; ++i) sum[lane] = fma(W::at(group, f + i), four.x[i], sum[lane]);
        }
      }
    } else {
      for (int lane = 0; lane < kLanes; ++lane) {
        const float* const own = x.at(lane) + first;
        for (int i = 0; i < W::kEach; ++i) {
          const bool inside = first + i >= range.begin && first + i < range.end;
          if (inside) sum[lane] = fma(W::at(group, i), own[i], sum[lane]);
        }
      }
    }
  }
}

template <int B>
class Sums {
 public:
  static constexpr int kLanes = B;
  static constexpr int kUnit = 1;  // floats of a message that go together

  RTA_HD explicit Sums(const Own<B>& block) : own(block), net_(block.net), room_(block.room) {}

  Own<B> own;

  // Of all layers: the condition and the taps that are known before the sample is.
  template <class Links>
  RTA_HD void sum_older_taps(Links& links, int bunch, int step) const {
    links.phase([&](Thread t) {
      const int rows = 2 * net_.gate, parts = net_.conv_parts(), frame = step / own.call.hop;
      const int all = own.share.num_layers() * parts * rows;
      t.template each_of<B / kSome>(all, [&](int some, int i) {
        const int row = i % rows, part = i / rows % parts, l = i / rows / parts;
        float sum[kSome];
        RingRows<kSome> x;
        for (int b = 0; b < kSome; ++b) {
          const int lane = own.lane(bunch, some * kSome + b);
          sum[b] = part == 0 ? own.layers_condition(lane, frame)[l * rows + row] : 0.0f;
        }
        for (int tap = 0; tap < net_.kernel - 1; ++tap) {
          const Group* w = own.weights(own.share.older_tap(l, tap), own.share.tap_groups());
          for (int b = 0; b < kSome; ++b) {
            x.first[b] = own.ring_row(own.lane(bunch, some * kSome + b), l, tap);
          }
          add(w + row, rows, x, net_.range(tap, net_.kernel, net_.channels, part, parts), sum);
        }
        put(sum, room_.z + i, room_.z_row, some);
      });
    });
  }

  // The first layer's input, from the block before if there is one.
  template <class Links>
  RTA_HD void begin(Links& links, int bunch, int step, const float* before) const {
    links.phase([&](Thread t) {
      t.template each_of<B>(net_.channels, [&](int b, int c) {
        set_x(
            bunch, b, step, 0, c,
            before != nullptr ? before[b * room_.x_row + c] : own.embedded(own.lane(bunch, b), c));
      });
    });
  }
  // Layer l; the next one's input, unless it is the last.
  template <class Links>
  RTA_HD void pass_layer(Links& links, int bunch, int step, int l, bool last) const {
    links.phase([&](Thread t) { add_newest_tap(t, l); });
    links.phase([&](Thread t) { open_gates(t, l); });
    if (last) return;
    links.phase([&](Thread t) {
      const Share& share = own.share;
      multiply_rows(t, own.weights(share.residual(l), share.residual_groups()),
                    own.biases() + share.residual_bias(l), net_.channels, net_.gate,
                    net_.residual_parts(), own.memory + room_.h + l * room_.h_layer, room_.h_row,
                    room_.residual, room_.residual_row);
    });
    links.phase([&](Thread t) {
      t.template each_of<B>(net_.channels, [&](int b, int c) {
        const float* sums = at(room_.residual + c, room_.residual_row, b);
        set_x(bunch, b, step, l + 1, c,
              *at(room_.x + c, room_.x_row, b) +
                  sum_pairs(sums, net_.channels, net_.residual_parts()));
      });
    });
  }

  // `before` and the skips of the layers; after the net's last one through a relu.
  template <class Links>
  RTA_HD void add_skips(Links& links, int bunch, int step, const float* before, bool last) const {
    const int rows = net_.skip, parts = net_.skip_parts(), layers = own.share.num_layers();
    const int row = port_row(net_, kSkips);
    links.phase([&](Thread t) {
      t.template each_of<B / kSome>(layers * parts * rows, [&](int some, int i) {
        const int s = i % rows, part = i / rows % parts, l = i / rows / parts;
        const Share& share = own.share;
        const Group* w = own.weights(share.skip(l), share.skip_groups());
        const float* bias = own.biases() + share.skip_bias(l);
        multiply_row(w, bias, s, rows, net_.range(0, 1, net_.gate, part, parts), part == 0,
                     own.memory + room_.h + l * room_.h_layer, room_.h_row, room_.skips + i,
                     room_.skips_row, some);
      });
    });
    links.phase([&](Thread t) {
      t.template each_of<B>(rows, [&](int b, int s) {
        const float* sums = at(room_.skips + s, room_.skips_row, b);
        float sum = sum_pairs(sums, rows, parts);
        if (before != nullptr) sum = before[b * row + s] + sum;
        for (int l = 1; l < layers; ++l)
          sum = sum + sum_pairs(sums + l * parts * rows, rows, parts);
        *at(room_.sums + s, room_.sums_row, b) = last ? max(0.0f, sum) : sum;
      });
      own.advance(t, bunch, step);
    });
  }

  // This block's rows of a matrix times x.
  template <class Links>
  RTA_HD void multiply(Links& links, int m, const float* x, bool last) const {
    const int rows = own.share.num_rows(m), parts = net_.matrix_parts(m), depth = net_.depth(m);
    links.phase([&](Thread t) {
      const Share& share = own.share;
      multiply_rows(t, own.weights(share.matrix(m), net_.matrix_groups(rows, depth)),
                    own.biases() + share.matrix_bias(m), rows, depth, parts, x,
                    port_row(net_, matrix_input(m)), room_.skips, room_.skips_row);
    });
    links.phase([&](Thread t) {
      t.template each_of<B>(rows, [&](int b, int i) {
        const float y = sum_pairs(at(room_.skips + i, room_.skips_row, b), rows, parts);
        *at(room_.sums + i, room_.sums_row, b) = last ? y : max(0.0f, y);
      });
    });
  }

 private:
  // Lanes of a thread at once, which read each weight once: as many as have registers.
  static constexpr int kSome = B < 4 ? B : 4;

  RTA_HD float* at(int first, int row, int b) const { return own.memory + first + b * row; }
  RTA_HD void put(const float (&sum)[kSome], int first, int row, int some) const {
    for (int b = 0; b < kSome; ++b) *at(first, row, some * kSome + b) = sum[b];
  }
  template <class X>
  RTA_HD void add(const Group* column, int rows, const X& x, Range range,
                  float (&sum)[kSome]) const {
    if (net_.halves) {
      add_dots<Halves>(column, rows, x, range, sum);
    } else {
      add_dots<Floats>(column, rows, x, range, sum);
    }
  }
  RTA_HD void multiply_row(const Group* w, const float* bias, int row, int rows, Range range,
                           bool first, const float* x, int x_row, int to, int to_row,
                           int some) const {
    float sum[kSome];
    for (int b = 0; b < kSome; ++b) sum[b] = first ? bias[row] : 0.0f;
    add(w + row, rows, NearRows{x + some * kSome * x_row, x_row}, range, sum);
    put(sum, to, to_row, some);
  }
  // All parts of all rows.
  RTA_HD void multiply_rows(Thread t, const Group* w, const float* bias, int rows, int depth,
                            int parts, const float* x, int x_row, int to, int to_row) const {
    t.template each_of<B / kSome>(parts * rows, [&](int some, int i) {
      multiply_row(w, bias, i % rows, rows, net_.range(0, 1, depth, i / rows, parts), i < rows, x,
                   x_row, to + i, to_row, some);
    });
  }

  RTA_HD void set_x(int bunch, int b, int step, int l, int c, float value) const {
    *at(room_.x + c, room_.x_row, b) = value;
    own.keep(bunch, b, step, l, c, value);
  }
  RTA_HD void add_newest_tap(Thread t, int l) const {
    const int rows = 2 * net_.gate, parts = net_.conv_parts();
    const Group* w = own.weights(own.share.newest_tap(l), own.share.tap_groups());
    const int z = room_.z + l * parts * rows;
    t.template each_of<B / kSome>(parts * rows, [&](int some, int i) {
      float sum[kSome];
      for (int b = 0; b < kSome; ++b) sum[b] = *at(z + i, room_.z_row, some * kSome + b);
      const NearRows x{own.memory + room_.x + some * kSome * room_.x_row, room_.x_row};
      add(w + i % rows, rows, x,
          net_.range(net_.kernel - 1, net_.kernel, net_.channels, i / rows, parts), sum);
      put(sum, z + i, room_.z_row, some);
    });
  }
  RTA_HD void open_gates(Thread t, int l) const {
    const int rows = 2 * net_.gate, parts = net_.conv_parts();
    t.template each_of<B>(net_.gate, [&](int b, int g) {
      const float* z = at(room_.z + l * parts * rows + g, room_.z_row, b);
      *at(room_.h + l * room_.h_layer + g, room_.h_row, b) =
          math::gated_tanh(sum_pairs(z, rows, parts), sum_pairs(z + net_.gate, rows, parts));
    });
  }

  const Net& net_;
  const Room& room_;
};

}  // namespace rtaudio::wavenet
