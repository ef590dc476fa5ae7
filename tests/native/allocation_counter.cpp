#include "allocation_counter.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RTAUDIO_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(realtime_sanitizer)
#define RTAUDIO_SANITIZED
#endif
#endif

#include <cstdlib>

#if defined(__GLIBC__) && !defined(RTAUDIO_SANITIZED)

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

namespace {

thread_local std::int64_t num_calls = 0;

// Counts a call of our `function` and hands it on to the C library's of that name.
template <auto* function, class... Arguments>
auto counted(const char* name, Arguments... arguments) {
  ++num_calls;
  static auto* const next = reinterpret_cast<decltype(function)>(dlsym(RTLD_NEXT, name));
  return next(arguments...);
}

}  // namespace

// glibc's own entries; operator new comes here too.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);

void* malloc(std::size_t size) {
  ++num_calls;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++num_calls;
  return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) {
  ++num_calls;
  return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++num_calls;
  return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++num_calls;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  ++num_calls;
  *block = __libc_memalign(alignment, size);
  return *block != nullptr ? 0 : ENOMEM;
}
void free(void* block) {
  ++num_calls;
  __libc_free(block);
}

// Locks. A condition variable needs one of them, and a try does not wait.
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  return counted<&pthread_mutex_lock>("pthread_mutex_lock", mutex);
}
int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) {
  return counted<&pthread_mutex_timedlock>("pthread_mutex_timedlock", mutex, until);
}
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  return counted<&pthread_mutex_clocklock>("pthread_mutex_clocklock", mutex, clock, until);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  return counted<&pthread_rwlock_rdlock>("pthread_rwlock_rdlock", lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  return counted<&pthread_rwlock_wrlock>("pthread_rwlock_wrlock", lock);
}
int pthread_spin_lock(pthread_spinlock_t* lock) {
  return counted<&pthread_spin_lock>("pthread_spin_lock", lock);
}
int sem_wait(sem_t* semaphore) { return counted<&sem_wait>("sem_wait", semaphore); }

// Waiting, and what std::atomic's wait comes to.
int nanosleep(const timespec* time, timespec* rest) {
  return counted<&nanosleep>("nanosleep", time, rest);
}
int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* rest) {
  return counted<&clock_nanosleep>("clock_nanosleep", clock, flags, time, rest);
}
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& each : a) each = va_arg(list, long);
  va_end(list);
  // Waking another thread is no waiting.
  if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE) --num_calls;
  return counted<&syscall>("syscall", number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
}

namespace rtaudio {
bool can_count_blocking_calls() { return true; }
std::int64_t num_blocking_calls() { return num_calls; }
}  // namespace rtaudio

#else

namespace rtaudio {
bool can_count_blocking_calls() { return false; }
std::int64_t num_blocking_calls() { return 0; }
}  // namespace rtaudio

#endif
