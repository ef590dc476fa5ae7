// A WaveNet's weights, packed for the persistent kernel.
#pragma once

#include <string>
#include <vector>

#include "cuda/wavenet_net.h"

namespace rtaudio::wavenet {

// As a program names them: matrices [outputs][inputs], convolutions [outputs][inputs][kernel].
struct Weights {
  struct Layer {
    int dilation;
    const float* conv;      // [2 * gate][channels][kernel]
    const float* out;       // [channels + skip][gate]
    const float* out_bias;  // [channels + skip]
  };
  struct Matrix {
    int rows;
    const float* weight;
    const float* bias;  // null: none
  };
  int channels = 0, gate = 0, skip = 0, kernel = 0;
  std::vector<Layer> layers;
  std::vector<Matrix> matrices;
  int width = 1;
  int levels = 0;  // 0: `embedding` is a matrix of `width` inputs
  const float* embedding = nullptr;
  const float* embedding_bias = nullptr;
  bool halves = false;  // stored in bf16
  bool dot = false;     // inputs too
  bool softmax = false;
  heads::Softmax codes{};  // with its table
  heads::Mixture mixture{};
};

// Everything that a Net points at, but the table of codes; on the host.
struct Packed {
  std::vector<int> dilations;
  std::vector<std::int64_t> ring_offsets;
  std::int64_t ring_floats = 0;  // of a lane
  std::vector<float> embedding;
  std::vector<Group> images;
  Net net;  // points at these
};

// Throws std::invalid_argument for what a kernel has no room for.
Packed pack(const Weights& weights, int blocks, bool strict);

}  // namespace rtaudio::wavenet
