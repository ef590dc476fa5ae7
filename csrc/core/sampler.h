// Draws from the distributions of autoregressive networks (rtaudio/graph/feedback.py). Sums have
// one order and the noise is core/noise.h's, so that a run can be repeated anywhere.
#pragma once

#include <cstdint>

#include "core/noise.h"
#include "core/vecmath.h"

namespace rtaudio::sampler {

// The index of the largest value, the first one of several.
RTA_HD int argmax(const float* x, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i) best = x[i] > x[best] ? i : best;
  return best;
}

RTA_HD float largest(const float* x, int count) {
  constexpr int kLanes = 32;  // independent, for their speed: a maximum has no order
  float most[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) most[lane] = x[0];
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) most[lane] = max(x[i + lane], most[lane]);
  }
  for (; i < count; ++i) most[0] = max(x[i], most[0]);
  for (int lane = 1; lane < kLanes; ++lane) most[0] = max(most[lane], most[0]);
  return most[0];
}

// A categorical draw sums its weights in runs of equal length, each from its begin; threads of a
// GPU take runs of their own.
constexpr int kRuns = 16;
RTA_HD int run_length(int count) { return (count + kRuns - 1) / kRuns; }

// The sums of the runs [first, first + num); processors look far enough ahead to take several.
RTA_HD void sum_runs(const float* weights, int count, int first, int num, float* sums) {
  const int length = run_length(count);
  for (int run = 0; run < num; ++run) {
    int at = (first + run) * length;
    const int end = at + length < count ? at + length : count;
    float sum = 0.0f;
    for (; at < end; ++at) sum += weights[at];
    sums[run] = sum;
  }
}

// The first index whose cumulative weight is above u times the sum of all runs, u in (0, 1).
RTA_HD int pick(const float* weights, int count, const float* sums, float u) {
  float total = 0.0f;
  for (int run = 0; run < kRuns; ++run) total += sums[run];
  const float wanted = u * total;
  float below = 0.0f;
  int run = 0;
  while (run < kRuns - 1 && below + sums[run] <= wanted) below += sums[run++];
  float sum = 0.0f;
  int last = 0;
  const int first = run * run_length(count);
  const int end = first + run_length(count) < count ? first + run_length(count) : count;
  for (int at = first; at < end; ++at) {
    if (weights[at] <= 0.0f) continue;
    last = at;
    sum += weights[at];
    if (below + sum > wanted) break;
  }
  return last;
}

RTA_HD int categorical(const float* weights, int count, float u) {
  float sums[kRuns];
  sum_runs(weights, count, 0, kRuns, sums);
  return pick(weights, count, sums, u);
}

// ln u - ln(1 - u): a logistic number of scale 1.
RTA_HD float logistic(float u) { return noise::log(u) - noise::log(1.0f - u); }

// Added to logits, the largest sum is a draw from their softmax (Gumbel, 1954).
RTA_HD float gumbel(float u) { return -noise::log(-noise::log(u)); }

// The nearest of `levels` in [-1, 1].
RTA_HD float round_to_level(float x, int levels) {
  const float half = 0.5f * static_cast<float>(levels - 1);
  const float code = static_cast<float>(static_cast<std::int32_t>((x + 1.0f) * half + 0.5f));
  return code / half - 1.0f;
}

// The inverse of mu-law companding, mu = levels - 1 (1609.03499, section 2.2).
RTA_HD float mu_law_expand(float y, float mu, float log_of_levels) {
  const float size = (math::exp(abs(y) * log_of_levels) - 1.0f) / mu;
  return y < 0.0f ? -size : size;
}

}  // namespace rtaudio::sampler
