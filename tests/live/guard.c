// What the audio threads do besides sound, counted under a whole Python: a library for LD_PRELOAD.
//
// A thread is watched while it is in guard_callback(), which stands before the engine's own
// callback, and for good once it calls itself "rtaudio-worker". Watched threads should neither
// allocate nor lock nor sleep. And a model that sleeps: a watched thread that asks for the time, as
// it does before and after every block, is put to sleep for guard_sleep().
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef int Callback(const void*, void*, unsigned long, const void*, unsigned long, void*);

static __thread int watched;
static __thread int is_worker;
static atomic_long allocations, locks, waits, num_callbacks;
static atomic_long sleep_ns;
static Callback* real_callback;

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

static void count(atomic_long* counter) {
  if (watched) atomic_fetch_add(counter, 1);
}

static void* next(const char* name) { return dlsym(RTLD_NEXT, name); }

void* malloc(size_t size) {
  count(&allocations);
  return __libc_malloc(size);
}
void* calloc(size_t number, size_t size) {
  count(&allocations);
  return __libc_calloc(number, size);
}
void* realloc(void* block, size_t size) {
  count(&allocations);
  return __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  count(&allocations);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block != NULL ? 0 : ENOMEM;
}
void free(void* block) {
  count(&allocations);
  __libc_free(block);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static int (*real)(pthread_mutex_t*);
  if (real == NULL) real = (int (*)(pthread_mutex_t*))next("pthread_mutex_lock");
  count(&locks);
  return real(mutex);
}
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*);
  if (real == NULL) real = (int (*)(pthread_cond_t*, pthread_mutex_t*))next("pthread_cond_wait");
  count(&waits);
  return real(condition, mutex);
}
int nanosleep(const struct timespec* time, struct timespec* left) {
  count(&waits);
  return (int)syscall(SYS_nanosleep, time, left);
}
ssize_t read(int file, void* data, size_t size) {
  count(&waits);
  return syscall(SYS_read, file, data, size);
}
ssize_t write(int file, const void* data, size_t size) {
  count(&waits);
  return syscall(SYS_write, file, data, size);
}

int pthread_setname_np(pthread_t thread, const char* name) {
  static int (*real)(pthread_t, const char*);
  if (real == NULL) real = (int (*)(pthread_t, const char*))next("pthread_setname_np");
  const int result = real(thread, name);
  if (strcmp(name, "rtaudio-worker") == 0) watched = is_worker = 1;
  return result;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec*))next("clock_gettime");
  const long pause = atomic_load(&sleep_ns);
  if (is_worker && pause > 0) {
    const struct timespec length = {pause / 1000000000, pause % 1000000000};
    syscall(SYS_nanosleep, &length, NULL);
  }
  return real(clock, time);
}

int guard_callback(const void* in, void* out, unsigned long frames, const void* times,
                   unsigned long flags, void* user_data) {
  atomic_fetch_add(&num_callbacks, 1);
  ++watched;
  const int result = real_callback(in, out, frames, times, flags, user_data);
  --watched;
  return result;
}

// For a program that cannot be asked to: the model sleeps for GUARD_SLEEP_NS from the start.
__attribute__((constructor)) static void sleep_from_the_start(void) {
  const char* length = getenv("GUARD_SLEEP_NS");
  if (length != NULL) atomic_store(&sleep_ns, atol(length));
}

void guard_set(Callback* callback) { real_callback = callback; }
void guard_sleep(long ns) { atomic_store(&sleep_ns, ns); }
long guard_allocations(void) { return atomic_load(&allocations); }
long guard_locks(void) { return atomic_load(&locks); }
long guard_waits(void) { return atomic_load(&waits); }
long guard_callbacks(void) { return atomic_load(&num_callbacks); }

// A callback that does all that it may not: two calls of malloc's kind, a lock and a wait.
static int bad_callback(const void* in, void* out, unsigned long frames, const void* times,
                        unsigned long flags, void* user_data) {
  (void)in, (void)out, (void)times, (void)flags, (void)user_data;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  char* volatile block = malloc(frames);
  free(block);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  const struct timespec moment = {0, 1000};
  nanosleep(&moment, NULL);
  return 0;
}
void guard_do_wrong(void) {
  bad_callback(NULL, NULL, 100, NULL, 0, NULL);  // not watched: not counted
  guard_set(bad_callback);
  guard_callback(NULL, NULL, 100, NULL, 0, NULL);
}
