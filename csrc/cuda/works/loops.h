// The steps of a loop (model/layers/feedback.cpp), of which each round of a section makes one in
// every lane: the body's source is put together, the body's own works follow, a value is drawn.
#pragma once

#include "core/heads.h"
#include "cuda/works/rings.h"

namespace rtaudio::gpu {

// Of a lane's state behind its values: noise, then the prompt's address and its steps.
RTA_HD std::int64_t prompt_steps_of(const float* state) {
  return static_cast<std::int64_t>(std::uint64_t{as_int(state[7])} << 32 | as_int(state[6]));
}

// The lanes of a loop: those that make a step in this round go on, the others are held.
struct LoopLanes {
  std::int64_t* steps;   // [lane] before this one
  std::int32_t* held;    // [lane]
  std::int32_t* rounds;  // [lane] of this call
};

// What a loop's works know. A lane's state begins with its last values, its noise and its prompt.
struct Loop {
  Timing timing;  // of the input
  const Ports* ports;
  LoopLanes lanes;
  Memory state;
  int width;
  int hop;
  Signal input, output;

  RTA_HD int frame(int lane) const { return lanes.rounds[lane] / hop; }
  RTA_HD bool takes_step(int lane) const {
    return timing.held[lane] == 0 && timing.span(lane, ports->ticks).contains(frame(lane));
  }
  RTA_HD std::int64_t step(int lane) const {
    return (timing.position(lane) + frame(lane) - timing.delay) * hop + lanes.rounds[lane] % hop;
  }
};

// Before the first round: frames outside the signal are zeros.
struct LoopBegin {
  Loop loop;

  RTA_HD std::int64_t items(int ticks) const {
    return places(loop.timing.lanes, loop.output.frames * ticks, loop.width);
  }
  RTA_HD void operator()(int item, int ticks) const {
    const Place p(item, loop.output.frames * ticks, loop.width);
    if (p.t == 0 && p.c == 0) loop.lanes.rounds[p.lane] = 0;
    if (loop.timing.held[p.lane] != 0) return;
    if (!loop.timing.span(p.lane, ticks).contains(p.t / loop.hop)) {
      loop.output.at(p.lane, p.t)[p.c] = 0.0f;
    }
  }
};

// A round begins: [condition; the values before].
struct LoopSource {
  Loop loop;
  int condition;
  Signal source;

  RTA_HD std::int64_t items(int /*ticks*/) const {
    return places(loop.timing.lanes, 1, source.channels);
  }
  RTA_HD void operator()(int item, int /*ticks*/) const {
    const Place p(item, 1, source.channels);
    const bool goes_on = loop.takes_step(p.lane);
    if (p.c == 0) {
      loop.lanes.held[p.lane] = goes_on ? 0 : 1;
      if (goes_on) loop.lanes.steps[p.lane] = loop.step(p.lane);
    }
    if (!goes_on) return;
    source.at(p.lane, 0)[p.c] = p.c < condition ? loop.input.at(p.lane, loop.frame(p.lane))[p.c]
                                                : loop.state.of(p.lane)[p.c - condition];
  }
};

// A round ends: a team draws a lane's next values.
struct LoopDraw {
  static constexpr int kTeam = 128;

  Loop loop;
  bool is_softmax;
  heads::Softmax codes;
  heads::Mixture mixture;
  int voiced_at;  // the channel that says so; -1: none does
  std::uint32_t site;
  Signal parameters;
  const float* const* prompts;  // [lane]
  Memory scores;                // one a parameter, and 2 * kRuns

  RTA_HD std::int64_t teams(int /*ticks*/) const { return loop.timing.lanes; }
  RTA_HD int phases(int /*ticks*/) const { return 4; }

  RTA_HD void operator()(int lane, int phase, int thread, int /*ticks*/) const {
    if (loop.lanes.held[lane] == 0) take_part(lane, phase, thread);
    if (phase == 3 && thread == 0) ++loop.lanes.rounds[lane];
  }

 private:
  RTA_HD void take_part(int lane, int phase, int thread) const {
    const float* const x = parameters.at(lane, 0);
    const heads::Sampler& how = is_softmax ? codes.sampler : mixture.sampler;
    const bool given = is_given(lane), voiced = is_voiced(lane);
    const bool random = !given && how.random(voiced);
    if (phase == 3) {
      if (thread == 0) end(lane, x, given, voiced, random);
    } else if (random && is_softmax) {
      weigh(x, scores.of(lane), phase, thread, voiced);
    } else if (random && mixture.components > 1 && phase == 0) {
      for (int k = thread; k < mixture.components; k += kTeam) {
        scores.of(lane)[k] = mixture.score(x[k], true, uniforms(lane, k).next());
      }
    }
  }

  RTA_HD std::int64_t prompt_steps(int lane) const {
    return prompt_steps_of(loop.state.of(lane) + loop.width);
  }
  RTA_HD bool is_given(int lane) const { return loop.lanes.steps[lane] < prompt_steps(lane); }
  RTA_HD bool is_voiced(int lane) const {
    return voiced_at >= 0 && loop.input.at(lane, loop.frame(lane))[voiced_at] > 0.5f;
  }
  RTA_HD noise::Source source(int lane) const {
    return noise::source_of(loop.state.of(lane) + loop.width, site);
  }
  RTA_HD heads::Uniforms uniforms(int lane, int first) const {
    return {source(lane), loop.lanes.steps[lane], static_cast<std::uint32_t>(first)};
  }

  // Weights of the codes, and their runs' sums.
  RTA_HD void weigh(const float* x, float* weights, int phase, int thread, bool voiced) const {
    const int levels = codes.levels;
    float* const runs = weights + levels;
    if (phase == 0 && thread < sampler::kRuns) {
      float most = x[thread < levels ? thread : 0];
      for (int i = thread; i < levels; i += sampler::kRuns) most = max(x[i], most);
      runs[thread] = most;
    } else if (phase == 1) {
      float most = runs[0];
      for (int run = 1; run < sampler::kRuns; ++run) most = max(runs[run], most);
      const float sharpness = 1.0f / codes.sampler.scale(voiced);
      for (int i = thread; i < levels; i += kTeam) {
        weights[i] = heads::Softmax::weight(x[i], most, sharpness);
      }
    } else if (phase == 2 && thread < sampler::kRuns) {
      sampler::sum_runs(weights, levels, thread, 1, runs + sampler::kRuns + thread);
    }
  }

  RTA_HD void end(int lane, const float* x, bool given, bool voiced, bool random) const {
    float* const values = loop.state.of(lane);
    const float* const found = scores.of(lane);
    const std::int64_t step = loop.lanes.steps[lane];
    if (given) {
      for (int i = 0; i < loop.width; ++i) values[i] = prompts[lane][step * loop.width + i];
    } else if (is_softmax) {
      const float* sums = found + codes.levels + sampler::kRuns;
      values[0] = static_cast<float>(
          random ? sampler::pick(found, codes.levels, sums, uniforms(lane, 0).next())
                 : sampler::argmax(x, codes.levels));
    } else {
      const int best =
          mixture.components > 1 ? sampler::argmax(random ? found : x, mixture.components) : 0;
      mixture.draw(x, best, source(lane), step, voiced, values);
    }
    float* const to = loop.output.at(lane, loop.lanes.rounds[lane]);
    for (int i = 0; i < loop.width; ++i) {
      to[i] = is_softmax ? codes.sample(values[i]) : mixture.sample(values[i]);
    }
    // A prompt that is used up is forgotten; the state can be saved from here on.
    if (given && step + 1 >= prompt_steps(lane)) {
      for (int i = 0; i < 4; ++i) values[loop.width + 4 + i] = 0.0f;
    }
  }
};

}  // namespace rtaudio::gpu
