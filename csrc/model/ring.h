// History of a window layer: rows in a ring that is written twice, so that any span of rows up to
// its size can be read without a seam.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "model/program.h"

namespace rtaudio {

class Ring {
 public:
  Ring(int channels, int history) : Ring(channels, history, row_floats(channels)) {}
  Ring(int channels, int history, int row) : channels_(channels), history_(history), row_(row) {}

  int channels() const { return channels_; }
  int history() const { return history_; }
  int row() const { return row_; }
  int frames(int max_frames) const { return history_ + max_frames; }
  std::size_t floats(int max_frames) const {
    // One vector of slack: kernels may read a whole vector at the last row.
    return static_cast<std::size_t>(2 * frames(max_frames)) * static_cast<std::size_t>(row()) + 16;
  }

  // Appends rows, those outside [begin, end) as zeros, and returns the row `history` frames before
  // the first new one; from there history + num_frames rows are contiguous.
  const float* append(float* ring, int max_frames, std::int64_t position, const float* rows,
                      int num_frames, int begin, int end) const noexcept {
    const int size = frames(max_frames);
    const int at = static_cast<int>(position % size);
    write(ring, size, at, rows, num_frames, begin, end);
    return ring + static_cast<std::size_t>(at >= history_ ? at - history_ : at + size - history_) *
                      static_cast<std::size_t>(row());
  }

  void save(const float* ring, int max_frames, std::int64_t position,
            std::span<float> out) const noexcept {
    const int size = frames(max_frames);
    const int at = static_cast<int>(position % size);
    const int start = at >= history_ ? at - history_ : at + size - history_;
    for (int t = 0; t < history_; ++t) {
      for (int c = 0; c < channels_; ++c) {
        out[static_cast<std::size_t>(c * history_ + t)] = ring[(start + t) * row() + c];
      }
    }
  }

  void load(float* ring, int max_frames, std::int64_t position,
            std::span<const float> in) const noexcept {
    const int size = frames(max_frames);
    for (int t = 0; t < history_; ++t) {
      // size is at least history, so one turn forward keeps the index positive
      const int at = static_cast<int>((position % size + size - history_ + t) % size);
      for (int c = 0; c < channels_; ++c) {
        const float value = in[static_cast<std::size_t>(c * history_ + t)];
        ring[at * row() + c] = value;
        ring[(at + size) * row() + c] = value;
      }
    }
  }

 private:
  void write(float* ring, int size, int at, const float* rows, int num_frames, int begin,
             int end) const noexcept {
    const std::size_t step = static_cast<std::size_t>(row());
    float* first = ring + static_cast<std::size_t>(at) * step;
    const auto bytes = [step](int n) { return static_cast<std::size_t>(n) * step * sizeof(float); };
    if (begin > 0) std::memset(first, 0, bytes(begin));
    if (end > begin) {
      std::memcpy(first + static_cast<std::size_t>(begin) * step,
                  rows + static_cast<std::size_t>(begin) * step, bytes(end - begin));
    }
    if (num_frames > end) {
      std::memset(first + static_cast<std::size_t>(end) * step, 0, bytes(num_frames - end));
    }
    const int before_seam = num_frames < size - at ? num_frames : size - at;
    std::memcpy(first + static_cast<std::size_t>(size) * step, first, bytes(before_seam));
    if (num_frames > before_seam) {
      std::memcpy(ring, ring + static_cast<std::size_t>(size) * step,
                  bytes(num_frames - before_seam));
    }
  }

  int channels_;
  int history_;
  int row_;
};

}  // namespace rtaudio
