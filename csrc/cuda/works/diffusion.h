// A refinement's steps (model/layers/refine.cpp), each for all frames of a call. Indices count a
// lane's frames; a step works on frames that lie behind those of the call by what it and those
// before it look ahead.
#pragma once

#include "core/noise.h"
#include "core/refine.h"
#include "cuda/works/stacks.h"

namespace rtaudio::gpu {

RTA_HD std::int64_t slot_of(std::int64_t index, std::int64_t frames) {
  // Twice as fast, most of the time.
  if ((index | frames) >> 31 == 0) {
    return static_cast<std::uint32_t>(index) % static_cast<std::uint32_t>(frames);
  }
  const std::int64_t slot = index % frames;
  return slot < 0 ? slot + frames : slot;
}

// Rows of a ring of floats or of bf16.
struct Store {
  Memory memory;
  std::int64_t frames;
  int row;
  bool halves;

  RTA_HD std::ptrdiff_t at(std::int64_t index) const { return slot_of(index, frames) * row; }
  RTA_HD void put(int lane, std::int64_t index, int c, float x) const {
    put_at(memory.of(lane), at(index) + c, x);
  }
  RTA_HD void put_at(float* of_lane, std::ptrdiff_t at, float x) const {
    if (halves) {
      reinterpret_cast<std::uint16_t*>(of_lane)[at] = to_bf16(x);
    } else {
      of_lane[at] = x;
    }
  }
};

// What all works of a refinement know.
struct Refinement {
  Timing timing;
  Memory state;  // begins with the lane's noise
  Memory flags;  // [channel][frames]: 1 inside the signal, then the spread or the given noise
  Store condition;
  std::int64_t frames;  // of the ring of flags
  int flag_rows;
  int values;
  bool given;
  bool clip;
  int steps;
  std::uint32_t site;

  RTA_HD bool inside(int lane, std::int64_t index) const {
    return flags.of(lane)[slot_of(index, frames)] > 0.0f;
  }
  // Value v of the noise of a frame inside the signal, for the step that `left` more follow.
  RTA_HD float noise(int lane, std::int64_t index, int left, int v) const {
    const float* row = flags.of(lane) + frames + slot_of(index, frames);
    if (given) return row[(std::int64_t{steps - left} * values + v) * frames];
    float z[4] = {};
    const int draw = v / 4, count = values - 4 * draw;
    refine::normals_of_draw(noise::source_of(state.of(lane), site), index - timing.delay,
                            static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(draw),
                            count < 4 ? count : 4, z);
    const int at = v % 4;
    return *row * (at == 0 ? z[0] : at == 1 ? z[1] : at == 2 ? z[2] : z[3]);
  }
};

// The condition, and what is known of the call's frames.
struct TakeCondition {
  Refinement how;
  Signal x;
  int channels;  // of the condition

  RTA_HD int width() const { return how.condition.row + how.flag_rows; }
  RTA_HD Grid grid(int ticks) const { return {how.timing, how.timing.frames * ticks, width()}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const Span span = how.timing.span(p.lane, ticks);
    const std::int64_t index = span.position + p.t;
    const bool valid = span.contains(p.t);
    const float* row = x.at(p.lane, p.t);
    if (p.c < how.condition.row) {
      how.condition.put(p.lane, index, p.c, valid && p.c < channels ? row[p.c] : 0.0f);
      return;
    }
    const int i = p.c - how.condition.row;
    const float value = i == 0 || x.channels == channels ? 1.0f : row[channels + i - 1];
    how.flags.of(p.lane)[i * how.frames + slot_of(index, how.frames)] = valid ? value : 0.0f;
  }
};

// Before the first step (step -1) x is noise; after each other one it is what the step makes of it.
// x goes to the output and into the ring where the next step will look for it.
struct RefineStep {
  Refinement how;
  int step;
  refine::Step coefficients;
  std::int64_t ahead;  // of the network
  Signal x;
  Memory found;       // [frame][values]: of frames `ahead` behind those of the step
  Memory previous;    // the step's ring of x
  Memory next;        // the next step's; null after the last
  std::int64_t ring;  // frames of these

  RTA_HD Grid grid(int ticks) const { return {how.timing, how.timing.frames * ticks, how.values}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const std::int64_t index = how.timing.position(p.lane) + p.t - (step + 1) * ahead;
    const float value = how.inside(p.lane, index) ? make(p, index) : 0.0f;
    x.at(p.lane, p.t)[p.c] = value;
    if (next.data != nullptr) next.of(p.lane)[slot_of(index, ring) * how.values + p.c] = value;
  }

 private:
  RTA_HD float make(const Place& p, std::int64_t index) const {
    const int left = how.steps - 1 - step;
    if (step < 0) return how.noise(p.lane, index, left, p.c);
    const float z = coefficients.deviation > 0.0f ? how.noise(p.lane, index, left, p.c) : 0.0f;
    const float before = previous.of(p.lane)[slot_of(index, ring) * how.values + p.c];
    return refine::update(coefficients, before,
                          found.of(p.lane)[std::ptrdiff_t{p.t} * how.values + p.c], z, how.clip);
  }
};

}  // namespace rtaudio::gpu
