// The end of a step in the persistent WaveNet kernel: the first block draws values from what the
// network has made.
#pragma once

#include "cuda/wavenet_net.h"

namespace rtaudio::wavenet {

struct Thread {
  int index, count;

  // What falls to this one of `items`.
  template <class F>
  RTA_HD void each(int items, const F& f) const {
    for (int i = index; i < items; i += count) f(i);
  }
};

// Of one lane and step. `scores`: room for one a parameter and 2 * kRuns.
template <class Links>
struct Drawer {
  const Net& net;
  const Call& call;
  Links& links;
  float* scores;
  const float* x;  // parameters
  int lane;
  std::int64_t position;

  // The values, and the samples that they are.
  RTA_HD void run(int step, int frame, float* values) {
    const bool given = position < call.lane[lane].prompt_steps;
    const bool voiced = call.voiced && flag(frame) > 0.5f;
    const heads::Sampler& how = net.softmax ? net.codes.sampler : net.mixture.sampler;
    const bool random = !given && how.random(voiced);
    if (random && net.softmax) weigh(voiced);
    if (random && !net.softmax && net.mixture.components > 1) compare();
    links.phase([&](Thread t) {
      if (t.index != 0) return;
      if (given) {
        const float* prompt = call.lane[lane].prompt + position * net.width;
        for (int i = 0; i < net.width; ++i) values[i] = prompt[i];
      } else {
        choose(voiced, random, values);
      }
      const std::int64_t sample = std::int64_t{call.lane[lane].first_frame} * call.hop + step;
      float* audio = call.audio + lane * call.audio_lane + sample * call.audio_row;
      for (int i = 0; i < net.width; ++i) {
        audio[i] = net.softmax ? net.codes.sample(values[i]) : net.mixture.sample(values[i]);
      }
    });
  }

 private:
  RTA_HD float flag(int frame) const {
    return call.condition[lane * call.condition_lane + frame * call.condition_row +
                          2 * net.gate * net.num_layers];
  }
  RTA_HD heads::Uniforms uniforms(int first) const {
    return {call.lane[lane].source, position, static_cast<std::uint32_t>(first)};
  }

  // Weights of the codes, and their runs' sums.
  RTA_HD void weigh(bool voiced) {
    const int levels = net.codes.levels;
    float* runs = scores + levels;
    links.phase([&](Thread t) {
      t.each(sampler::kRuns, [&](int run) {
        float most = x[run < levels ? run : 0];
        for (int i = run; i < levels; i += sampler::kRuns) most = max(x[i], most);
        runs[run] = most;
      });
    });
    links.phase([&](Thread t) {
      float most = runs[0];
      for (int run = 1; run < sampler::kRuns; ++run) most = max(runs[run], most);
      const float sharpness = 1.0f / net.codes.sampler.scale(voiced);
      t.each(levels, [&](int i) { scores[i] = heads::Softmax::weight(x[i], most, sharpness); });
    });
    links.phase([&](Thread t) {
      t.each(sampler::kRuns, [&](int run) {
        sampler::sum_runs(scores, levels, run, 1, runs + sampler::kRuns + run);
      });
    });
  }
  // The components' scores.
  RTA_HD void compare() {
    links.phase([&](Thread t) {
      t.each(net.mixture.components,
             [&](int k) { scores[k] = net.mixture.score(x[k], true, uniforms(k).next()); });
    });
  }

  RTA_HD void choose(bool voiced, bool random, float* values) const {
    const heads::Mixture& mixture = net.mixture;
    if (net.softmax) {
      const int levels = net.codes.levels;
      const float* sums = scores + levels + sampler::kRuns;
      values[0] =
          static_cast<float>(random ? sampler::pick(scores, levels, sums, uniforms(0).next())
                                    : sampler::argmax(x, levels));
      return;
    }
    const int best =
        mixture.components > 1 ? sampler::argmax(random ? scores : x, mixture.components) : 0;
    mixture.draw(x, best, call.lane[lane].source, position, voiced, values);
  }
};

}  // namespace rtaudio::wavenet
