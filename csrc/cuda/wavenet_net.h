// An autoregressive WaveNet in a persistent kernel: sizes, and where weights lie. The layers
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
constexpr int kTile = 16;  // rows and depth of a tensor core's weights
constexpr int kWarp = 32;

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
  return static_cast<int>(static_cast<unsigned>(count) * static_cast<unsigned>(b) /
                          static_cast<unsigned>(blocks));
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
  bool tiles;   // or in tiles by tensor cores, of inputs that are rounded to bf16
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
  // Rows as they are stored: tiles are whole.
  RTA_HD int whole(int rows) const { return tiles ? padded(rows, kTile) : rows; }
  RTA_HD int matrix_groups(int rows, int depth) const {
    return tiles ? divided_up(rows, kTile) * divided_up(depth, kTile) * kWarp
                 : groups(depth) * rows;
  }
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
  RTA_HD int first_row(int m) const { return row_of(m, block); }
  RTA_HD int num_rows(int m) const { return row_of(m, block + 1) - first_row(m); }

  // Biases, in floats: [layer][residual; skip], then of each matrix.
  RTA_HD int residual_bias(int l) const {
    return l * (net.whole(net.channels) + net.whole(net.skip));
  }
  RTA_HD int skip_bias(int l) const { return residual_bias(l) + net.whole(net.channels); }
  RTA_HD int matrix_bias(int m) const {
    int at = residual_bias(num_layers());
    for (int i = 0; i < m; ++i) at += net.whole(num_rows(i));
    return at;
  }

  RTA_HD int tap_groups() const { return 2 * net.matrix_groups(net.gate, net.channels); }
  RTA_HD int residual_groups() const { return net.matrix_groups(net.channels, net.gate); }
  RTA_HD int skip_groups() const { return net.matrix_groups(net.skip, net.gate); }
  RTA_HD int near_groups() const { return tap_groups() + residual_groups(); }
  RTA_HD int far_groups() const { return (net.kernel - 1) * tap_groups() + skip_groups(); }
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
    for (int i = 0; i < m; ++i) at += net.matrix_groups(num_rows(i), net.depth(i));
    return at;
  }
  RTA_HD int end() const { return matrix(net.num_matrices); }

 private:
  // The first row of a matrix that block b has: whole tiles each.
  RTA_HD int row_of(int m, int b) const {
    const int unit = net.tiles ? kTile : 1;
    const int row = share_begin(divided_up(net.rows[m], unit), net.blocks, b) * unit;
    return row < net.rows[m] ? row : net.rows[m];
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
