// An autoregressive WaveNet on a GPU.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "cuda/wavenet_pack.h"

namespace rtaudio::wavenet {

// A lane of a call, its memory the host's; rings as a Net lays them out.
struct HostLane {
  noise::Source source;
  std::int64_t position;
  const float* prompt;
  std::int64_t prompt_steps;
  const float* condition;  // [frames][condition_row]
  float* rings;
  float* values;
  float* audio;  // [frames * hop][width]
};
struct HostCall {
  std::span<const HostLane> lanes;
  int frames, hop;
  bool voiced;
  int condition_row;
};

// A network in the memory of the first GPU. One call at a time: others wait.
class Gpu {
 public:
  // Throws std::invalid_argument where the network has no room, std::runtime_error where there is
  // no GPU.
  Gpu(const Weights& weights, bool strict);
  ~Gpu();

  const Net& net() const;
  std::int64_t ring_floats() const;
  // False where the GPU has failed: fault() is why. Nothing is written then.
  bool run(const HostCall& call) noexcept;
  std::string fault() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace rtaudio::wavenet
