// W x and U h of a recurrent layer, every gate padded to whole vectors.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {

// Tensors weight_ih [gates * hidden, inputs], weight_hh [gates * hidden, hidden], bias_ih, bias_hh,
// with `suffix` behind their names.
class GateWeights {
 public:
  GateWeights(const LayerContext& context, int gates, int inputs, int hidden,
              const std::string& suffix = {})
      : inputs_(inputs),
        hidden_(hidden),
        stride_((hidden + 15) / 16 * 16),
        wx_(pack(context, "ih" + suffix, gates, inputs)),
        uh_(pack(context, "hh" + suffix, gates, hidden)) {}

  int inputs() const { return inputs_; }
  std::ptrdiff_t stride() const { return stride_; }
  const PackedMatrix& wx() const { return wx_.view(); }
  const PackedMatrix& uh() const { return uh_.view(); }

  // The same on a GPU; an rnn's function is relu or else tanh.
  gpu::Matrix wx(Recorder& to) const { return to.matrix(wx_); }
  gpu::Cell cell(Recorder& to, gpu::Cell::Kind kind, bool is_relu) const {
    return {kind, is_relu, hidden_, stride_, to.matrix(uh_)};
  }
  // Steps of `rows` rows a frame, each of its own part of the frame's channels, along all frames:
  // from the states [row] h, [row] c to the output.
  void record(Recorder& to, gpu::Cell::Kind kind, bool is_relu, int rows) const;

 private:
  PackedWeights pack(const LayerContext& context, const std::string& name, int gates,
                     int depth) const {
    const float* weight = context.tensor("weight_" + name, {gates * hidden_, depth});
    const float* bias = context.tensor("bias_" + name, {gates * hidden_});
    std::vector<float> rows(static_cast<std::size_t>(gates * stride_) *
                            static_cast<std::size_t>(depth));
    std::vector<float> biases(static_cast<std::size_t>(gates * stride_));
    for (int o = 0; o < gates * hidden_; ++o) {
      const std::ptrdiff_t to = o / hidden_ * stride_ + o % hidden_;
      biases[static_cast<std::size_t>(to)] = bias[o];
      std::copy_n(weight + std::ptrdiff_t{o} * depth, depth, rows.begin() + to * depth);
    }
    return pack_matrix(rows.data(), gates * stride_, depth, biases.data(),
                       context.format("weight_" + name, depth));
  }

  int inputs_;
  int hidden_;
  int stride_;
  PackedWeights wx_;
  PackedWeights uh_;
};

// A recorded input's frames in `rows` equal parts, one after the other.
gpu::Window parts_of_input(Recorder& to, int rows);

// A cell's steps, with as many threads as suit its units.
template <class W>
void record_walk(Recorder& to, const gpu::Cell& cell, const W& walk) {
  if (cell.hidden <= gpu::kFewUnits) {
    to.add(gpu::Walk<gpu::kFewUnits>(cell, walk));
  } else {
    to.add(gpu::Walk<gpu::kManyUnits>(cell, walk));
  }
}

}  // namespace rtaudio
