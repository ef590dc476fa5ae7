// Works that move rows into a state and out of it.
#pragma once

#include "core/samples.h"
#include "cuda/lanes.h"

namespace rtaudio::gpu {

// A call's rows enter a ring, those outside the signal as zeros (`all`: as they are).
struct Append {
  Timing timing;
  Signal x;
  RingRows ring;
  bool all;

  RTA_HD Grid grid(int ticks) const { return {timing, timing.frames * ticks, x.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const Span span = timing.span(p.lane, ticks);
    const float value = all || span.contains(p.t) ? x.at(p.lane, p.t)[p.c] : 0.0f;
    const std::ptrdiff_t slot = (span.position + p.t) % ring.size;
    float* const to = ring.memory.of(p.lane) + slot * ring.row + p.c;
    to[0] = value;
    to[std::ptrdiff_t{ring.size} * ring.row] = value;
  }
};

// y = the frames `history` before those of the call.
struct Recall {
  Timing timing;
  RingRows ring;
  Signal y;

  RTA_HD Grid grid(int ticks) const { return {timing, timing.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const float* oldest = ring.oldest(p.lane, timing.position(p.lane));
    y.at(p.lane, p.t)[p.c] = oldest[std::ptrdiff_t{p.t} * ring.row + p.c];
  }
};

// Transposed convolution: the products [frame][group][kernel][outputs] of a call, added up where
// they overlap, oldest first, on top of the sums that the call before left. Without a bias the
// first product of a sum is left as it is: -0 adds nothing to it.
struct Overlap {
  Timing timing;
  Memory products;
  int step;  // of its frames
  int kernel, stride, groups, outputs;
  const float* bias;
  Memory sums;  // [kernel - stride][channel]
  Signal y;
  Memory next;  // what is to become of the sums

  RTA_HD int channels() const { return groups * outputs; }
  RTA_HD Grid grid(int ticks) const {
    return {timing, timing.frames * ticks * stride + kernel - stride, channels()};
  }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const int frames = timing.frames * ticks;
    const int last = p.t / stride < frames - 1 ? p.t / stride : frames - 1;
    const int reach = p.t - (kernel - 1);
    const int first = reach > 0 ? (reach + stride - 1) / stride : 0;
    const float none = bias != nullptr ? 0.0f : -0.0f;
    float sum = p.t < kernel - stride ? sums.of(p.lane)[p.t * channels() + p.c] : none;
    for (int t = first; t <= last; ++t) {
      const int at = (p.c / outputs * kernel + p.t - t * stride) * outputs + p.c % outputs;
      sum = sum + products.of(p.lane)[std::ptrdiff_t{t} * step + at];
    }
    if (p.t < frames * stride) {
      y.at(p.lane, p.t)[p.c] = bias != nullptr ? sum + bias[p.c] : sum;
    } else {
      next.of(p.lane)[(p.t - frames * stride) * channels() + p.c] = sum;
    }
  }
};

// The same floats of every lane: what one work has prepared in scratch becomes state.
struct Move {
  Timing timing;
  Memory from, to;
  int count;

  RTA_HD Grid grid(int /*ticks*/) const { return {timing, 1, count}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    to.of(p.lane)[p.c] = from.of(p.lane)[p.c];
  }
};

// Where a call's signals are; they may be others at the next one.
struct Ports {
  const float* input;  // [lane][frame][channel], lanes input_step floats apart
  std::int64_t input_step;
  float* output;
  std::int64_t output_step;
  std::int32_t whole;  // the call brings whole signals, and nothing follows
  std::int32_t ticks;  // of the call
};

// From the caller's rows, which are dense, to a buffer's and back.
struct Enter {
  Timing timing;
  const Ports* ports;
  Signal y;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const float x =
        ports->input[p.lane * ports->input_step + std::ptrdiff_t{p.t} * y.channels + p.c];
    y.at(p.lane, p.t)[p.c] = is_sample(x) ? x : 0.0f;
  }
};
struct Leave {
  Timing timing;
  const Ports* ports;
  Signal x;

  RTA_HD Grid grid(int ticks) const { return {timing, x.frames * ticks, x.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    ports->output[p.lane * ports->output_step + std::ptrdiff_t{p.t} * x.channels + p.c] =
        x.at(p.lane, p.t)[p.c];
  }
};

// The end of a call.
struct Advance {
  std::int64_t* ticks;
  const std::int32_t* held;
  int lanes;

  RTA_HD std::int64_t items(int /*ticks*/) const { return lanes; }
  RTA_HD void operator()(int lane, int num_ticks) const {
    if (held[lane] == 0) ticks[lane] += num_ticks;
  }
};

}  // namespace rtaudio::gpu
