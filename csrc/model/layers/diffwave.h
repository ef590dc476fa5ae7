// The network that a refinement runs at each of its steps, and what it remembers between calls.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {

constexpr int kMaxDiffWaveValues = 16;

// Rows of a ring, as they are saved: those of indices [end - count, end), oldest first. Rows are
// `row` floats apart, channels `step`.
struct RingRows {
  std::int64_t frames;
  std::ptrdiff_t row;
  std::ptrdiff_t step;
};

class DiffWaveNetwork {
 public:
  explicit DiffWaveNetwork(const LayerContext& context);
  // The vectors that each step adds in each layer.
  void take_steps(const LayerContext& context, int steps);

  int values() const { return values_; }
  int condition() const { return condition_; }
  std::int64_t lookahead() const { return lookahead_; }

  std::size_t condition_floats(std::int64_t frames) const;
  std::size_t memory_floats(int chunk) const;
  std::size_t scratch_floats(std::size_t chunk) const;
  // What record() wants of scratch.
  std::size_t gpu_scratch_floats(int chunk) const {
    return static_cast<std::size_t>(chunk) * static_cast<std::size_t>(4 * row_ + values_);
  }
  std::ptrdiff_t condition_row() const { return condition_row_; }
  bool halves() const { return halves_; }

  // The part of a step's memory that is its own, at `state`.
  DiffWaveMemory memory(float* state, int chunk, std::size_t step) const noexcept;
  void take_condition(const Kernels& kernels, const DiffWaveMemory& memory, std::int64_t index,
                      const float* x, std::ptrdiff_t x_step,
                      int count) const noexcept RTA_NONBLOCKING;
  // x of frames `index` on, `values` each; found: what noise stood in as many frames, lookahead()
  // before.
  void run(const Kernels& kernels, const DiffWaveMemory& memory, std::int64_t index, int count,
           const float* x, float* found, float* scratch) const noexcept RTA_NONBLOCKING;

  // A step on a GPU: from x to what the network finds, [frame][values]. `own`: as `state` of
  // memory().
  gpu::Memory record(Recorder& to, const gpu::Refinement& how, gpu::Memory own, int chunk, int step,
                     gpu::Memory h) const;

  std::vector<StateSpec> state_specs(const std::string& step) const;
  // Each returns the spans that are left. `position`: of the frame that comes next.
  std::span<const std::span<float>> save(const float* state, int chunk, std::int64_t position,
                                         std::span<const std::span<float>> out) const;
  std::span<const std::span<const float>> load(float* state, int chunk, std::int64_t position,
                                               std::span<const std::span<const float>> in) const;
  void save_condition(const float* ring, std::int64_t frames, std::int64_t position,
                      std::int64_t count, std::span<float> out) const;
  void load_condition(float* ring, int chunk, std::int64_t frames, std::int64_t position,
                      std::int64_t count, std::span<const float> in) const;

 private:
  // One of the rings of stored inputs: floats, or bf16.
  float get(const float* ring, std::int64_t slot, std::ptrdiff_t row, int channel) const;
  void put(float* ring, std::int64_t slot, std::ptrdiff_t row, int channel, float value) const;
  void save_inputs(const float* ring, std::int64_t frames, std::ptrdiff_t row, int channels,
                   std::int64_t position, std::int64_t count, std::span<float> out) const;
  void load_inputs(float* ring, int chunk, std::int64_t frames, std::ptrdiff_t row, int channels,
                   std::int64_t position, std::int64_t count, std::span<const float> in) const;
  int history(std::size_t layer) const { return (taps_ - 1) * table_[layer].dilation; }
  // Rows of a layer's inputs: in a ring, or the history alone (DiffWaveMemory). A GPU has rings.
  bool in_ring(int kept, int chunk) const { return on_gpu_ || kept > chunk; }
  std::int64_t kept_rows(int kept, int chunk) const {
    return in_ring(kept, chunk) ? std::int64_t{kept} + 2 * chunk : kept;
  }
  // Floats of a ring of rows of stored inputs, its repeated rows included.
  std::size_t ring_floats(std::int64_t rows, std::ptrdiff_t row) const;
  PackedWeights pack_in(const LayerContext& context, const std::string& path,
                        const MatrixFormat& format) const;
  PackedWeights pack_halves(const LayerContext& context, const std::string& path,
                            const MatrixFormat& format) const;
  DiffWave view() const noexcept;

  int values_, condition_, channels_, taps_, ahead_;
  std::ptrdiff_t row_, condition_row_;
  std::int64_t lookahead_ = 0;
  bool halves_;
  bool on_gpu_;
  std::vector<PackedWeights> packed_;
  std::vector<DiffWaveLayer> table_;
  std::vector<PackedWeights> ends_;  // input, skip, output
  std::vector<float> steps_;         // [step][layer][row]
};

void save_rows(const float* ring, const RingRows& rows, int channels, std::int64_t end,
               std::int64_t count, std::span<float> out);
void load_rows(float* ring, const RingRows& rows, int channels, std::int64_t end,
               std::int64_t count, std::span<const float> in);

}  // namespace rtaudio
