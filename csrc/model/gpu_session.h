// A session's memory on a GPU and the program that its calls run there (cuda/work.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cuda/queue.h"
#include "model/model.h"

namespace rtaudio {

class GpuSession {
 public:
  // Lanes of `lane_floats`, of which operation i's own begin at state_offsets[i]. Throws
  // std::length_error or std::runtime_error where the GPU has no room.
  GpuSession(const Model& model, int lanes, int max_ticks, std::size_t lane_floats,
             std::span<const std::size_t> state_offsets);

  // The lane's memory, and valid frames of every buffer: all of them while it goes on.
  void write(int lane, const float* memory, std::int64_t ticks, std::span<const float> prompt);
  void read(int lane, float* memory) const;
  void set_lengths(int lane, std::span<const std::int64_t> lengths);
  // What follows changes what calls read: first of all, wait until the last one has taken it.
  void wait() { queue_->wait(); }
  void hold(int lane, bool held) noexcept { held_[lane] = held; }
  // For the next call; null where the operation has no control.
  float* control(std::size_t operation) noexcept { return controls_[operation]; }

  // [lane][frame][channel] of the host, lanes `*_step` floats apart; held lanes are left alone.
  void process(const float* input, std::ptrdiff_t input_step, float* output,
               std::ptrdiff_t output_step, int num_ticks, bool whole);
  // The same of the device's memory, on a stream of the caller's.
  void process_on(void* stream, const gpu::Ports& ports);

 private:
  static constexpr std::int64_t kEndless = INT64_MAX / 2;

  gpu::Exchange lay_out();
  void record(std::span<const std::size_t> state_offsets, gpu::Memory buffers,
              const std::vector<std::size_t>& buffer_offsets, gpu::Memory scratch);
  template <class T>
  T* on_device(const T* host) const {
    return reinterpret_cast<T*>(exchange_.device +
                                (reinterpret_cast<const char*>(host) - exchange_.host));
  }

  const Model& model_;
  int lanes_;
  int max_ticks_;
  std::size_t lane_floats_;
  std::unique_ptr<gpu::Queue> queue_;
  std::shared_ptr<char> states_, signals_, clocks_, staging_, pinned_;
  gpu::Exchange exchange_;
  std::int64_t* ticks_ = nullptr;    // of the device
  std::int64_t* lengths_ = nullptr;  // [lane][operation], of the device
  gpu::Ports* ports_ = nullptr;      // of the host, as what follows
  std::int32_t* held_ = nullptr;
  std::vector<float*> controls_;
  float* input_ = nullptr;
  float* output_ = nullptr;
  std::size_t scratch_floats_ = 0;
  const float** prompts_ = nullptr;                   // [lane], of the device
  std::vector<std::shared_ptr<char>> prompt_memory_;  // [lane]
  std::vector<std::shared_ptr<char>> owned_;
  gpu::Program program_;
};

}  // namespace rtaudio
