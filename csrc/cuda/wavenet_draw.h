// The end of a step in the persistent WaveNet kernel: the first block draws values from what the
// network has made.
#pragma once

#include "cuda/wavenet_own.h"

namespace rtaudio::wavenet {

// Of one bunch and step.
template <class Links, int kLanes>
struct Drawer {
  const Own<kLanes>& own;
  Links& links;
  const float* parameters;
  int bunch, step;

  // The values, and the samples that they are.
  RTA_HD void run() {
    const Net& net = own.net;
    const heads::Sampler& how = net.softmax ? net.codes.sampler : net.mixture.sampler;
    if (how.random(false) && net.softmax) weigh();
    if (how.random(false) && !net.softmax && net.mixture.components > 1) compare();
    links.phase([&](Thread t) {
      t.each(kLanes, [&](int i) {
        if (own.is_active(bunch, i, step)) finish(i);
      });
    });
  }

 private:
  RTA_HD int lane(int i) const { return own.lane(bunch, i); }
  RTA_HD const float* x(int i) const {
    return parameters + i * port_row(own.net, matrix_input(own.net.num_matrices));
  }
  // Of each parameter one, and 2 * kRuns.
  RTA_HD float* scores(int i) const { return own.memory + own.room.sums + i * own.room.sums_row; }
  RTA_HD std::int64_t position(int i) const { return own.call.lane[lane(i)].position + step; }
  RTA_HD bool is_voiced(int i) const {
    const Call& call = own.call;
    return call.voiced &&
           own.condition(lane(i), step / call.hop)[2 * own.net.gate * own.net.num_layers] > 0.5f;
  }
  RTA_HD heads::Uniforms uniforms(int i, int first) const {
    return {own.call.lane[lane(i)].source, position(i), static_cast<std::uint32_t>(first)};
  }

  // Weights of the codes, and their runs' sums.
  RTA_HD void weigh() {
    const heads::Softmax& codes = own.net.codes;
    const int levels = codes.levels;
    links.phase([&](Thread t) {
      t.template each_of<kLanes>(sampler::kRuns, [&](int i, int run) {
        const float* y = x(i);
        float most = y[run < levels ? run : 0];
        for (int k = run; k < levels; k += sampler::kRuns) most = max(y[k], most);
        scores(i)[levels + run] = most;
      });
    });
    links.phase([&](Thread t) {
      t.template each_of<kLanes>(levels, [&](int i, int k) {
        const float* runs = scores(i) + levels;
        float most = runs[0];
        for (int run = 1; run < sampler::kRuns; ++run) most = max(runs[run], most);
        const float sharpness = 1.0f / codes.sampler.scale(is_voiced(i));
        scores(i)[k] = heads::Softmax::weight(x(i)[k], most, sharpness);
      });
    });
    links.phase([&](Thread t) {
      t.template each_of<kLanes>(sampler::kRuns, [&](int i, int run) {
        sampler::sum_runs(scores(i), levels, run, 1, scores(i) + levels + sampler::kRuns + run);
      });
    });
  }
  // The components' scores.
  RTA_HD void compare() {
    const heads::Mixture& mixture = own.net.mixture;
    links.phase([&](Thread t) {
      t.template each_of<kLanes>(mixture.components, [&](int i, int k) {
        scores(i)[k] = mixture.score(x(i)[k], true, uniforms(i, k).next());
      });
    });
  }

  // The prompt's values while it lasts, else a draw.
  RTA_HD void finish(int i) const {
    const Net& net = own.net;
    const Call& call = own.call;
    const Lane& here = call.lane[lane(i)];
    float* values = own.values(lane(i));
    if (position(i) < here.prompt_steps) {
      const float* prompt = here.prompt + position(i) * net.width;
      for (int k = 0; k < net.width; ++k) values[k] = prompt[k];
    } else {
      choose(i, values);
    }
    const std::int64_t sample = std::int64_t{here.first_frame} * call.hop + step;
    float* audio = call.audio + lane(i) * call.audio_lane + sample * call.audio_row;
    for (int k = 0; k < net.width; ++k) {
      audio[k] = net.softmax ? net.codes.sample(values[k]) : net.mixture.sample(values[k]);
    }
  }
  RTA_HD void choose(int i, float* values) const {
    const bool voiced = is_voiced(i);
    if (own.net.softmax) {
      const heads::Softmax& codes = own.net.codes;
      const float* sums = scores(i) + codes.levels + sampler::kRuns;
      values[0] = static_cast<float>(
          codes.sampler.random(voiced)
              ? sampler::pick(scores(i), codes.levels, sums, uniforms(i, 0).next())
              : sampler::argmax(x(i), codes.levels));
      return;
    }
    const heads::Mixture& mixture = own.net.mixture;
    const bool random = mixture.sampler.random(voiced);
    const int best =
        mixture.components > 1 ? sampler::argmax(random ? scores(i) : x(i), mixture.components) : 0;
    mixture.draw(x(i), best, own.call.lane[lane(i)].source, position(i), voiced, values);
  }
};

}  // namespace rtaudio::wavenet
