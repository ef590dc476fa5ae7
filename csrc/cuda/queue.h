// Where works run, in order: a GPU, or the host in its place.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "cuda/work.h"

namespace rtaudio::gpu {

// What a call takes to the device before its program and brings back after it.
struct Exchange {
  char* host = nullptr;  // pinned where it is a GPU's
  char* device = nullptr;
  std::size_t in_bytes = 0;  // from the begin
  std::size_t out_offset = 0;
  std::size_t out_bytes = 0;
};

// Throws std::runtime_error where the GPU fails.
class Queue {
 public:
  virtual ~Queue() = default;
  // Memory on the device, zeros.
  virtual std::shared_ptr<char> allocate(std::size_t bytes) = 0;
  // Memory of the host that the device can read.
  virtual std::shared_ptr<char> allocate_pinned(std::size_t bytes) = 0;
  // Before the calls that follow; `from` is free at once. finish() waits for it.
  virtual void write(void* to, const void* from, std::size_t bytes) = 0;
  virtual void finish() = 0;
  virtual void read(void* to, const void* from, std::size_t bytes) = 0;
  // `program` and `exchange` will run with so many ticks over and over: in one launch, if possible.
  virtual void prepare(const Program& program, const Exchange& exchange, int ticks) = 0;
  // What `scratch` holds is of no use after a call.
  virtual void forget(char* scratch, std::size_t bytes) = 0;
  // Waits for the end.
  virtual void call(const Program& program, const Exchange& exchange, int ticks) = 0;
  // Queued on a stream of the caller's; signals are in the device's memory, and nothing comes back.
  virtual void call_on(void* stream, const Program& program, const Exchange& exchange,
                       int ticks) = 0;
  // Until the last such call has taken what stands in the exchange.
  virtual void wait() = 0;
};

// Throws std::runtime_error where there is no GPU.
std::unique_ptr<Queue> make_gpu_queue();
// The host, thread by thread, in an order that changes with every work.
std::unique_ptr<Queue> make_host_queue();

}  // namespace rtaudio::gpu
