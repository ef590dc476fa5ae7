// A signal's past.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace rtaudio {

class DelayLine {
 public:
  // `most_delay`: what set_delay() may ask for; at least `delay`. Throws std::invalid_argument.
  DelayLine(int lanes, int delay, int max_frames, int most_delay = 0)
      : lanes_(lanes), delay_(delay) {
    if (lanes < 1 || delay < 0 || max_frames < 1) {
      throw std::invalid_argument("a delay line needs lanes and frames above zero");
    }
    const auto floats = [&](int frames) {
      return static_cast<std::size_t>(frames) * static_cast<std::size_t>(lanes);
    };
    size_ = std::max(delay, most_delay) + max_frames;
    line_.resize(floats(size_));
    late_.resize(floats(max_frames));
  }

  int delay() const { return delay_; }
  // From the next push() on.
  void set_delay(int delay) noexcept { delay_ = delay; }

  // [frame][lane] in; what went in `delay` frames ago comes out, valid until the next call.
  const float* push(const float* in, int frames) noexcept {
    const int from = (at_ + size_ - delay_) % size_;
    const int first = std::min(frames, size_ - at_);
    std::copy_n(in, first * lanes_, cell(at_));
    std::copy_n(in + std::ptrdiff_t{first} * lanes_, (frames - first) * lanes_, cell(0));
    const int head = std::min(frames, size_ - from);
    std::copy_n(cell(from), head * lanes_, late_.data());
    std::copy_n(cell(0), (frames - head) * lanes_, late_.data() + std::ptrdiff_t{head} * lanes_);
    at_ = (at_ + frames) % size_;
    return late_.data();
  }

 private:
  float* cell(int frame) noexcept { return line_.data() + std::ptrdiff_t{frame} * lanes_; }

  int lanes_;
  int delay_;
  int size_ = 0;  // frames
  std::vector<float> line_;
  std::vector<float> late_;
  int at_ = 0;
};

}  // namespace rtaudio
