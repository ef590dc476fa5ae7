// cpu/simd.h on the compiler's own vectors: four registers of four floats, for v2 and NEON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__aarch64__)
#include <arm_neon.h>
#else
#include "cpu/x86.h"
#endif

namespace rtaudio {
namespace {

constexpr int kLanes = 16;

using Floats __attribute__((vector_size(16))) = float;
using Ints __attribute__((vector_size(16))) = std::int32_t;
using Words __attribute__((vector_size(16))) = std::uint32_t;

struct Int {
  Ints q[4];
  Int() = default;
  RTA_HD Int(Ints a, Ints b, Ints c, Ints d) : q{a, b, c, d} {}
  RTA_HD explicit Int(int x) : q{} {
    for (Ints& each : q) each = Ints{x, x, x, x};
  }
};
struct Mask {
  Ints q[4];
};
struct Vec {
  Floats q[4];
  Vec() = default;
  RTA_HD explicit Vec(float x) : q{} {
    for (Floats& each : q) each = Floats{x, x, x, x};
  }
};

// The result of f for each of the four quads.
template <class Out, class F>
RTA_HD Out quads(const F& f) {
  Out out;
  for (int i = 0; i < 4; ++i) out.q[i] = f(i);
  return out;
}

RTA_HD Floats fma_quad(Floats a, Floats b, Floats c) {
#if defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;  // v2 has no fma: two roundings
#endif
}
RTA_HD Floats sqrt_quad(Floats a) {
#if defined(__aarch64__)
  return vsqrtq_f32(a);
#else
  return _mm_sqrt_ps(a);
#endif
}

RTA_HD Vec load(const float* p) {
  Vec a;
  std::memcpy(&a, p, sizeof a);
  return a;
}
RTA_HD void store(float* p, Vec a) { std::memcpy(p, &a, sizeof a); }
// The first n lanes, n in 1..16; the rest is zero and its memory is not touched.
RTA_HD Mask first_lanes(int n) {
  const Ints first = {0, 1, 2, 3};
  return quads<Mask>([&](int i) { return first + 4 * i < Ints{n, n, n, n}; });
}
RTA_HD Vec load_first(const float* p, int n) {
  Vec a(0.0f);
  std::memcpy(&a, p, static_cast<std::size_t>(n) * sizeof(float));
  return a;
}
RTA_HD void store_first(float* p, int n, Vec a) {
  std::memcpy(p, &a, static_cast<std::size_t>(n) * sizeof(float));
}

RTA_HD Vec operator+(Vec a, Vec b) {
  return quads<Vec>([&](int i) { return a.q[i] + b.q[i]; });
}
RTA_HD Vec operator-(Vec a, Vec b) {
  return quads<Vec>([&](int i) { return a.q[i] - b.q[i]; });
}
RTA_HD Vec operator*(Vec a, Vec b) {
  return quads<Vec>([&](int i) { return a.q[i] * b.q[i]; });
}
RTA_HD Vec operator/(Vec a, Vec b) {
  return quads<Vec>([&](int i) { return a.q[i] / b.q[i]; });
}
RTA_HD Vec operator-(Vec a) {
  return quads<Vec>([&](int i) { return -a.q[i]; });
}
RTA_HD Vec fma(Vec a, Vec b, Vec c) {
  return quads<Vec>([&](int i) { return fma_quad(a.q[i], b.q[i], c.q[i]); });
}
RTA_HD Vec fnma(Vec a, Vec b, Vec c) { return fma(-a, b, c); }
// As on x86: the second argument where one is NaN or both are equal.
RTA_HD Vec min(Vec a, Vec b) {
  return quads<Vec>([&](int i) { return a.q[i] < b.q[i] ? a.q[i] : b.q[i]; });
}
RTA_HD Vec max(Vec a, Vec b) {
  return quads<Vec>([&](int i) { return a.q[i] > b.q[i] ? a.q[i] : b.q[i]; });
}
RTA_HD Vec sqrt(Vec a) {
  return quads<Vec>([&](int i) { return sqrt_quad(a.q[i]); });
}
RTA_HD Mask operator<(Vec a, Vec b) {
  return quads<Mask>([&](int i) { return a.q[i] < b.q[i]; });
}
RTA_HD Mask operator>(Vec a, Vec b) {
  return quads<Mask>([&](int i) { return a.q[i] > b.q[i]; });
}
RTA_HD Mask operator>=(Vec a, Vec b) {
  return quads<Mask>([&](int i) { return a.q[i] >= b.q[i]; });
}
RTA_HD Vec select(Mask m, Vec a, Vec b) {
  return quads<Vec>([&](int i) { return m.q[i] ? a.q[i] : b.q[i]; });
}

RTA_HD Int as_int(Vec a) {
  return quads<Int>([&](int i) { return reinterpret_cast<Ints>(a.q[i]); });
}
RTA_HD Vec as_float(Int a) {
  return quads<Vec>([&](int i) { return reinterpret_cast<Floats>(a.q[i]); });
}
RTA_HD Vec to_float(Int a) {
  return quads<Vec>([&](int i) { return __builtin_convertvector(a.q[i], Floats); });
}
RTA_HD Words words(Ints a) { return reinterpret_cast<Words>(a); }
RTA_HD Int operator+(Int a, Int b) {
  return quads<Int>([&](int i) { return reinterpret_cast<Ints>(words(a.q[i]) + words(b.q[i])); });
}
RTA_HD Int operator-(Int a, Int b) {
  return quads<Int>([&](int i) { return reinterpret_cast<Ints>(words(a.q[i]) - words(b.q[i])); });
}
RTA_HD Int operator&(Int a, Int b) {
  return quads<Int>([&](int i) { return a.q[i] & b.q[i]; });
}
RTA_HD Int operator|(Int a, Int b) {
  return quads<Int>([&](int i) { return a.q[i] | b.q[i]; });
}
template <int N>
RTA_HD Int shift_left(Int a) {
  return quads<Int>([&](int i) { return reinterpret_cast<Ints>(words(a.q[i]) << N); });
}
template <int N>
RTA_HD Int shift_right(Int a) {
  return quads<Int>([&](int i) { return a.q[i] >> N; });
}
RTA_HD Vec abs(Vec a) { return as_float(as_int(a) & Int(0x7fffffff)); }

// Sixteen words of 32 bits each.
RTA_HD Int load_words(const void* p) {
  Int a;
  std::memcpy(&a, p, sizeof a);
  return a;
}
RTA_HD Vec load(const Half* p) {
  return quads<Vec>([&](int i) {
    const Half* h = p + 4 * i;
    return reinterpret_cast<Floats>(Words{h[0], h[1], h[2], h[3]} << 16);
  });
}
constexpr bool kUnsignedBytes = false;
RTA_HD Ints dot_bytes(Ints w, Ints x) {
#if defined(__aarch64__)
  const int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  const int32x4_t high = vpaddlq_s16(vmull_s8(vget_high_s8(a), vget_high_s8(b)));
  return vpaddq_s32(low, high);
#else  // bytes 0 and 2 of each word, then 1 and 3, as pairs of 16 bits
  const auto a = reinterpret_cast<__m128i>(w), b = reinterpret_cast<__m128i>(x);
  const __m128i even = _mm_madd_epi16(_mm_srai_epi16(_mm_slli_epi16(a, 8), 8),
                                      _mm_srai_epi16(_mm_slli_epi16(b, 8), 8));
  const __m128i odd = _mm_madd_epi16(_mm_srai_epi16(a, 8), _mm_srai_epi16(b, 8));
  return reinterpret_cast<Ints>(_mm_add_epi32(even, odd));
#endif
}
RTA_HD Int dot_bytes(Int sum, Int w, Int x) {
  return sum + quads<Int>([&](int i) { return dot_bytes(w.q[i], x.q[i]); });
}
RTA_HD Vec dot_halves(Vec sum, Int w, Int x) { return dot_halves_by_fma(sum, w, x); }

RTA_HD Vec in_register(Vec a) { return a; }
// Lane I in all lanes.
template <int I>
RTA_HD Vec spread(Vec a) {
  return Vec(a.q[I / 4][I % 4]);
}
RTA_HD Vec reverse(Vec a) {
  return quads<Vec>([&](int i) {
    const Floats x = a.q[3 - i];
    return Floats{x[3], x[2], x[1], x[0]};
  });
}
// a, b hold 16 pairs in a row.
RTA_HD void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  for (int i = 0; i < 4; ++i) {
    const Floats x = i < 2 ? a.q[2 * i] : b.q[2 * i - 4];
    const Floats y = i < 2 ? a.q[2 * i + 1] : b.q[2 * i - 3];
    even.q[i] = Floats{x[0], x[2], y[0], y[2]};
    odd.q[i] = Floats{x[1], x[3], y[1], y[3]};
  }
}
RTA_HD void interleave(Vec even, Vec odd, Vec& a, Vec& b) {
  for (int i = 0; i < 4; ++i) {
    const Floats x = even.q[i], y = odd.q[i];
    Vec& to = i < 2 ? a : b;
    to.q[2 * (i & 1)] = Floats{x[0], y[0], x[1], y[1]};
    to.q[2 * (i & 1) + 1] = Floats{x[2], y[2], x[3], y[3]};
  }
}
// Halving: lane i + lane i + 8, then + 4, + 2, + 1.
RTA_HD float sum_lanes(Vec a) {
  const Floats x = (a.q[0] + a.q[2]) + (a.q[1] + a.q[3]);
  return (x[0] + x[2]) + (x[1] + x[3]);
}

}  // namespace
}  // namespace rtaudio
