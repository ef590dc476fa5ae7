// While a guard lives, this thread computes in one known mode: denormals count as zero, sums round
// to nearest, nothing traps, whatever the caller has set. Its mode and flags come back after.
#pragma once

#include <cstdint>

#if !defined(__aarch64__)
#include <xmmintrin.h>
#endif

namespace rtaudio {

class FlushDenormals {
 public:
  FlushDenormals() noexcept : saved_(mode()) { set_mode(kMode); }
  ~FlushDenormals() { set_mode(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

#if defined(__aarch64__)
  using Mode = std::uint64_t;              // FPCR
  static constexpr Mode kMode = 1u << 24;  // FZ
  static Mode mode() noexcept {
    Mode value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_mode(Mode value) noexcept { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Mode = unsigned;                  // MXCSR
  static constexpr Mode kMode = 0x9fc0u;  // FTZ, DAZ, every exception masked
  static Mode mode() noexcept { return _mm_getcsr(); }
  static void set_mode(Mode value) noexcept { _mm_setcsr(value); }
#endif

 private:
  Mode saved_;
};

}  // namespace rtaudio
