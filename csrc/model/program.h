// What Python hands over: a flat list of typed operations over buffers, and their tensors.
// Untrusted; Model's constructor checks every bound.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rtaudio {

struct BufferSpec {
  int channels;
  int frames;  // per tick
  int delay;   // frames of a stream before the first valid one
};

struct OperationSpec {
  std::string kind;
  std::vector<int> inputs;
  int output;
  std::map<std::string, std::int64_t> ints;
  std::map<std::string, double> floats;
  std::map<std::string, std::string> tensors;  // slot -> name
  int control;                                 // index, or -1
};

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> data;
};

struct ProgramSpec {
  std::vector<BufferSpec> buffers;
  std::vector<OperationSpec> operations;
  int input;
  int output;
  int num_controls;
  std::map<std::string, Tensor> tensors;
};

// Floats from one frame of a buffer to the next: rows of 16 channels or more are padded so that
// kernels may read and write whole vectors.
constexpr int row_floats(int channels) {
  return channels < 16 ? channels : (channels + 15) / 16 * 16;
}

}  // namespace rtaudio
