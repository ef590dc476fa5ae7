// A signal's past.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace rtaudio {

class DelayLine {
 public:
  // Throws std::invalid_argument.
  DelayLine(int lanes, int delay, int max_frames) : lanes_(lanes), delay_(delay) {
    if (lanes < 1 || delay < 0 || max_frames < 1) {
      throw std::invalid_argument("a delay line needs lanes and frames above zero");
    }
    const auto floats = [&](int frames) {
      return static_cast<std::size_t>(frames) * static_cast<std::size_t>(lanes);
    };
    if (delay > 0) line_.resize(floats(delay));
    late_.resize(floats(max_frames));
  }

  int delay() const { return delay_; }

  // [frame][lane] in; what went in `delay` frames ago comes out, valid until the next call.
  const float* push(const float* in, int frames) noexcept {
    for (int done = 0; done < frames;) {
      const int count = delay_ > 0 ? std::min(frames - done, delay_ - at_) : frames;
      float* to = late_.data() + std::ptrdiff_t{done} * lanes_;
      const float* from = in + std::ptrdiff_t{done} * lanes_;
      if (delay_ > 0) {
        float* line = line_.data() + std::ptrdiff_t{at_} * lanes_;
        std::copy_n(line, count * lanes_, to);
        std::copy_n(from, count * lanes_, line);
        at_ = (at_ + count) % delay_;
      } else {
        std::copy_n(from, count * lanes_, to);
      }
      done += count;
    }
    return late_.data();
  }

 private:
  int lanes_;
  int delay_;
  std::vector<float> line_;
  std::vector<float> late_;
  int at_ = 0;
};

}  // namespace rtaudio
