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

// Up to four numbers of variance 1: those of one draw.
RTA_HD void normals_of_draw(const noise::Source& source, std::int64_t position, std::uint32_t step,
                            std::uint32_t index, int count, float* z) {
  const noise::Words words = noise::draw(source, position, step, index);
  for (int k = 0; k < 4; k += 2) {  // with constant bounds, so that a GPU has z in registers
    if (k >= count) break;
    const noise::Pair pair =
        noise::normal_pair(noise::uniform(words.w[k]), noise::uniform(words.w[k + 1]));
    z[k] = pair.first;
    if (k + 1 < count) z[k + 1] = pair.second;
  }
}

// `count` numbers of variance 1 for a position and a step, as rtaudio.dsp.noise.normals draws them.
RTA_HD void normals(const noise::Source& source, std::int64_t position, std::uint32_t step,
                    int count, float* z) {
  for (int i = 0; i < count; i += 4) {
    normals_of_draw(source, position, step, static_cast<std::uint32_t>(i / 4),
                    count - i < 4 ? count - i : 4, z + i);
  }
}

// Arrays [lanes][frames][values] in items of one draw each, in any order: a thread of a GPU takes
// some, a loop takes all. Lane i draws from stream `source.stream` + i.
struct Items {
  std::int64_t lanes, frames;
  int values;
  noise::Source source;
  std::int64_t position;  // of the first frame
  std::uint32_t step;

  RTA_HD std::int64_t draws() const { return (values + 3) / 4; }
  RTA_HD std::int64_t count() const { return lanes * frames * draws(); }
};
struct Item {
  std::int64_t row;    // lane * frames + frame
  std::int64_t first;  // of its values
  int count;
  float z[4];

  RTA_HD Item(const Items& all, std::int64_t number, bool drawn) {
    const std::int64_t draw = number % all.draws();
    row = number / all.draws();
    first = row * all.values + 4 * draw;
    const std::int64_t left = all.values - 4 * draw;
    count = left < 4 ? static_cast<int>(left) : 4;
    if (!drawn) return;
    noise::Source source = all.source;
    source.stream += static_cast<std::uint32_t>(row / all.frames);
    normals_of_draw(source, all.position + row % all.frames, all.step,
                    static_cast<std::uint32_t>(draw), count, z);
  }
};

// z = what is drawn.
struct Draws {
  Items items;
  float* z;

  RTA_HD void run(std::int64_t number) const {
    const Item item(items, number, true);
    for (int k = 0; k < 4; ++k) {
      if (k < item.count) z[item.first + k] = item.z[k];
    }
  }
};

// x = update(x, epsilon, spread z) in place; spread: one a frame, null for 1.
struct Updates {
  Items items;
  Step how;
  bool clip;
  const float* epsilon;
  const float* spread;
  float* x;

  RTA_HD void run(std::int64_t number) const {
    const Item item(items, number, how.deviation > 0.0f);
    const float each = spread == nullptr ? 1.0f : spread[item.row];
    for (int k = 0; k < 4; ++k) {
      if (k >= item.count) break;
      const std::int64_t at = item.first + k;
      const float z = how.deviation > 0.0f ? each * item.z[k] : 0.0f;
      x[at] = update(how, x[at], epsilon[at], z, clip);
    }
  }
};

// What thread `first` of `stride` does.
template <class Job>
RTA_HD void run_items(const Job& job, std::int64_t first, std::int64_t stride) {
  const std::int64_t count = job.items.count();
  for (std::int64_t number = first; number < count; number += stride) job.run(number);
}

}  // namespace rtaudio::refine
