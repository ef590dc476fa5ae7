// What one block of the persistent WaveNet kernel does: phases, which all threads of the block run
// and then wait for one another, and messages between them. The host's emulator runs the same.
//
// `Links` is how blocks reach each other:
//   phase(f): f(Thread) by all threads, then a barrier;
//   receive(port, lane, step): waits until a message is whole; where it lies in the block's memory;
//   send(port, lane, step, from, first, last): this block's slice to blocks [first, last); a
//   barrier.
// A port has two places a lane, for even steps and odd ones. A message of a step is sent only after
// the sample before it was drawn, for which everything sent until then had to be read.
#pragma once

#include "cuda/wavenet_draw.h"

namespace rtaudio::wavenet {

// sum + w x over [begin, end), k rising; `column`: the row's first group, others `rows` apart.
template <class W>
RTA_HD float dot_of(const Group* column, int rows, const float* x, Range range, float sum) {
  for (int g = range.begin / W::kEach; g * W::kEach < range.end; ++g) {
    const Group group = column[std::int64_t{g} * rows];
    const int first = g * W::kEach;
    if (first >= range.begin && first + W::kEach <= range.end) {
      const auto* fours = reinterpret_cast<const Four*>(x + first);
      for (int f = 0; f < W::kEach / 4; ++f) {
        const Four four = fours[f];
        for (int i = 0; i < 4; ++i) sum = fma(W::at(group, 4 * f + i), four.x[i], sum);
      }
    } else {
      for (int i = 0; i < W::kEach; ++i) {
        const int k = first + i;
        if (k >= range.begin && k < range.end) sum = fma(W::at(group, i), x[k], sum);
      }
    }
  }
  return sum;
}

template <class Links>
class Block {
 public:
  // `memory`: Room::end floats, of a room for as many lanes as the call has, or more. The first
  // `resident` groups of the block's image are at `image`, all of them in the net's memory.
  RTA_HD Block(const Net& net, const Call& call, Links& links, const Room& room, int block,
               float* memory, const Group* image, int resident)
      : net_(net),
        call_(call),
        links_(links),
        share_{net, block},
        room_(room),
        memory_(memory),
        near_(image),
        far_(net.images + std::int64_t{block} * net.image_groups),
        resident_(resident) {}

  RTA_HD void run() {
    links_.phase([&](Thread t) { begin(t); });
    const int steps = call_.frames * call_.hop;
    int frame = 0, within = 0;  // of each lane's own
    const auto each_lane = [this](int step, const auto& f) {
      for (int lane = 0; lane < call_.lanes; ++lane) {
        if (step < call_.lane[lane].steps) f(lane, call_.lane[lane].first_frame);
      }
    };
    for (int step = 0; step < steps; ++step) {
      const int next = within + 1 == call_.hop ? frame + 1 : frame;
      each_lane(step, [&](int lane, int first) {
        if (step == 0 || call_.lanes > 1) sum_older_taps(lane, first + frame);
        pass_x(step, lane);
        pass_skips(step, lane);
        // A lone lane has its older taps summed while other blocks work on this sample.
        if (call_.lanes == 1 && step + 1 < call_.lane[lane].steps) {
          sum_older_taps(lane, first + next);
        }
      });
      for (int m = 0; m < net_.num_matrices; ++m) {
        each_lane(step, [&](int lane, int) { multiply(m, step, lane); });
      }
      if (share_.block == 0) {
        each_lane(step, [&](int lane, int first) { draw(step, lane, first + frame); });
      }
      within = within + 1 == call_.hop ? 0 : within + 1;
      frame = next;
    }
    links_.phase([&](Thread t) { end(t); });
  }

 private:
  RTA_HD float dot(const Group* column, int rows, const float* x, Range range, float sum) const {
    return net_.halves ? dot_of<Halves>(column, rows, x, range, sum)
                       : dot_of<Floats>(column, rows, x, range, sum);
  }
  // Groups of a matrix, near if all of it is.
  RTA_HD const Group* weights(int begin, int groups) const {
    return begin + groups <= resident_ ? near_ + begin : far_ + begin;
  }
  RTA_HD const float* biases() const {
    const bool near = divided_up(share_.matrix_bias(net_.num_matrices), 4) <= resident_;
    return reinterpret_cast<const float*>(near ? near_ : far_);
  }
  RTA_HD float* slot(int lane, int l) const {
    return memory_ + room_.slots + lane * share_.num_layers() + l;
  }
  RTA_HD float* ring(int lane, int l) const {
    return call_.rings + lane * call_.ring_lane + net_.ring_offsets[share_.first_layer() + l];
  }
  // Row of a step: those of the older taps are `tap * dilation` rows on, in turn.
  RTA_HD float* ring_row(int lane, int l, int tap) const {
    const int layer = share_.first_layer() + l, frames = net_.ring_frames(layer);
    int row = static_cast<int>(*slot(lane, l)) + tap * net_.dilations[layer];
    if (row >= frames) row -= frames;
    return ring(lane, l) + std::int64_t{row} * net_.ring_row();
  }

  RTA_HD void begin(Thread t) const {
    t.each(call_.lanes * net_.width, [&](int i) { memory_[room_.values + i] = *value_of(i); });
    t.each(call_.lanes * share_.num_layers(), [&](int i) {
      const int frames = net_.ring_frames(share_.first_layer() + i % share_.num_layers());
      const std::int64_t position = call_.lane[i / share_.num_layers()].position;
      memory_[room_.slots + i] = frames == 0 ? 0.0f : static_cast<float>(position % frames);
    });
  }
  RTA_HD void end(Thread t) const {
    if (share_.block != 0) return;
    t.each(call_.lanes * net_.width, [&](int i) { *value_of(i) = memory_[room_.values + i]; });
  }

  RTA_HD float* value_of(int i) const {
    return call_.values + i / net_.width * call_.values_lane + i % net_.width;
  }

  // Of all layers: the condition and the taps that are known before the sample is.
  RTA_HD void sum_older_taps(int lane, int frame) {
    links_.phase([&](Thread t) {
      const int rows = 2 * net_.gate, parts = net_.conv_parts();
      const float* condition = call_.condition + lane * call_.condition_lane +
                               frame * call_.condition_row + share_.first_layer() * rows;
      t.each(share_.num_layers() * parts * rows, [&](int i) {
        const int row = i % rows, part = i / rows % parts, l = i / rows / parts;
        float sum = part == 0 ? condition[l * rows + row] : 0.0f;
        for (int tap = 0; tap < net_.kernel - 1; ++tap) {
          const Group* w = weights(share_.older_tap(l, tap), share_.tap_groups());
          sum = dot(w + row, rows, ring_row(lane, l, tap),
                    net_.range(tap, net_.kernel, net_.channels, part, parts), sum);
        }
        memory_[room_.z + i] = sum;
      });
    });
  }

  // x through this block's layers and on to the next block.
  RTA_HD void pass_x(int step, int lane) {
    const float* before = share_.block > 0 ? links_.receive(kX, lane, step) : nullptr;
    links_.phase([&](Thread t) {
      t.each(net_.channels,
             [&](int c) { set_x(lane, 0, c, before != nullptr ? before[c] : embedded(lane, c)); });
    });
    const int layers = share_.num_layers();
    for (int l = 0; l < layers; ++l) {
      links_.phase([&](Thread t) { add_newest_tap(t, l); });
      links_.phase([&](Thread t) { open_gates(t, l); });
      if (share_.first_layer() + l + 1 == net_.num_layers) break;
      links_.phase([&](Thread t) { make_residual(t, l); });
      links_.phase([&](Thread t) {
        const int parts = net_.residual_parts();
        t.each(net_.channels, [&](int c) {
          const float* sums = memory_ + room_.residual + c;
          set_x(lane, l + 1, c, memory_[room_.x + c] + sum_pairs(sums, net_.channels, parts));
        });
      });
    }
    if (share_.block + 1 < net_.blocks) {
      links_.send(kX, lane, step, memory_ + room_.x, share_.block + 1, share_.block + 2);
    }
  }
  // The input of a layer, which may be another block's.
  RTA_HD void set_x(int lane, int l, int c, float value) const {
    memory_[room_.x + c] = value;
    if (net_.kernel > 1 && l < share_.num_layers()) ring_row(lane, l, 0)[c] = value;
  }
  RTA_HD float embedded(int lane, int c) const {
    const float* values = memory_ + room_.values + lane * net_.width;
    if (net_.levels > 0) {  // what is no code counts as 0
      const float value = values[0] + 0.5f;
      const bool known = value >= 0.0f && value < static_cast<float>(net_.levels);
      return net_.embedding[(known ? static_cast<int>(value) : 0) * net_.channels + c];
    }
    // As the CPU sums, in the one mode as in the other.
    const int parts = num_splits(net_.channels, net_.width);
    const int length = divided_up(net_.width, parts);
    float sum = 0.0f, half = 0.0f;
    for (int part = 0; part < parts; ++part) {
      float own = part == 0 ? net_.embedding[net_.width * net_.channels + c] : 0.0f;
      for (int k = part * length; k < net_.width && k < (part + 1) * length; ++k) {
        own = fma(net_.embedding[k * net_.channels + c], values[k], own);
      }
      half = part % 2 == 0 ? own : half + own;  // pair by pair
      if (part % 2 == 1 || parts == 1) sum = part < 2 ? half : sum + half;
    }
    return sum;
  }
  RTA_HD void add_newest_tap(Thread t, int l) const {
    const int rows = 2 * net_.gate, parts = net_.conv_parts();
    const Group* w = weights(share_.newest_tap(l), share_.tap_groups());
    float* z = memory_ + room_.z + l * parts * rows;
    t.each(parts * rows, [&](int i) {
      z[i] = dot(w + i % rows, rows, memory_ + room_.x,
                 net_.range(net_.kernel - 1, net_.kernel, net_.channels, i / rows, parts), z[i]);
    });
  }
  RTA_HD void open_gates(Thread t, int l) const {
    const int rows = 2 * net_.gate, parts = net_.conv_parts();
    const float* z = memory_ + room_.z + l * parts * rows;
    t.each(net_.gate, [&](int g) {
      memory_[room_.h + l * padded(net_.gate, 4) + g] = math::gated_tanh(
          sum_pairs(z + g, rows, parts), sum_pairs(z + net_.gate + g, rows, parts));
    });
  }
  RTA_HD void make_residual(Thread t, int l) const {
    const int rows = net_.channels, parts = net_.residual_parts();
    const Group* w = weights(share_.residual(l), net_.groups(net_.gate) * rows);
    const float* bias = biases() + share_.layer_bias(l);
    t.each(parts * rows, [&](int i) {
      memory_[room_.residual + i] =
          dot(w + i % rows, rows, memory_ + room_.h + l * padded(net_.gate, 4),
              net_.range(0, 1, net_.gate, i / rows, parts), i < rows ? bias[i] : 0.0f);
    });
  }

  // The sum of the skips so far and of this block's layers; that of all goes to every block.
  RTA_HD void pass_skips(int step, int lane) {
    const int rows = net_.skip, parts = net_.skip_parts(), layers = share_.num_layers();
    links_.phase([&](Thread t) {
      t.each(layers * parts * rows, [&](int i) {
        const int row = i % rows, part = i / rows % parts, l = i / rows / parts;
        const Group* w = weights(share_.skip(l), net_.groups(net_.gate) * rows);
        const float* bias = biases() + share_.layer_bias(l) + net_.channels;
        memory_[room_.skips + i] =
            dot(w + row, rows, memory_ + room_.h + l * padded(net_.gate, 4),
                net_.range(0, 1, net_.gate, part, parts), part == 0 ? bias[row] : 0.0f);
      });
    });
    const float* before = share_.block > 0 ? links_.receive(kSkips, lane, step) : nullptr;
    const bool last = share_.block + 1 == net_.blocks;
    links_.phase([&](Thread t) {
      t.each(rows, [&](int s) {
        float sum = before != nullptr ? before[s] : 0.0f;
        for (int l = 0; l < layers; ++l) {
          const float own = sum_pairs(memory_ + room_.skips + l * parts * rows + s, rows, parts);
          sum = before == nullptr && l == 0 ? own : sum + own;
        }
        memory_[room_.sums + s] = last ? max(0.0f, sum) : sum;
      });
      t.each(layers, [&](int l) {  // the next step's rows
        const int frames = net_.ring_frames(share_.first_layer() + l);
        float* at = slot(lane, l);
        *at = *at + 1.0f < static_cast<float>(frames) ? *at + 1.0f : 0.0f;
      });
    });
    const float* sums = memory_ + room_.sums;
    if (last) {
      links_.send(matrix_input(0), lane, step, sums, 0, net_.blocks);
    } else {
      links_.send(kSkips, lane, step, sums, share_.block + 1, share_.block + 2);
    }
  }

  // This block's rows of a matrix behind the skips: to all blocks, or parameters to the first.
  RTA_HD void multiply(int m, int step, int lane) {
    const float* x = links_.receive(matrix_input(m), lane, step);
    const int rows = share_.num_rows(m), parts = net_.matrix_parts(m), depth = net_.depth(m);
    const bool last = m + 1 == net_.num_matrices;
    links_.phase([&](Thread t) {
      const Group* w = weights(share_.matrix(m), net_.groups(depth) * rows);
      const float* bias = biases() + share_.matrix_bias(m);
      t.each(parts * rows, [&](int i) {
        memory_[room_.skips + i] =
            dot(w + i % rows, rows, x, net_.range(0, 1, depth, i / rows, parts),
                i < rows ? bias[i] : 0.0f);
      });
    });
    links_.phase([&](Thread t) {
      t.each(rows, [&](int i) {
        const float y = sum_pairs(memory_ + room_.skips + i, rows, parts);
        memory_[room_.sums + i] = last ? y : max(0.0f, y);
      });
    });
    links_.send(matrix_input(m + 1), lane, step, memory_ + room_.sums, 0, last ? 1 : net_.blocks);
  }

  RTA_HD void draw(int step, int lane, int frame) {
    const float* parameters = links_.receive(matrix_input(net_.num_matrices), lane, step);
    Drawer<Links>{net_,
                  call_,
                  links_,
                  memory_ + room_.scores,
                  parameters,
                  lane,
                  call_.lane[lane].position + step}
        .run(step, frame, memory_ + room_.values + lane * net_.width);
  }

  const Net& net_;
  const Call& call_;
  Links& links_;
  Share share_;
  const Room& room_;
  float* memory_;
  const Group* near_;
  const Group* far_;
  int resident_;
};

}  // namespace rtaudio::wavenet
