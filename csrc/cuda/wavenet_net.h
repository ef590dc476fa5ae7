// An autoregressive WaveNet in a persistent kernel: sizes, and where everything lies. The layers
// are dealt to blocks in order; a sample's x and the sum of its skips go from block to block, and
// every block has some rows of each matrix behind the skips. So each weight has one place, from
// which it need not move, and a stream crosses blocks once each, not once a layer (nv-wavenet) or
// at every barrier.
#pragma once

#include <cstdint>

#include "core/heads.h"
#include "core/sum_tree.h"

namespace rtaudio::wavenet {

constexpr int kMaxMatrices = 8;
constexpr int kMaxParts = 8;

// Weights of one row for some inputs that follow one another; the same of the next row is next.
struct alignas(16) Group {
  std::uint32_t words[4];
};
struct alignas(16) Four {
  float x[4];
};
struct Floats {
  static constexpr int kEach = 4;
  RTA_HD static float at(const Group& group, int i) { return as_float(group.words[i]); }
};
struct Halves {  // bf16
  static constexpr int kEach = 8;
  RTA_HD static float at(const Group& group, int i) {
    const std::uint32_t word = group.words[i / 2];
    return as_float(i % 2 == 0 ? word << 16 : word & 0xffff0000u);
  }
};

RTA_HD int divided_up(int n, int by) { return (n + by - 1) / by; }
RTA_HD int padded(int n, int to) { return divided_up(n, to) * to; }
// The first of `count` that block b of `blocks` has.
RTA_HD int share_begin(int count, int blocks, int b) {
  return static_cast<int>(std::int64_t{count} * b / blocks);
}

struct Range {
  int begin, end;
};

// A network, its pointers in one memory. `images`: of each block the biases and weights it has.
struct Net {
  int channels, gate, skip, kernel, num_layers;
  int num_matrices;        // behind the skips, each after a relu
  int rows[kMaxMatrices];  // the last one's are the parameters
  int width;               // values of a step
  int levels;              // of the embedding of codes; 0: a matrix times the values, and a bias
  bool halves;
  bool strict;  // sums in the CPU's order, and so its bits; else in parts that suit the threads
  int blocks;
  bool softmax;  // which of the two heads counts
  heads::Softmax codes;
  heads::Mixture mixture;
  const int* dilations;              // [layers]
  const std::int64_t* ring_offsets;  // [layers], floats into a lane's rings
  const float* embedding;            // [levels or width][channels], then [channels] of bias
  const Group* images;
  int image_groups;  // from one block's image to the next

  RTA_HD int each() const { return halves ? Halves::kEach : Floats::kEach; }
  RTA_HD int groups(int depth) const { return divided_up(depth, each()); }
  RTA_HD int ring_row() const { return padded(channels, 4); }
  RTA_HD int ring_frames(int layer) const { return (kernel - 1) * dilations[layer]; }
  RTA_HD int depth(int matrix) const { return matrix == 0 ? skip : rows[matrix - 1]; }
  RTA_HD int num_parameters() const { return rows[num_matrices - 1]; }

  // Sums of a row that threads make apart. `here`: the rows that one block has.
  RTA_HD int parts(int outputs, int depth, int here) const {
    if (strict) return num_splits(outputs, depth);
    int count = 1;
    while (count < kMaxParts && 2 * count * here <= 512 && depth / count >= 32) count *= 2;
    return count;
  }
  RTA_HD int conv_parts() const { return parts(2 * padded(gate, 16), kernel * channels, 2 * gate); }
  RTA_HD int residual_parts() const {
    return parts(padded(channels, 16) + padded(skip, 16), gate, channels);
  }
  RTA_HD int skip_parts() const {
    return parts(padded(channels, 16) + padded(skip, 16), gate, skip);
  }
  RTA_HD int matrix_parts(int m) const {
    return parts(rows[m], depth(m), divided_up(rows[m], blocks));
  }
  // The inputs of tap `tap` of `taps` that one of these sums has.
  RTA_HD Range range(int tap, int taps, int inputs, int part, int num_parts) const {
    int length, begin;
    if (strict) {
      length = divided_up(taps * inputs, num_parts);
      begin = part * length - tap * inputs;
    } else {
      length = divided_up(groups(inputs), num_parts) * each();
      begin = part * length;
    }
    const auto inside = [inputs](int k) { return k < 0 ? 0 : k < inputs ? k : inputs; };
    return {inside(begin), inside(begin + length)};
  }
};

// What one block has, and where in its image, in groups: biases; of each layer what a sample waits
// for (the newest tap, the residual); of each layer the rest (older taps, skip); rows of matrices.
struct Share {
  const Net& net;
  int block;

  RTA_HD int first_layer() const { return share_begin(net.num_layers, net.blocks, block); }
  RTA_HD int num_layers() const {
    return share_begin(net.num_layers, net.blocks, block + 1) - first_layer();
  }
  RTA_HD int first_row(int m) const { return share_begin(net.rows[m], net.blocks, block); }
  RTA_HD int num_rows(int m) const {
    return share_begin(net.rows[m], net.blocks, block + 1) - first_row(m);
  }

  // Biases, in floats: [layer][residual; skip], then of each matrix.
  RTA_HD int layer_bias(int l) const { return l * (net.channels + net.skip); }
  RTA_HD int matrix_bias(int m) const {
    int at = layer_bias(num_layers());
    for (int i = 0; i < m; ++i) at += num_rows(i);
    return at;
  }

  RTA_HD int tap_groups() const { return net.groups(net.channels) * 2 * net.gate; }
  RTA_HD int near_groups() const { return tap_groups() + net.groups(net.gate) * net.channels; }
  RTA_HD int far_groups() const {
    return (net.kernel - 1) * tap_groups() + net.groups(net.gate) * net.skip;
  }
  RTA_HD int newest_tap(int l) const {
    return divided_up(matrix_bias(net.num_matrices), 4) + l * near_groups();
  }
  RTA_HD int residual(int l) const { return newest_tap(l) + tap_groups(); }
  RTA_HD int older_tap(int l, int tap) const {
    return newest_tap(num_layers()) + l * far_groups() + tap * tap_groups();
  }
  RTA_HD int skip(int l) const { return older_tap(l, net.kernel - 1); }
  RTA_HD int matrix(int m) const {
    int at = older_tap(num_layers(), 0);
    for (int i = 0; i < m; ++i) at += net.groups(net.depth(i)) * num_rows(i);
    return at;
  }
  RTA_HD int end() const { return matrix(net.num_matrices); }
};

// What blocks send one another, of one lane and step.
struct Port {
  int number;
};
constexpr Port kX{0};                                // to the next block
constexpr Port kSkips{1};                            // likewise: the sum so far
RTA_HD Port matrix_input(int m) { return {2 + m}; }  // to all; m = num_matrices: the parameters

RTA_HD int num_ports(const Net& net) { return 3 + net.num_matrices; }
RTA_HD int port_floats(const Net& net, Port port) {
  if (port.number == kX.number) return net.channels;
  return port.number <= 2 ? net.skip : net.rows[port.number - 3];
}
// Which floats of a message block `from` sends.
RTA_HD Range slice(const Net& net, Port port, int from) {
  if (port.number > 2) {
    const Share share{net, from};
    const int begin = share.first_row(port.number - 3);
    return {begin, begin + share.num_rows(port.number - 3)};
  }
  return {0, port_floats(net, port)};
}
// The blocks that send `to` what arrives at a port: [begin, end).
RTA_HD Range senders(const Net& net, Port port, int to) {
  if (port.number < 2) return {to - 1, to};
  return port.number == 2 ? Range{net.blocks - 1, net.blocks} : Range{0, net.blocks};
}

// Where a block's own memory has what, in floats.
struct Room {
  int values, slots, x, z, h, residual, skips, sums, scores, inbox, end;
  int lane_inbox;  // from a lane's inbox of one parity to the next

  RTA_HD Room(const Net& net, int lanes) {
    const int layers = divided_up(net.num_layers, net.blocks);
    int most = net.skip;
    int parts = 1;
    for (int m = 0; m < net.num_matrices; ++m) {
      const int here = divided_up(net.rows[m], net.blocks);
      most = here > most ? here : most;
      parts = net.matrix_parts(m) > parts ? net.matrix_parts(m) : parts;
    }
    values = 0;
    slots = values + padded(lanes * net.width, 4);
    x = slots + padded(lanes * layers, 4);
    z = x + padded(net.channels, 4);
    h = z + padded(layers * net.conv_parts() * 2 * net.gate, 4);
    residual = h + layers * padded(net.gate, 4);
    skips = residual + padded(net.residual_parts() * net.channels, 4);
    const int skip_floats = layers * net.skip_parts() * net.skip;
    sums = skips + padded(skip_floats > parts * most ? skip_floats : parts * most, 4);
    scores = sums + padded(most, 4);
    inbox = scores + padded(net.num_parameters() + 2 * sampler::kRuns, 4);
    lane_inbox = 0;
    for (int i = 0; i < num_ports(net); ++i) lane_inbox += padded(port_floats(net, {i}), 4);
    end = inbox + 2 * lanes * lane_inbox;
  }

  RTA_HD int arrival(const Net& net, Port port, int lane, int parity) const {
    int at = inbox + (2 * lane + parity) * lane_inbox;
    for (int i = 0; i < port.number; ++i) at += padded(port_floats(net, {i}), 4);
    return at;
  }
};

// A lane at the begin of a call.
struct Lane {
  noise::Source source;
  std::int64_t position;  // steps made
  const float* prompt;    // the values of the first steps, which are not drawn then
  std::int64_t prompt_steps;
  int first_frame, steps;  // of the call, that the lane makes
};

// `hop` steps for each of up to `frames` conditions, for each lane.
struct Call {
  int lanes, frames, hop;
  bool voiced;             // a condition ends with that flag
  const float* condition;  // [lane][frame][layer][2 * gate], then the flag
  std::int64_t condition_lane, condition_row;
  const Lane* lane;
  float* rings;  // a lane's rows before, of each layer a ring
  std::int64_t ring_lane;
  float* values;  // [lane][width], of the step before
  std::int64_t values_lane;
  float* audio;  // [lane][step][width]
  std::int64_t audio_lane, audio_row;

  RTA_HD Call some(int first, int count) const {
    Call part = *this;
    part.lanes = count;
    part.condition += first * condition_lane;
    part.lane += first;
    part.rings += first * ring_lane;
    part.values += first * values_lane;
    part.audio += first * audio_lane;
    return part;
  }
};

}  // namespace rtaudio::wavenet
