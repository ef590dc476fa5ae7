// A microphone and a speaker without a sound card: a JACK client that plays known samples and looks
// at every sample that comes back.
//
// rig counter FRAMES [LEAD]     plays a sample counter; prints what came back of it as JSON
// rig file IN.raw OUT.raw       plays float32 samples and keeps what comes back, from the first
//                               played frame on, as many frames and one second more
// rig cable FRAMES [AT]         plays what it hears, so many frames later, until it is killed; AT
//                               frames after the first sound it loses one sample
//
// Before it comes silence, LEAD frames (half a second). "heard_at": when the first sample that is
// not zero came back, by the monotonic clock, in seconds.
//
// It waits until both of its ports are connected. Its own clock, a thread of the highest priority
// that sleeps a millisecond at a time, proves stalls of the whole machine: "stall_ms" is the longest.
#include <jack/jack.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kCounter = (1 << 23) - 1 };  // values 1 to 2^23 - 1, over 2^23: exact in float32

static jack_port_t *in_port, *out_port;
static atomic_int done;
static atomic_int num_xruns;
static atomic_llong stall_ns;
static int64_t num_frames;      // to play
static int64_t lead_left;       // frames of silence before the first
static int64_t played;          // frames since the first
static float* input_samples;    // null: the counter
static float* output_samples;   // null: the counter
static int64_t output_capacity;

static float* cable;            // a ring of what was heard; null: no cable
static int64_t cable_size;
static int64_t cable_delay;
static int64_t cable_loss = -1;

static int64_t first_at = -1;   // frame at which the first sample came back
static int64_t last_value;
static int64_t num_right;
static int64_t num_breaks;
static int64_t first_value;
static int64_t heard_ns;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void look_at(float sample, int64_t frame) {
  const double scaled = (double)sample * (kCounter + 1);
  const int64_t value = llrint(scaled);
  if (first_at < 0) {
    if (sample == 0.0f) return;
    first_at = frame;
    heard_ns = now_ns();
    first_value = value;
    num_right = value == 1 && scaled == 1.0;
  } else if (num_right < num_frames) {
    if (scaled == (double)value && value == last_value % kCounter + 1) {
      ++num_right;
    } else {
      ++num_breaks;
    }
  }
  last_value = value;
}

static void through_cable(const float* in, float* out, int64_t frames) {
  static int64_t heard = 0;
  for (int64_t i = 0; i < frames; ++i, ++heard) {
    cable[heard % cable_size] = in[i];
    if (heard >= cable_delay) out[i] = cable[(heard - cable_delay) % cable_size];
    played += played > 0 || in[i] != 0.0f;
    if (played == cable_loss) {
      --cable_delay;
      cable_loss = -1;
    }
  }
}

static int process(jack_nframes_t frames, void* unused) {
  (void)unused;
  const float* in = jack_port_get_buffer(in_port, frames);
  float* out = jack_port_get_buffer(out_port, frames);
  memset(out, 0, frames * sizeof(float));
  if (!jack_port_connected(in_port) || !jack_port_connected(out_port)) return 0;
  if (cable != NULL) {
    through_cable(in, out, frames);
    return 0;
  }
  for (jack_nframes_t i = 0; i < frames; ++i) {
    if (lead_left > 0) {
      --lead_left;
      continue;
    }
    if (output_samples == NULL) {
      look_at(in[i], played);
    } else if (played < output_capacity) {
      output_samples[played] = in[i];
    }
    if (played < num_frames) {
      out[i] = input_samples ? input_samples[played]
                             : (float)(played % kCounter + 1) / (float)(kCounter + 1);
    }
    ++played;
  }
  const int all_back = output_samples ? played >= output_capacity : num_right >= num_frames;
  if (all_back || played > num_frames + 96000) atomic_store(&done, 1);
  return 0;
}

static int note_xrun(void* unused) {
  (void)unused;
  atomic_fetch_add(&num_xruns, 1);
  return 0;
}

static void* watch_clock(void* unused) {
  const struct sched_param param = {.sched_priority = 95};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
  int64_t before = now_ns();
  while (!atomic_load(&done)) {
    const struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
    const int64_t now = now_ns();
    if (played > 0 && now - before - 1000000 > atomic_load(&stall_ns)) {
      atomic_store(&stall_ns, now - before - 1000000);
    }
    before = now;
  }
  return unused;
}

static int fail(const char* what) {
  fprintf(stderr, "rig: %s\n", what);
  return 1;
}

int main(int argc, char** argv) {
  lead_left = -1;
  if ((argc == 3 || argc == 4) && strcmp(argv[1], "counter") == 0) {
    num_frames = atoll(argv[2]);
    if (argc == 4) lead_left = atoll(argv[3]);
  } else if (argc == 4 && strcmp(argv[1], "file") == 0) {
    FILE* file = fopen(argv[2], "rb");
    if (file == NULL) return fail("cannot open the input");
    fseek(file, 0, SEEK_END);
    num_frames = ftell(file) / (int64_t)sizeof(float);
    rewind(file);
    output_capacity = num_frames + 48000;
    input_samples = calloc((size_t)num_frames, sizeof(float));
    output_samples = calloc((size_t)output_capacity, sizeof(float));
    if (fread(input_samples, sizeof(float), (size_t)num_frames, file) != (size_t)num_frames) {
      return fail("cannot read the input");
    }
    fclose(file);
  } else if (argc >= 3 && strcmp(argv[1], "cable") == 0) {
    cable_delay = atoll(argv[2]);
    cable_size = cable_delay + 1;
    cable = calloc((size_t)cable_size, sizeof(float));
    if (argc > 3) cable_loss = atoll(argv[3]);
  } else {
    return fail("usage: rig counter FRAMES [LEAD] | rig file IN OUT | rig cable FRAMES [AT]");
  }
  jack_client_t* client = jack_client_open("rig", JackNoStartServer | JackUseExactName, NULL);
  if (client == NULL) return fail("no JACK server, or another rig runs");
  if (lead_left < 0) lead_left = jack_get_sample_rate(client) / 2;
  in_port = jack_port_register(client, "speaker", JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
  out_port = jack_port_register(client, "microphone", JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
  jack_set_process_callback(client, process, NULL);
  jack_set_xrun_callback(client, note_xrun, NULL);
  if (jack_activate(client) != 0) return fail("cannot activate");
  puts("ready");
  fflush(stdout);
  pthread_t clock_thread;
  pthread_create(&clock_thread, NULL, watch_clock, NULL);
  while (!atomic_load(&done)) usleep(20000);
  pthread_join(clock_thread, NULL);
  jack_client_close(client);
  if (output_samples) {
    FILE* file = fopen(argv[3], "wb");
    if (file == NULL) return fail("cannot write the output");
    fwrite(output_samples, sizeof(float), (size_t)output_capacity, file);
    fclose(file);
  }
  printf(
      "{\"frames\": %lld, \"altered\": %lld, \"breaks\": %lld, \"first\": %lld, "
      "\"round_trip\": %lld, \"xruns\": %d, \"stall_ms\": %.3f, \"heard_at\": %.6f}\n",
      (long long)num_frames, (long long)(num_frames - num_right), (long long)num_breaks,
      (long long)first_value, (long long)first_at, atomic_load(&num_xruns),
      1e-6 * (double)atomic_load(&stall_ns), 1e-9 * (double)heard_ns);
  return 0;
}
