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
#include <pthread.h>

#include <cerrno>

namespace {
thread_local std::int64_t num_calls = 0;
}

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
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  ++num_calls;
  static auto* const next =
      reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  return next(mutex);
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
