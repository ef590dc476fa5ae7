// Vec: 16 floats, one zmm register on v4, two ymm on v3, four registers of 128 bits on v2 and
// NEON. The width is the same on every level because sums over channels run in 16 lanes everywhere
// (cpu/kernels.h). Only for files compiled once per level: everything is in an anonymous namespace.
#pragma once

#include <cstddef>

#include "core/vecmath.h"
#if defined(__AVX512F__)
#include "cpu/simd_v4.h"
#elif defined(__AVX2__)
#include "cpu/simd_v3.h"
#else
#include "cpu/simd_quads.h"
#endif

namespace rtaudio {
namespace {

RTA_HD Vec zero() { return Vec(0.0f); }

RTA_HD void transpose4x4(const float* x, std::ptrdiff_t x_step, float* y, std::ptrdiff_t y_step) {
  using Quad __attribute__((vector_size(16), aligned(4), may_alias)) = float;
  const auto row = [&](int i) { return *reinterpret_cast<const Quad*>(x + i * x_step); };
  const Quad a = row(0), b = row(1), c = row(2), d = row(3);
  for (int i = 0; i < 4; ++i) {
    *reinterpret_cast<Quad*>(y + i * y_step) = Quad{a[i], b[i], c[i], d[i]};
  }
}

}  // namespace
}  // namespace rtaudio
