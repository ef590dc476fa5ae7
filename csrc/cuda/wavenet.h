// An autoregressive WaveNet on a GPU.
#pragma once

#include <cstdint>
#include <memory>

#include "cuda/wavenet_pack.h"

namespace rtaudio::wavenet {

// A network in the memory of the first GPU.
class Gpu {
 public:
  // Throws std::invalid_argument where the network has no room, std::runtime_error where there is
  // no GPU.
  Gpu(const Weights& weights, bool strict);
  ~Gpu();

  const Net& net() const;
  std::int64_t ring_floats() const;
  // Of the memory through which blocks reach one another, where they have no cluster.
  std::size_t mail_bytes(int lanes) const;
  // Queues a call, whose pointers are the device's, on a stream; nothing waits, and nothing is
  // allocated. Throws std::runtime_error.
  void launch(const Call& call, char* mail, void* stream) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace rtaudio::wavenet
