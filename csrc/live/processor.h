// What turns blocks of sound into as many frames of sound, a constant time later.
#pragma once

#include <memory>

#include "core/platform.h"

namespace rtaudio {

class Processor {
 public:
  virtual ~Processor() = default;
  // Frames that the output lags behind the input, always the same.
  virtual int delay() const = 0;
  // `frames` in, as many out, [frame][lane].
  virtual void process(const float* in, float* out, int frames) noexcept RTA_NONBLOCKING = 0;
  // Forgets the past.
  virtual void reset() noexcept RTA_NONBLOCKING = 0;
  virtual int num_controls() const { return 0; }
  virtual void set_control(int /*index*/, float /*value*/) noexcept RTA_NONBLOCKING {}
};

}  // namespace rtaudio
