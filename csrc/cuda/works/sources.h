// Sources: noise, and pulses that keep a phase.
#pragma once

#include "core/pulse.h"
#include "core/refine.h"
#include "cuda/lanes.h"

namespace rtaudio::gpu {

// Numbers of variance 1: `entries` times `values` of them a frame, zeros where the input has none.
// Entry e of frame t is of position t * hop + first + e * position_step, step + e * step_step.
struct Draw {
  Timing timing;
  Memory noise;  // which one, as noise::source_of has it
  std::uint32_t site;
  Signal y;
  int entries, values;
  int hop, first, position_step;
  int step, step_step;

  RTA_HD int draws() const { return (values + 3) / 4; }
  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, entries * draws()}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const int entry = p.c / draws(), index = p.c % draws();
    const int count = values - 4 * index < 4 ? values - 4 * index : 4;
    const Span span = timing.span(p.lane, ticks);
    float z[4] = {};
    if (span.contains(p.t)) {
      const std::int64_t position =
          (span.position + p.t - timing.delay) * hop + first + std::int64_t{entry} * position_step;
      refine::normals_of_draw(noise::source_of(noise.of(p.lane), site), position,
                              static_cast<std::uint32_t>(step + entry * step_step),
                              static_cast<std::uint32_t>(index), count, z);
    }
    float* const to = y.at(p.lane, p.t) + entry * values + 4 * index;
    for (int k = 0; k < 4; ++k) {
      if (k < count) to[k] = z[k];
    }
  }
};

// Each thread of a team has some frames side by side: first their sum of phases, then the pulses.
struct PulseTrain {
  static constexpr int kTeam = 128;
  Timing timing;
  Signal x, y;
  Memory state;
  Memory sums;  // one a thread, and one

  RTA_HD std::int64_t teams(int /*ticks*/) const { return timing.lanes; }
  RTA_HD int phases(int /*ticks*/) const { return 3; }
  RTA_HD void operator()(int lane, int phase, int thread, int ticks) const {
    if (timing.held[lane] != 0) return;
    const Span span = timing.span(lane, ticks);
    const int each = (span.frames + kTeam - 1) / kTeam;
    const int end = (thread + 1) * each < span.frames ? (thread + 1) * each : span.frames;
    auto* const sum = reinterpret_cast<std::uint32_t*>(sums.of(lane));
    if (phase == 2) {
      if (thread == 0) pulse::store(state.of(lane), sum[kTeam]);
      return;
    }
    std::uint32_t turns = 0;
    if (phase == 1) {
      turns = pulse::load(state.of(lane));
      for (int i = 0; i < thread; ++i) turns += sum[i];
    }
    for (int t = thread * each; t < end; ++t) {
      const bool valid = span.contains(t);
      const float f = pulse::bounded(x.at(lane, t)[0]);
      if (phase == 1) y.at(lane, t)[0] = valid ? pulse::value(f, turns) : 0.0f;
      if (valid) turns += pulse::advance(f);
    }
    if (phase == 0) {
      sum[thread] = turns;
    } else if (thread == kTeam - 1) {
      sum[kTeam] = turns;
    }
  }
};

}  // namespace rtaudio::gpu
