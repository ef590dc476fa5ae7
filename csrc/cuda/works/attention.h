// Attention of each frame over the last ones: those of this call stand in its rows, older ones in a
// ring, so that all frames of a call, and their heads, are looked at together.
#pragma once

#include "cuda/works/norms.h"

namespace rtaudio::gpu {

// [frames held, slot of the next one], then rows of keys and of values.
struct AttentionRing {
  Memory state;
  int frames;
  int row;
  int channels;

  RTA_HD int held(int lane) const { return static_cast<int>(state.of(lane)[0]); }
  RTA_HD int next(int lane) const { return static_cast<int>(state.of(lane)[1]); }
  RTA_HD float* keys(int lane, int slot) const {
    return state.of(lane) + 16 + std::ptrdiff_t{slot} * row;
  }
  RTA_HD float* values(int lane, int slot) const { return keys(lane, frames + slot); }
};

// A team a head of a frame.
struct Attend {
  static constexpr int kTeam = 64;
  Timing timing;
  AttentionRing ring;
  Signal x;  // queries, keys, values
  Signal y;
  int heads;
  float scale;
  Memory scores;  // [frame][head]: scores_row of them, largest ones, sums

  RTA_HD int scores_row() const { return (ring.frames + 15) / 16 * 16; }
  RTA_HD int floats() const { return scores_row() + 2 * kSumLanes; }
  RTA_HD std::int64_t teams(int ticks) const {
    return places(timing.lanes, timing.frames * ticks, heads);
  }
  RTA_HD int phases(int /*ticks*/) const { return 4; }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const Place p(team, timing.frames * ticks, heads);
    if (timing.held[p.lane] != 0) return;
    const int channels = ring.channels / heads, first = p.c * channels;
    const Span span = timing.span(p.lane, ticks);
    float* const to = y.at(p.lane, p.t) + first;
    if (!span.contains(p.t)) {
      for (int c = thread; phase == 0 && c < channels; c += kTeam) to[c] = 0.0f;
      return;
    }
    const int come = p.t - span.begin + 1, held = ring.held(p.lane);
    const int count = held + come < ring.frames ? held + come : ring.frames;
    float* const score = scores.of(p.lane) + (std::ptrdiff_t{p.t} * heads + p.c) * floats();
    float* const most = score + scores_row();
    float* const sums = most + kSumLanes;
    // Number j of the frames looked at, the oldest first: its key or (part 1) its value.
    const auto past = [&](int j, int part) {
      const int t = come - count + j;  // counted from the call's first
      if (t >= 0) return x.at(p.lane, span.begin + t) + (1 + part) * ring.channels + first;
      const int slot = (ring.next(p.lane) + t + ring.frames) % ring.frames;
      return (part == 0 ? ring.keys(p.lane, slot) : ring.values(p.lane, slot)) + first;
    };
    if (phase == 0) {
      const float* const query = x.at(p.lane, p.t) + first;
      for (int j = thread; j < count; j += kTeam) {
        const float* const key = past(j, 0);
        score[j] = scale * sum_in_lanes(channels, [&](int c, float sum) {
                     return fma(query[c], key[c], sum);
                   });
      }
    } else if (phase == 1 && thread < kSumLanes) {
      float largest = score[0];
      for (int j = thread; j < count; j += kSumLanes) largest = max(score[j], largest);
      most[thread] = largest;
    } else if (phase == 2 && thread < kSumLanes) {
      float largest = most[0];
      for (int i = 1; i < kSumLanes; ++i) largest = max(most[i], largest);
      float sum = 0.0f;
      for (int j = thread; j < count; j += kSumLanes) {
        score[j] = math::exp(score[j] - largest);
        sum = sum + score[j];
      }
      sums[thread] = sum;
    } else if (phase == 3) {
      const float inverse = 1.0f / sum_lanes(sums);
      for (int c = thread; c < channels; c += kTeam) {
        float sum = 0.0f;
        for (int j = 0; j < count; ++j) sum = fma(score[j], past(j, 1)[c], sum);
        to[c] = sum * inverse;
      }
    }
  }
};

// The call's last frames enter the ring.
struct KeepKeys {
  Timing timing;
  AttentionRing ring;
  Signal x;

  RTA_HD Grid grid(int ticks) const { return {timing, timing.frames * ticks, ring.channels}; }
  RTA_HD void operator()(const Place& p, int ticks) const {
    const Span span = timing.span(p.lane, ticks);
    if (!span.contains(p.t) || span.end - p.t > ring.frames) return;
    const int slot = (ring.next(p.lane) + p.t - span.begin) % ring.frames;
    const float* const from = x.at(p.lane, p.t) + ring.channels + p.c;
    ring.keys(p.lane, slot)[p.c] = from[0];
    ring.values(p.lane, slot)[p.c] = from[ring.channels];
  }
};
// After it: how many are held.
struct CountHeld {
  Timing timing;
  AttentionRing ring;

  RTA_HD std::int64_t items(int /*ticks*/) const { return timing.lanes; }
  RTA_HD void operator()(int lane, int ticks) const {
    if (timing.held[lane] != 0) return;
    const Span span = timing.span(lane, ticks);
    const int come = span.end - span.begin, held = ring.held(lane) + come;
    const int next = (ring.next(lane) + come) % ring.frames;
    ring.state.of(lane)[0] = static_cast<float>(held < ring.frames ? held : ring.frames);
    ring.state.of(lane)[1] = static_cast<float>(next);
  }
};

}  // namespace rtaudio::gpu
