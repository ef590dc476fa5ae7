// What a channel remembers of all frames so far: means and norms, a thread a channel.
#pragma once

#include "core/moments.h"
#include "cuda/lanes.h"

namespace rtaudio::gpu {

// m = fma(1 - alpha, x - m, m); y = x - m.
struct MeanSubtract {
  Timing timing;
  Signal x, y;
  Memory mean;
  float alpha;

  RTA_HD Grid grid(int /*ticks*/) const { return {timing, 1, y.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const Span span = timing.span(p.lane, ticks);
    const float rate = 1.0f - alpha;
    float m = mean.of(p.lane)[p.c];
    for (int t = 0; t < span.frames; ++t) {
      float out = 0.0f;
      if (span.contains(t)) {
        const float value = x.at(p.lane, t)[p.c];
        m = fma(rate, value - m, m);
        out = value - m;
      }
      y.at(p.lane, t)[p.c] = out;
    }
    mean.of(p.lane)[p.c] = m;
  }
};

// Frames so far. From 2^24 on a float cannot count further: a mean over so many hardly moves.
RTA_HD float count_frame(float count) { return min(count + 1.0f, 16777216.0f); }

// A norm with each channel's own running moments.
struct RunningNorm {
  Timing timing;
  Signal x, y;
  Memory count, mean, variance;
  const float* scale;
  const float* bias;
  float eps;

  RTA_HD Grid grid(int /*ticks*/) const { return {timing, 1, y.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const Span span = timing.span(p.lane, ticks);
    float seen = *count.of(p.lane), m = mean.of(p.lane)[p.c], v = variance.of(p.lane)[p.c];
    for (int t = 0; t < span.frames; ++t) {
      float out = 0.0f;
      if (span.contains(t)) {
        seen = count_frame(seen);
        const float after = math::take_in(x.at(p.lane, t)[p.c], 1.0f / seen, m, v);
        const float inverse = 1.0f / sqrt(max(0.0f, v) + eps);
        out = fma(after * inverse, scale[p.c], bias[p.c]);
      }
      y.at(p.lane, t)[p.c] = out;
    }
    mean.of(p.lane)[p.c] = m;
    variance.of(p.lane)[p.c] = v;
  }
};
// After it: the frames so far.
struct CountFrames {
  Timing timing;
  Memory count;

  RTA_HD std::int64_t items(int /*ticks*/) const { return timing.lanes; }
  RTA_HD void operator()(int lane, int ticks) const {
    if (timing.held[lane] != 0) return;
    const Span span = timing.span(lane, ticks);
    float seen = *count.of(lane);
    for (int t = span.begin; t < span.end; ++t) seen = count_frame(seen);
    *count.of(lane) = seen;
  }
};

// The moments of all frames so far from each frame's own, one thread a lane.
struct RunningMoments {
  Timing timing;
  Memory found;  // [frame]: mean, variance
  Memory count, mean, variance;
  Memory used;  // [frame]: mean, 1 / sqrt(variance + eps)
  float eps;

  RTA_HD std::int64_t items(int /*ticks*/) const { return timing.lanes; }
  RTA_HD void operator()(int lane, int ticks) const {
    if (timing.held[lane] != 0) return;
    const Span span = timing.span(lane, ticks);
    float seen = *count.of(lane), m = *mean.of(lane), v = *variance.of(lane);
    for (int t = span.begin; t < span.end; ++t) {
      const float* const now = found.of(lane) + 2 * t;
      seen = count_frame(seen);
      const float rate = 1.0f / seen, d = now[0] - m;
      m = fma(rate, d, m);
      v = fma(rate, fma(d, now[0] - m, now[1]) - v, v);
      float* const to = used.of(lane) + 2 * t;
      to[0] = m;
      to[1] = 1.0f / sqrt((0.0f < v ? v : 0.0f) + eps);
    }
    *count.of(lane) = seen;
    *mean.of(lane) = m;
    *variance.of(lane) = v;
  }
};
// y = (x - mean) / sqrt(variance + eps) * scale + bias inside the signal.
struct Normalize {
  Timing timing;
  Signal x, y;
  Memory used;
  const float* scale;
  const float* bias;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const float* const now = used.of(p.lane) + 2 * p.t;
    float out = 0.0f;
    if (timing.span(p.lane, ticks).contains(p.t)) {
      const float d = x.at(p.lane, p.t)[p.c] - now[0];
      out = fma(d * now[1], scale[p.c], bias[p.c]);
    }
    y.at(p.lane, p.t)[p.c] = out;
  }
};

}  // namespace rtaudio::gpu
