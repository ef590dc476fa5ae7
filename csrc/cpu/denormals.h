// While a guard lives, this thread computes in one known mode: denormals count as zero, sums round
// to nearest, nothing traps, whatever the caller has set. Its mode and flags come back after.
#pragma once

#include <xmmintrin.h>

namespace rtaudio {

class FlushDenormals {
 public:
  FlushDenormals() noexcept : saved_(_mm_getcsr()) { _mm_setcsr(0x9fc0u); }
  ~FlushDenormals() { _mm_setcsr(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_;
};

}  // namespace rtaudio
