// What the works of a session know of its lanes, and where signals, states and weights lie. All
// pointers are the device's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/platform.h"

namespace rtaudio::gpu {

// Frames [begin, end) of a call's `frames` belong to the signal; `position` were before them.
struct Span {
  std::int64_t position;
  int frames;
  int begin, end;

  RTA_HD bool contains(int t) const { return t >= begin && t < end; }
};

// When an operation's first input is valid, in every lane.
struct Timing {
  const std::int64_t* ticks;    // [lane] of the calls before
  const std::int32_t* held;     // [lane] 1: the lane is left alone
  const std::int64_t* lengths;  // [lane] valid frames of the shortest input, each `lengths_step` on
  int lengths_step;
  int lanes;
  int frames;  // of the first input, per tick
  int delay;

  RTA_HD std::int64_t position(int lane) const { return ticks[lane] * frames; }
  RTA_HD Span span(int lane, int num_ticks) const {
    Span span{position(lane), frames * num_ticks, 0, 0};
    span.begin = clip(delay - span.position, span.frames);
    const int end =
        clip(delay + lengths[std::ptrdiff_t{lane} * lengths_step] - span.position, span.frames);
    span.end = end > span.begin ? end : span.begin;
    return span;
  }

 private:
  RTA_HD static int clip(std::int64_t t, int frames) {
    return t < 0 ? 0 : t > frames ? frames : static_cast<int>(t);
  }
};

// Some floats of each lane.
struct Memory {
  float* data = nullptr;
  std::int64_t lane_step = 0;

  RTA_HD float* of(int lane) const { return data + lane * lane_step; }
  RTA_HD Memory after(std::int64_t floats) const { return {data + floats, lane_step}; }
};

// A buffer: rows of each lane.
struct Signal {
  Memory memory;
  int row = 0;
  int channels = 0;
  int frames = 0;  // per tick

  RTA_HD float* at(int lane, int t) const { return memory.of(lane) + std::ptrdiff_t{t} * row; }
};

// The thread that does number `item` of [lane][frame][channel].
struct Place {
  int lane, t, c;

  RTA_HD Place(int item, int frames, int channels)
      : lane(item / channels / frames), t(item / channels % frames), c(item % channels) {}
};

// The number of all of them.
RTA_HD std::int64_t places(int lanes, int frames, int channels) {
  return std::int64_t{lanes} * frames * channels;
}

// The places of a work that leaves held lanes alone.
struct Grid {
  const Timing& timing;
  int frames;
  int channels;
};

// One of some floats in registers, which have no addresses, in a loop that is not written out.
template <int N>
RTA_HD float one_of(const float (&values)[N], int i) {
  float value = values[0];
  RTA_UNROLL
  for (int k = 1; k < N; ++k) value = i == k ? values[k] : value;
  return value;
}
template <int N>
RTA_HD void set_one_of(float (&values)[N], int i, float value) {
  RTA_UNROLL
  for (int k = 0; k < N; ++k) values[k] = i == k ? value : values[k];
}

// A ring of rows written twice (model/ring.h), of which each lane has one.
struct RingRows {
  Memory memory;
  int row = 0;
  int history = 0;
  int size = 0;  // rows

  // The row `history` before that of `position`.
  RTA_HD float* oldest(int lane, std::int64_t position) const {
    const int at = static_cast<int>(position % size);
    const int row_at = at >= history ? at - history : at + size - history;
    return memory.of(lane) + std::ptrdiff_t{row_at} * row;
  }
};

}  // namespace rtaudio::gpu
