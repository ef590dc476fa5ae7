// Vec: 16 floats, one zmm register on v4, two ymm on v3, four registers of 128 bits on v2 and
// NEON. The width is the same on every level because sums over channels run in 16 lanes everywhere
// (cpu/kernels.h). Only for files compiled once per level: everything is in an anonymous namespace.
#pragma once

#include <cstddef>

#include <cstdint>

#include "core/vecmath.h"

namespace rtaudio {
namespace {

using Half = std::uint16_t;              // a bf16: the upper half of a float's bits
enum class HalfPair : std::uint32_t {};  // two, the first in the lower half

// A pair of bf16 in each word: what vdpbf16ps does. The products are exact.
template <class V, class I>
RTA_HD V dot_halves_by_fma(V sum, I w, I x) {
  const I upper(static_cast<int>(0xffff0000u));
  sum = fma(as_float(w & upper), as_float(x & upper), sum);
  return fma(as_float(shift_left<16>(w)), as_float(shift_left<16>(x)), sum);
}

}  // namespace
}  // namespace rtaudio

#if defined(__AVX512F__)
#include "cpu/simd_v4.h"
#elif defined(__AVX2__)
#include "cpu/simd_v3.h"
#else
#include "cpu/simd_quads.h"
#endif

namespace rtaudio {
namespace {

#if !defined(__AVX512F__)
RTA_HD Int in_register(Int a) { return a; }
RTA_HD Vec in_order(Vec a) { return a; }
// The low halves, and the low bytes, of the first n words.
RTA_HD void store_halves(Half* p, int n, Int a) {
  std::int32_t words[kLanes];
  __builtin_memcpy(words, &a, sizeof words);
  for (int i = 0; i < n; ++i) p[i] = static_cast<Half>(words[i]);
}
RTA_HD void store_bytes(std::int8_t* p, int n, Int a) {
  std::int32_t words[kLanes];
  __builtin_memcpy(words, &a, sizeof words);
  for (int i = 0; i < n; ++i) p[i] = static_cast<std::int8_t>(words[i]);
}
#endif

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
