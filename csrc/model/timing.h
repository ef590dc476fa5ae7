// Times of single operations of a model and of the processor's own limits: `rtaudio bench layers`.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/pack.h"
#include "model/model.h"

namespace rtaudio {

// The most multiply-adds a second in a format that this thread reaches, in registers alone.
double measure_multiply_adds(const Kernels& kernels, WeightFormat format, double seconds);
// The most bytes a second that this thread reads of `bytes` which it has just read.
double measure_reads(const Kernels& kernels, std::size_t bytes, double seconds);

// One operation of a model, run by itself on noise.
class OperationTimer {
 public:
  // Throws std::invalid_argument where the model has no such operation or a size is impossible.
  OperationTimer(std::shared_ptr<const Model> model, int operation, int lanes, int ticks);

  // Nanoseconds a call of all lanes: each value the mean over some microseconds of calls in a row,
  // for `seconds` in all.
  std::vector<double> hot(double seconds);
  // Of single calls, before each of which `swept_bytes` of other memory have been read.
  std::vector<double> cold(int calls, std::size_t swept_bytes);

 private:
  void run() noexcept;

  std::shared_ptr<const Model> model_;
  const Kernels& kernels_;
  const Layer& layer_;
  int num_frames_;
  std::int64_t position_ = 0;
  std::vector<AlignedFloats> floats_;
  std::vector<const float*> inputs_;
  std::vector<float> control_;
  std::vector<Call> calls_;  // one a lane
};

}  // namespace rtaudio
