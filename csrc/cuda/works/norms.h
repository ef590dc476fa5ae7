// Norms over the channels of a frame, sums in 16 lanes as cpu/kernels.h says: one thread a row
// where rows are short, else 16.
#pragma once

#include "core/vecmath.h"
#include "cuda/lanes.h"

namespace rtaudio::gpu {

constexpr int kSumLanes = 16;
RTA_HD float sum_lanes(const float* lanes) {
  float part[kSumLanes];
  for (int i = 0; i < kSumLanes; ++i) part[i] = lanes[i];
  for (int half = kSumLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) part[i] = part[i] + part[i + half];
  }
  return part[0];
}

// add(c, sum) of a lane's sum for all c < n, each in its lane.
template <class Add>
RTA_HD float sum_in_lanes(int n, const Add& add) {
  float lanes[kSumLanes];
  for (float& lane : lanes) lane = 0.0f;
  for (int first = 0; first < n; first += kSumLanes) {
    for (int i = 0; i < kSumLanes; ++i) {
      if (first + i < n) lanes[i] = add(first + i, lanes[i]);
    }
  }
  return sum_lanes(lanes);
}

// A norm over each of `bands` groups of a frame's channels.
struct Norm {
  Timing timing;
  Signal x, y;
  int bands;
  const float* scale;
  const float* bias;
  float eps;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, bands}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const int n = y.channels / bands;
    const float* in = x.at(p.lane, p.t) + p.c * n;
    float* out = y.at(p.lane, p.t) + p.c * n;
    float mean, variance;
    moments(in, n, &mean, &variance);
    const float inverse = 1.0f / sqrt(variance + eps);
    for (int c = 0; c < n; ++c) out[c] = fma((in[c] - mean) * inverse, scale[c], bias[c]);
  }

  RTA_HD static void moments(const float* x, int n, float* mean, float* variance) {
    *mean = sum_in_lanes(n, [&](int c, float sum) { return sum + x[c]; }) / static_cast<float>(n);
    const auto add_square = [&](int c, float sum) {
      const float d = x[c] - *mean;
      return fma(d, d, sum);
    };
    *variance = sum_in_lanes(n, add_square) / static_cast<float>(n);
  }
};

// Rows of a signal, each of a group of a frame's channels: 16 threads a row.
struct LongRows {
  static constexpr int kTeam = 128;
  static constexpr int kRows = kTeam / kSumLanes;
  static constexpr int kFloats = 2 * kSumLanes;  // of a row's sums
  Timing timing;
  Signal x;
  int bands;
  Memory sums;  // [row]: of values, then of squares

  RTA_HD int channels() const { return x.channels / bands; }
  RTA_HD std::int64_t teams(int ticks) const {
    return (places(timing.lanes, x.frames * ticks, bands) + kRows - 1) / kRows;
  }

  // A thread's row: where it is, and which of its lanes are the thread's.
  struct Part {
    Place row;
    int first;
    bool wanted;
    const float* x;
    float* sums;
  };
  RTA_HD Part part(int team, int thread, int ticks) const {
    const int frames = x.frames * ticks, row = team * kRows + thread / kSumLanes;
    const bool exists = row < places(timing.lanes, frames, bands);
    const Place p(exists ? row : 0, frames, bands);
    return {p, thread % kSumLanes, exists && timing.held[p.lane] == 0,
            x.at(p.lane, p.t) + p.c * channels(),
            sums.of(p.lane) + (std::ptrdiff_t{p.t} * bands + p.c) * kFloats};
  }
  RTA_HD float mean(const Part& at) const {
    return sum_lanes(at.sums) / static_cast<float>(channels());
  }
  RTA_HD float variance(const Part& at) const {
    return sum_lanes(at.sums + kSumLanes) / static_cast<float>(channels());
  }
  // Phases 0 and 1; both moments are there after them.
  RTA_HD void sum(const Part& at, int phase) const {
    float sum = 0.0f;
    if (phase == 0) {
      for (int c = at.first; c < channels(); c += kSumLanes) sum = sum + at.x[c];
    } else {
      const float middle = mean(at);
      for (int c = at.first; c < channels(); c += kSumLanes) {
        const float d = at.x[c] - middle;
        sum = fma(d, d, sum);
      }
    }
    at.sums[phase * kSumLanes + at.first] = sum;
  }
};

struct LongNorm {
  static constexpr int kTeam = LongRows::kTeam;
  LongRows rows;
  Signal y;
  const float* scale;
  const float* bias;
  float eps;

  RTA_HD std::int64_t teams(int ticks) const { return rows.teams(ticks); }
  RTA_HD int phases(int /*ticks*/) const { return 3; }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const LongRows::Part at = rows.part(team, thread, ticks);
    if (!at.wanted) return;
    if (phase < 2) return rows.sum(at, phase);
    const float mean = rows.mean(at), inverse = 1.0f / sqrt(rows.variance(at) + eps);
    float* const out = y.at(at.row.lane, at.row.t) + at.row.c * rows.channels();
    for (int c = at.first; c < rows.channels(); c += kSumLanes) {
      out[c] = fma((at.x[c] - mean) * inverse, scale[c], bias[c]);
    }
  }
};

// Mean and variance of each row.
struct Moments {
  static constexpr int kTeam = LongRows::kTeam;
  LongRows rows;
  Memory found;  // [row][2]

  RTA_HD std::int64_t teams(int ticks) const { return rows.teams(ticks); }
  RTA_HD int phases(int /*ticks*/) const { return 3; }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const LongRows::Part at = rows.part(team, thread, ticks);
    if (!at.wanted) return;
    if (phase < 2) return rows.sum(at, phase);
    float* const to =
        found.of(at.row.lane) + (std::ptrdiff_t{at.row.t} * rows.bands + at.row.c) * 2;
    if (at.first == 0) to[0] = rows.mean(at);
    if (at.first == 1) to[1] = rows.variance(at);
  }
};

}  // namespace rtaudio::gpu
