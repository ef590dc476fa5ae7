// Levels, counters and times that one audio thread writes and any thread may read.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>

namespace rtaudio {

// A number with one writer: adding needs no locked instruction.
class Counter {
 public:
  void add(std::int64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::int64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Peak since the last look, and the sum of squares since the beginning.
class LevelMeter {
 public:
  void add(float peak, double squares) noexcept {
    if (peak > peak_.load(std::memory_order_relaxed)) {
      peak_.store(peak, std::memory_order_relaxed);
    }
    squares_.store(squares_.load(std::memory_order_relaxed) + squares, std::memory_order_relaxed);
  }
  // For one reader: the next look starts anew.
  float take_peak() noexcept { return peak_.exchange(0.0f, std::memory_order_relaxed); }
  double squares() const noexcept { return squares_.load(std::memory_order_relaxed); }

 private:
  std::atomic<float> peak_{0.0f};
  std::atomic<double> squares_{0.0};
};

// How often which share of a block's time was used: eight classes an octave, from 1/4096 of the
// time up; percentiles are right to within 9 %.
class LoadHistogram {
 public:
  static constexpr int kPerOctave = 8;
  static constexpr int kLowest = -12;  // log2 of the smallest share told apart
  static constexpr int kClasses = 24 * kPerOctave;

  void add(double share) noexcept {
    int index = 0;
    if (share > 0.0) {
      int exponent;
      const double mantissa = std::frexp(share, &exponent);  // [0.5, 1)
      // Within an octave the classes are equally wide.
      index = (exponent - 1 - kLowest) * kPerOctave +
              static_cast<int>((mantissa - 0.5) * 2.0 * kPerOctave);
    }
    counts_[static_cast<std::size_t>(std::clamp(index, 0, kClasses - 1))].add();
    if (share > worst_.load(std::memory_order_relaxed)) {
      worst_.store(share, std::memory_order_relaxed);
    }
  }
  std::int64_t count(int index) const noexcept {
    return counts_[static_cast<std::size_t>(index)].get();
  }
  // The upper end of a class.
  static double upper(int index) noexcept {
    const double octave = std::ldexp(1.0, index / kPerOctave + kLowest);
    return octave * (1.0 + (index % kPerOctave + 1.0) / kPerOctave);
  }
  double worst() const noexcept { return worst_.load(std::memory_order_relaxed); }

 private:
  std::array<Counter, kClasses> counts_;
  std::atomic<double> worst_{0.0};
};

}  // namespace rtaudio
