// What a layer writes its works for a GPU into, when a session is made.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "core/fft.h"
#include "cpu/pack.h"
#include "cuda/queue.h"
#include "model/gpu_model.h"
#include "model/ring.h"

namespace rtaudio {

// A layer's view of the session: its signals, its state, and what may be added to the program.
class Recorder {
 public:
  struct Operation {
    gpu::Timing timing;
    std::vector<gpu::Signal> inputs;
    gpu::Signal output;
    gpu::Memory state;
    gpu::Memory scratch;   // all there is
    int max_frames;        // of the first input, in a call
    const float* control;  // one value a frame, or null
  };
  // What all operations of a session share.
  struct Shared {
    gpu::Program& program;
    DeviceTables& tables;
    gpu::Queue& queue;
    std::vector<std::shared_ptr<char>>& owned;  // memory of the session
    const gpu::Ports* ports;                    // of the call
    const float* const* prompts;                // [lane]
    bool tensor_cores;
  };

  Recorder(const Shared& shared, Operation operation)
      : shared_(shared), operation_(std::move(operation)) {}

  const gpu::Timing& timing() const { return operation_.timing; }
  const gpu::Signal& input(std::size_t i = 0) const { return operation_.inputs[i]; }
  std::size_t num_inputs() const { return operation_.inputs.size(); }
  const gpu::Signal& output() const { return operation_.output; }
  gpu::Memory state(std::size_t offset = 0) const {
    return operation_.state.after(static_cast<std::int64_t>(offset));
  }
  const float* control() const { return operation_.control; }
  const gpu::Ports* ports() const { return shared_.ports; }
  // 1 where a call brings whole signals.
  const std::int32_t* whole() const { return &shared_.ports->whole; }
  const float* const* prompts() const { return shared_.prompts; }
  // Whether to use tensor cores, with another order of sums than the CPU's. A layer may not choose
  // by how many rows there are: every session of a model has the same sums.
  bool tensor_cores() const { return shared_.tensor_cores; }
  // Frames of the first input in the longest call.
  int max_frames() const { return operation_.max_frames; }
  int max_ticks() const { return operation_.max_frames / operation_.timing.frames; }

  // So many floats of each lane, apart from what this operation has had; of use within a call only.
  gpu::Memory scratch(std::size_t floats);
  std::size_t scratch_floats() const { return scratch_floats_; }

  // Memory of the session's own, zeros at its begin, that is in no lane's state.
  template <class T>
  T* allocate(std::size_t count) {
    shared_.owned.push_back(shared_.queue.allocate(count * sizeof(T)));
    return reinterpret_cast<T*>(shared_.owned.back().get());
  }
  // The device's copy of what stands in the layer, and stays there.
  template <class T>
  const T* table(const T* host, std::size_t count) {
    return reinterpret_cast<const T*>(shared_.tables.take(host, count * sizeof(T)));
  }
  template <class T>
  const T* table(const std::vector<T>& host) {
    return table(host.data(), host.size());
  }
  gpu::Matrix matrix(const PackedWeights& weights);
  // With scratch for so many frames of each lane.
  gpu::Transform transform(const FftTables& tables, int frames);

  gpu::RingRows ring(const Ring& ring, std::size_t offset = 0) const {
    return ring_of(ring, state(offset), max_frames());
  }
  static gpu::RingRows ring_of(const Ring& ring, gpu::Memory memory, int max_frames) {
    return {memory, ring.row(), ring.history(), ring.frames(max_frames)};
  }
  // Throws std::length_error where it has too many threads.
  void add(gpu::Work work);
  // y = m x for `frames` rows a tick and some more; see gpu::Matmul.
  void matmul(const gpu::Matrix& m, const gpu::Window& x, gpu::Memory y, int y_step, int frames,
              bool zeros = false, int more = 0);
  // Product<F, V>{timing, m, rest...}: `rows` rows in the longest call, F of them and V outputs a
  // thread.
  template <template <int, int> class Product, class... Rest>
  void multiply(const gpu::Matrix& m, std::int64_t rows, const Rest&... rest) {
    const bool rounds = m.format == gpu::Format::bf16dot || m.format == gpu::Format::int8;
    constexpr std::int64_t kMany = 1 << 15;  // threads that keep a GPU busy
    if (!rounds && m.splits == 1 && rows * m.outputs >= 32 * kMany) {
      add(Product<8, 4>{timing(), m, rest...});
    } else if (!rounds && rows * m.outputs >= 4 * kMany) {
      add(Product<4, 1>{timing(), m, rest...});
    } else {
      add(Product<1, 1>{timing(), m, rest...});
    }
  }
  // What is added by `body` runs so many times a tick.
  template <class Body>
  void repeat(int rounds_per_tick, const Body& body) {
    shared_.program.sections.push_back({{}, rounds_per_tick});
    body();
    shared_.program.sections.push_back({});
  }
  // The same for an operation inside of this one.
  Recorder inner(Operation operation) const { return {shared_, std::move(operation)}; }

 private:
  Shared shared_;
  Operation operation_;
  std::size_t scratch_floats_ = 0;
};

}  // namespace rtaudio
