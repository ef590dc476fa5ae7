// A program made ready to run: checked, its weights packed. Immutable, shared by threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/gpu_model.h"
#include "model/layer.h"
#include "model/program.h"

namespace rtaudio {

class Model {
 public:
  struct Operation {
    std::unique_ptr<Layer> layer;
    std::vector<int> inputs;
    int output;
    int control;
  };

  // Throws std::invalid_argument with a sentence for any program that cannot run: the input is
  // untrusted. Tensors are packed; the program is not needed afterwards.
  explicit Model(const ProgramSpec& program, Precision precision = {});
  Model(const Model&) = delete;  // matrices point at the ranges they note
  Model& operator=(const Model&) = delete;

  const std::vector<BufferSpec>& buffers() const { return buffers_; }
  const std::vector<Operation>& operations() const { return operations_; }
  const BufferSpec& input() const { return buffers_[static_cast<std::size_t>(input_)]; }
  const BufferSpec& output() const { return buffers_[static_cast<std::size_t>(output_)]; }
  int input_buffer() const { return input_; }
  int output_buffer() const { return output_; }
  int num_controls() const { return num_controls_; }
  const Precision& precision() const { return precision_; }

  // Where sessions run on a GPU as a whole: what they share there.
  bool on_gpu() const { return gpu_ != nullptr; }
  GpuModel& gpu() const { return *gpu_; }
  // Why a GPU has failed under it, or nothing.
  std::string fault() const;

  // Valid frames of each buffer for a source of that many frames.
  void lengths(std::int64_t source_length, std::vector<std::int64_t>& out) const;
  // Valid output frames: those of the definition, at most the source's own duration.
  std::int64_t output_length(std::int64_t source_length) const;

 private:
  void check(const ProgramSpec& program) const;

  std::vector<BufferSpec> buffers_;
  int input_;
  int output_;
  int num_controls_;
  Precision precision_;
  std::vector<Operation> operations_;
  std::unique_ptr<GpuModel> gpu_;
};

}  // namespace rtaudio
