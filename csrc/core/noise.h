// Noise as a function of where it is used, and of nothing else: Philox4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Built of integers and of + - * / sqrt
// without fma, so that every level, device and rtaudio/dsp/noise.py give the same bits.
#pragma once

#include <cstdint>

#include "core/vecmath.h"

namespace rtaudio::noise {

struct Words {
  std::uint32_t w[4];
};

RTA_HD Words philox(Words counter, std::uint32_t key0, std::uint32_t key1) {
  std::uint32_t a = counter.w[0], b = counter.w[1], c = counter.w[2], d = counter.w[3];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * a;
    const std::uint64_t second = std::uint64_t{0xCD9E8D57} * c;
    a = static_cast<std::uint32_t>(second >> 32) ^ b ^ key0;
    b = static_cast<std::uint32_t>(second);
    c = static_cast<std::uint32_t>(first >> 32) ^ d ^ key1;
    d = static_cast<std::uint32_t>(first);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return {{a, b, c, d}};
}

// Who draws: a stream of a seed, at a node of the graph.
struct Source {
  std::uint32_t seed;
  std::uint32_t stream;
  std::uint32_t site;
};

// Where they are kept as floats: halves of 16 bits of the seed and of the stream.
RTA_HD Source source_of(const float* halves, std::uint32_t site) {
  const auto half = [&](int i) { return static_cast<std::uint32_t>(halves[i]); };
  return {half(0) | half(1) << 16, half(2) | half(3) << 16, site};
}

// Four words for one position (signal time without delays) and one step of a refinement.
RTA_HD Words draw(const Source& source, std::int64_t position, std::uint32_t step,
                  std::uint32_t index) {
  const auto at = static_cast<std::uint64_t>(position);
  return philox({{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32), step,
                  source.site << 16 | index}},
                source.seed, source.stream);
}

// On a grid of 2^-23 inside (0, 1).
RTA_HD float uniform(std::uint32_t word) {
  return (static_cast<float>(static_cast<std::int32_t>(word >> 9)) + 0.5f) * 1.1920928955078125e-7f;
}

// ln of a normal positive number, Cephes logf.
RTA_HD float log(float x) {
  const std::uint32_t bits = as_int(x);
  float exponent = to_float(shift_right<23>(bits) - 126u);
  float m = as_float((bits & 0x007fffffu) | 0x3f000000u);
  if (m < 0.707106781186547524f) {
    exponent = exponent - 1.0f;
    m = m + m;
  }
  m = m - 1.0f;
  const float square = m * m;
  float p = 7.0376836292e-2f * m + -1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m + -1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m + -1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m + -2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float y = m * (square * p);
  y = y + -2.12194440e-4f * exponent;
  y = y - 0.5f * square;
  return (m + y) + 0.693359375f * exponent;
}

struct Pair {
  float first;
  float second;
};

// Cosine and sine of 2 pi u, u in (0, 1): Cephes cosf and sinf around the nearest quarter.
RTA_HD Pair cos_sin_turns(float u) {
  const auto quarters = static_cast<std::int32_t>(u * 4.0f + 0.5f);
  const float a = (u * 4.0f - static_cast<float>(quarters)) * 1.57079632679489662f;
  const float z = a * a;
  float s = -1.9515295891e-4f * z + 8.3321608736e-3f;
  s = s * z + -1.6666654611e-1f;
  s = s * z * a + a;
  float c = 2.443315711809948e-5f * z + -1.388731625493765e-3f;
  c = c * z + 4.166664568298827e-2f;
  c = (c * z * z - 0.5f * z) + 1.0f;
  switch (quarters & 3) {
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

// Two Gaussian numbers from two uniform ones (Box and Muller, 1958).
RTA_HD Pair normal_pair(float u, float v) {
  const float radius = sqrt(-2.0f * log(u));
  const Pair angle = cos_sin_turns(v);
  return {radius * angle.first, radius * angle.second};
}

}  // namespace rtaudio::noise
