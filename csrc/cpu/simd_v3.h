// cpu/simd.h for AVX2 and FMA: two ymm registers.
#pragma once

#include <cstddef>

#include "cpu/x86.h"

namespace rtaudio {
namespace {

constexpr int kLanes = 16;

struct Int {
  __m256i lo, hi;
  Int() = default;
  RTA_HD Int(__m256i l, __m256i h) : lo(l), hi(h) {}
  RTA_HD explicit Int(int x) : lo(_mm256_set1_epi32(x)), hi(lo) {}
};
struct Mask {
  __m256 lo, hi;
};
struct Vec {
  __m256 lo, hi;
  Vec() = default;
  RTA_HD Vec(__m256 l, __m256 h) : lo(l), hi(h) {}
  RTA_HD explicit Vec(float x) : lo(_mm256_set1_ps(x)), hi(lo) {}
};

RTA_HD Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
RTA_HD void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
// The first n lanes, n in 1..16; the rest is zero and its memory is not touched.
RTA_HD Mask first_lanes(int n) {
  const __m256i count = _mm256_set1_epi32(n);
  const __m256i low = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const __m256i high = _mm256_set_epi32(15, 14, 13, 12, 11, 10, 9, 8);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(count, low)),
          _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, high))};
}
RTA_HD Vec load_first(const float* p, int n) {
  const Mask m = first_lanes(n);
  return {_mm256_maskload_ps(p, _mm256_castps_si256(m.lo)),
          _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.hi))};
}
// In pieces: masked 256-bit stores are microcoded on AMD processors.
RTA_HD void store_first(float* p, int n, Vec a) {
  __m256 rest = a.lo;
  if (n >= 8) {
    _mm256_storeu_ps(p, rest);
    rest = a.hi;
    p += 8;
    n -= 8;
  }
  __m128 quad = _mm256_castps256_ps128(rest);
  if (n & 8) {  // n was 16
    _mm256_storeu_ps(p, rest);
    return;
  }
  if (n & 4) {
    _mm_storeu_ps(p, quad);
    quad = _mm256_extractf128_ps(rest, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), quad);
    quad = _mm_movehl_ps(quad, quad);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, quad);
}

RTA_HD Vec operator+(Vec a, Vec b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
RTA_HD Vec operator-(Vec a, Vec b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
RTA_HD Vec operator*(Vec a, Vec b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
RTA_HD Vec operator/(Vec a, Vec b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
RTA_HD Vec operator-(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}
RTA_HD Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
RTA_HD Vec fnma(Vec a, Vec b, Vec c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
RTA_HD Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
RTA_HD Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
RTA_HD Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
RTA_HD Vec abs(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
RTA_HD Mask operator<(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
RTA_HD Mask operator>(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ)};
}
RTA_HD Mask operator>=(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_GE_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GE_OQ)};
}
RTA_HD Vec select(Mask m, Vec a, Vec b) {
  return {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
}

RTA_HD Int as_int(Vec a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
RTA_HD Vec as_float(Int a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
RTA_HD Vec to_float(Int a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
RTA_HD Int operator+(Int a, Int b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
RTA_HD Int operator-(Int a, Int b) {
  return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
RTA_HD Int operator&(Int a, Int b) {
  return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
RTA_HD Int operator|(Int a, Int b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
template <int N>
RTA_HD Int shift_left(Int a) {
  return {_mm256_slli_epi32(a.lo, N), _mm256_slli_epi32(a.hi, N)};
}
template <int N>
RTA_HD Int shift_right(Int a) {
  return {_mm256_srai_epi32(a.lo, N), _mm256_srai_epi32(a.hi, N)};
}

// Sixteen words of 32 bits each.
RTA_HD Int load_words(const void* p) {
  const auto* q = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
RTA_HD Vec in_register(Vec a) {
  asm("" : "+x"(a.lo), "+x"(a.hi));
  return a;
}
RTA_HD Vec load(const Half* p) {
  const auto* q = reinterpret_cast<const __m128i*>(p);
  return as_float(shift_left<16>(
      {_mm256_cvtepu16_epi32(_mm_loadu_si128(q)), _mm256_cvtepu16_epi32(_mm_loadu_si128(q + 1))}));
}
constexpr bool kUnsignedBytes = false;
// Bytes 0 and 2 of each word, then 1 and 3, as pairs of 16 bits.
RTA_HD __m256i dot_bytes(__m256i w, __m256i x) {
  const __m256i even = _mm256_madd_epi16(_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8),
                                         _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
  return _mm256_add_epi32(even,
                          _mm256_madd_epi16(_mm256_srai_epi16(w, 8), _mm256_srai_epi16(x, 8)));
}
RTA_HD Int dot_bytes(Int sum, Int w, Int x) {
  return sum + Int(dot_bytes(w.lo, x.lo), dot_bytes(w.hi, x.hi));
}
RTA_HD Vec dot_halves(Vec sum, Int w, Int x) { return dot_halves_by_fma(sum, w, x); }

// Lane I in all lanes.
template <int I>
RTA_HD Vec spread(Vec a) {
  const __m256 half = I < 8 ? a.lo : a.hi;
  const __m256 quad = _mm256_permute2f128_ps(half, half, I % 8 / 4 * 0x11);
  const __m256 all = _mm256_permute_ps(quad, I % 4 * 0x55);
  return {all, all};
}
RTA_HD Vec reverse(Vec a) {
  const __m256i order = _mm256_set_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_permutevar8x32_ps(a.hi, order), _mm256_permutevar8x32_ps(a.lo, order)};
}
RTA_HD __m256 in_order(__m256 a) {  // 64-bit pieces 0, 2, 1, 3
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(a), 0xd8));
}
// a, b hold 16 pairs in a row.
RTA_HD void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  even = {in_order(_mm256_shuffle_ps(a.lo, a.hi, 0x88)),
          in_order(_mm256_shuffle_ps(b.lo, b.hi, 0x88))};
  odd = {in_order(_mm256_shuffle_ps(a.lo, a.hi, 0xdd)),
         in_order(_mm256_shuffle_ps(b.lo, b.hi, 0xdd))};
}
RTA_HD Vec interleave_half(__m256 even, __m256 odd) {
  const __m256 low = _mm256_unpacklo_ps(even, odd), high = _mm256_unpackhi_ps(even, odd);
  return {_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
}
RTA_HD void interleave(Vec even, Vec odd, Vec& a, Vec& b) {
  a = interleave_half(even.lo, odd.lo);
  b = interleave_half(even.hi, odd.hi);
}

// Halving: lane i + lane i + 8, then + 4, + 2, + 1.
RTA_HD float sum_lanes(Vec a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}

}  // namespace
}  // namespace rtaudio
