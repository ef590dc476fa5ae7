// The time that live sound goes by.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace rtaudio {

inline std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What this thread has computed, without what others took from it; elsewhere the time that passed.
inline std::int64_t thread_cpu_ns() noexcept {
#if defined(CLOCK_THREAD_CPUTIME_ID) && !defined(_WIN32)
  std::timespec spent{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) == 0) {
    return std::int64_t{spent.tv_sec} * 1'000'000'000 + spent.tv_nsec;
  }
#endif
  return now_ns();
}

}  // namespace rtaudio
