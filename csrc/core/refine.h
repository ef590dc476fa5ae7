// One step of diffusion (DDPM, 2006.11239, algorithm 2), of + - * alone without fma: every level
// and device gives the same bits.
#pragma once

#include "core/noise.h"

namespace rtaudio::refine {

struct Step {
  float scale, weight, deviation;
};

// x = scale (x - weight epsilon) + deviation z, z already shaped by its prior.
RTA_HD float update(const Step& step, float x, float epsilon, float z, bool clip) {
  x = step.scale * (x - step.weight * epsilon);
  if (step.deviation > 0.0f) x = x + step.deviation * z;
  return clip ? (x > 1.0f ? 1.0f : x < -1.0f ? -1.0f : x) : x;
}

// `count` numbers of variance 1 for a position and a step, as rtaudio.dsp.noise.normals draws them.
RTA_HD void normals(const noise::Source& source, std::int64_t position, std::uint32_t step,
                    int count, float* z) {
  for (int i = 0; i < count; i += 4) {
    const noise::Words words =
        noise::draw(source, position, step, static_cast<std::uint32_t>(i / 4));
    for (int k = i; k < count && k < i + 4; k += 2) {
      const noise::Pair pair =
          noise::normal_pair(noise::uniform(words.w[k - i]), noise::uniform(words.w[k - i + 1]));
      z[k] = pair.first;
      if (k + 1 < count) z[k + 1] = pair.second;
    }
  }
}

}  // namespace rtaudio::refine
