// What an autoregressive network's parameters say, and a value drawn from it
// (rtaudio/graph/heads.py): one truth for the engine's loop on the CPU and for the GPU's.
#pragma once

#include <cstdint>

#include "core/noise.h"
#include "core/sampler.h"
#include "core/vecmath.h"

namespace rtaudio::heads {

// Numbers (0, 1) of one position, one after the other from number `first` on.
class Uniforms {
 public:
  RTA_HD Uniforms(const noise::Source& source, std::int64_t position, std::uint32_t first)
      : source_(source), position_(position), next_(first / 4) {
    for (std::uint32_t i = 0; i < first % 4; ++i) next();
  }

  RTA_HD float next() {
    if (left_ == 0) {
      words_ = noise::draw(source_, position_, 0, next_++);
      left_ = 4;
    }
    const float u = noise::uniform(words_.w[0]);
    words_ = {{words_.w[1], words_.w[2], words_.w[3], 0}};  // no index: a GPU has it in registers
    --left_;
    return u;
  }

 private:
  noise::Source source_;
  std::int64_t position_;
  std::uint32_t next_;
  int left_ = 0;
  noise::Words words_{};
};

struct Sampler {
  enum class Mode { random, argmax, greedy, mode };
  Mode mode;
  float temperature;
  float voiced_scale;

  RTA_HD bool random(bool voiced) const {
    return mode != Mode::argmax && !(mode == Mode::greedy && voiced);
  }
  RTA_HD float scale(bool voiced) const {
    return mode == Mode::mode && voiced ? temperature * voiced_scale : temperature;
  }
};

// A code of `levels`, of which `decode` has the samples.
struct Softmax {
  Sampler sampler;
  int levels;
  const float* decode;

  // exp(sharpness (x - most)): a weight from a parameter.
  RTA_HD static float weight(float x, float most, float sharpness) {
    return math::exp(fma(sharpness, x, -most * sharpness));
  }
  RTA_HD float sample(float value) const {
    const int code = static_cast<int>(value);
    return decode[code < 0 ? 0 : code < levels ? code : levels - 1];
  }
};

struct Mixture {
  Sampler sampler;
  bool gaussian;
  int components;
  int values;  // of a step; more than one with a single component
  int levels;
  int mu_law_levels;
  float log_of_levels;
  float min_log_scale, max_log_scale, limit;

  RTA_HD int num_parameters() const { return components > 1 ? 3 * components : 2 * values; }

  // The component of the largest score is drawn.
  RTA_HD float score(float parameter, bool random, float u) const {
    return random ? parameter / sampler.temperature + sampler::gumbel(u) : parameter;
  }

  // The values of a step, drawn from a component.
  RTA_HD void draw(const float* parameters, int component, const noise::Source& source,
                   std::int64_t position, bool voiced, float* out) const {
    const bool random = sampler.random(voiced);
    const float* means = parameters + (components > 1 ? components + component : 0);
    const float* scales = means + (components > 1 ? components : values);
    const float temperature = sampler.scale(voiced);
    // The numbers after those that chose a component; pairs of them make Gaussian ones.
    Uniforms uniforms(source, position,
                      components > 1 ? static_cast<std::uint32_t>(components + 1) & ~1u : 0);
    noise::Pair pair{};
    for (int i = 0; i < values; ++i) {
      float x = means[i];
      if (random) {
        const float log_scale = max(min_log_scale, min(max_log_scale, scales[i]));
        float unit;
        if (gaussian) {
          if (i % 2 == 0) {
            const float u = uniforms.next();
            pair = noise::normal_pair(u, uniforms.next());
          }
          unit = i % 2 == 0 ? pair.first : pair.second;
        } else {
          unit = sampler::logistic(uniforms.next());
        }
        x = x + math::exp(log_scale) * temperature * unit;
      }
      out[i] = finish(x);
    }
  }

  RTA_HD float sample(float value) const {
    return mu_law_levels == 0 ? value
                              : sampler::mu_law_expand(value, static_cast<float>(mu_law_levels - 1),
                                                       log_of_levels);
  }

  // NaN becomes silence, so that it cannot live on in the queues.
  RTA_HD float finish(float x) const {
    if (!(abs(x) <= limit)) x = x > 0.0f ? limit : x < 0.0f ? -limit : 0.0f;
    return levels == 0 ? x : sampler::round_to_level(x, levels);
  }
};

}  // namespace rtaudio::heads
