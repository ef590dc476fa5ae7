#include "live/priority.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace rtaudio {

Priority raise_priority([[maybe_unused]] int level) noexcept {
#if defined(__linux__)
  int policy = 0;
  sched_param param{};
  if (pthread_getschedparam(pthread_self(), &policy, &param) != 0) return Priority::unknown;
  if (policy == SCHED_FIFO || policy == SCHED_RR) return Priority::already;
  param.sched_priority = level;
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0 ? Priority::raised
                                                                        : Priority::refused;
#else
  return Priority::unknown;  // Core Audio and WASAPI raise their own threads
#endif
}

void name_thread([[maybe_unused]] const char* name) noexcept {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), name);
#endif
}

}  // namespace rtaudio
