// Works that change the rate by a whole factor.
#pragma once

#include "cuda/works/matmul.h"

namespace rtaudio::gpu {

// `factor` frames of each one: copies, or on the way from the frame before to it, frames outside of
// the signal as zeros.
struct Upsample {
  Timing timing;
  Signal x, y;
  int factor;
  bool linear;
  Memory before;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const int t = p.t / factor, i = p.t % factor + 1;
    float value = x.at(p.lane, t)[p.c];
    if (linear) {
      const Span span = timing.span(p.lane, ticks);
      if (!span.contains(t)) value = 0.0f;
      if (i < factor) {
        const float from = t == 0                 ? before.of(p.lane)[p.c]
                           : span.contains(t - 1) ? x.at(p.lane, t - 1)[p.c]
                                                  : 0.0f;
        const float step = 1.0f / static_cast<float>(factor);
        value = fma(static_cast<float>(i) * step, value - from, from);
      }
    }
    y.at(p.lane, p.t)[p.c] = value;
  }
};

// A call's last frame becomes state.
struct Remember {
  Timing timing;
  Signal x;
  Memory to;

  RTA_HD Grid grid(int /*ticks*/) const { return {timing, 1, x.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    to.of(p.lane)[p.c] = x.at(p.lane, x.frames * ticks - 1)[p.c];
  }
};

// One frame of x.taps.
struct Pool {
  enum class Mode : std::int32_t { mean, max, max_with_index };
  Timing timing;
  Window x;
  Signal y;
  Mode mode;
  int channels;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const float* in = x.at(p.lane, timing.position(p.lane), p.t) + p.c;
    float value = in[0];
    int index = 0;
    for (int i = 1; i < x.taps; ++i) {
      const float next = in[i * x.tap_step];
      if (mode == Mode::mean) {
        value = value + next;
      } else if (!(next <= value)) {
        value = next;
        index = i;
      }
    }
    if (mode == Mode::mean) value = fma(1.0f / static_cast<float>(x.taps), value, 0.0f);
    float* const to = y.at(p.lane, p.t) + p.c;
    to[0] = value;
    if (mode == Mode::max_with_index) to[channels] = static_cast<float>(index);
  }
};

// Each value back to where Pool found it, among zeros.
struct Unpool {
  Timing timing;
  Signal x, y;
  int size;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const int t = p.t / size;
    const float* in = x.at(p.lane, t) + p.c;
    const bool here =
        timing.span(p.lane, ticks).contains(t) && in[y.channels] == static_cast<float>(p.t % size);
    y.at(p.lane, p.t)[p.c] = here ? in[0] : 0.0f;
  }
};

}  // namespace rtaudio::gpu
