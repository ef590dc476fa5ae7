// Two devices with a clock each that nothing can hold up: threads of real-time priority which call
// PortAudio's callbacks at a steady pace. For ctypes.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

typedef int Callback(const void*, void*, unsigned long, const void*, unsigned long, void*);

enum { kMostFrames = 4096, kDevices = 2 };

struct Device {
  Callback* callback;
  void* user_data;
  unsigned long frames;
  double period_ns;
  pthread_t thread;
};

static struct Device devices[kDevices];
static int num_devices;
static atomic_int stopping;
static atomic_llong latest_ns;  // the longest that a call came late

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void* run(void* data) {
  const struct Device* device = data;
  float in[kMostFrames], out[kMostFrames];
  memset(in, 0, sizeof in);
  const struct sched_param param = {.sched_priority = 70};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
  const int64_t began = now_ns();
  for (int64_t n = 1; !atomic_load(&stopping); ++n) {
    const int64_t due = began + (int64_t)((double)n * device->period_ns);
    const struct timespec until = {due / 1000000000, due % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    const int64_t late = now_ns() - due;
    if (late > atomic_load(&latest_ns)) atomic_store(&latest_ns, late);
    device->callback(in, out, device->frames, NULL, 0, device->user_data);
  }
  return NULL;
}

// A mono device that calls with so many frames a period. 0: done.
int ticker_start(Callback* callback, void* user_data, unsigned long frames, double period_ns) {
  if (num_devices == kDevices || frames > kMostFrames) return 1;
  struct Device* device = &devices[num_devices++];
  *device = (struct Device){callback, user_data, frames, period_ns, 0};
  return pthread_create(&device->thread, NULL, run, device);
}

// Ends all of them. The longest that a call was late, in ns.
long long ticker_stop(void) {
  atomic_store(&stopping, 1);
  while (num_devices > 0) pthread_join(devices[--num_devices].thread, NULL);
  atomic_store(&stopping, 0);
  return atomic_exchange(&latest_ns, 0);
}
