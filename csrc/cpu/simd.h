// Vec: 16 floats, one zmm register on v4 and two ymm registers on v3. The width is the same on
// every level because sums over channels run in 16 lanes everywhere (cpu/kernels.h).
// Only for files compiled once per level: everything is in an anonymous namespace.
#pragma once

// GCC 12 warns of uninitialised variables inside its own AVX-512 header (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "core/vecmath.h"

namespace rtaudio {
namespace {

constexpr int kLanes = 16;

#if defined(__AVX512F__)

struct Int {
  __m512i v;
  Int() = default;
  RTA_HD Int(__m512i x) : v(x) {}
  RTA_HD explicit Int(int x) : v(_mm512_set1_epi32(x)) {}
};
struct Mask {
  __mmask16 v;
};
struct Vec {
  __m512 v;
  Vec() = default;
  RTA_HD Vec(__m512 x) : v(x) {}
  RTA_HD explicit Vec(float x) : v(_mm512_set1_ps(x)) {}
};

RTA_HD Vec load(const float* p) { return _mm512_loadu_ps(p); }
RTA_HD void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
// The first n lanes, n in 1..16; the rest is zero and its memory is not touched.
RTA_HD Mask first_lanes(int n) { return {static_cast<__mmask16>(0xffffu >> (16 - n))}; }
RTA_HD Vec load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n).v, p); }
RTA_HD void store_first(float* p, int n, Vec a) { _mm512_mask_storeu_ps(p, first_lanes(n).v, a.v); }

RTA_HD Vec operator+(Vec a, Vec b) { return _mm512_add_ps(a.v, b.v); }
RTA_HD Vec operator-(Vec a, Vec b) { return _mm512_sub_ps(a.v, b.v); }
RTA_HD Vec operator*(Vec a, Vec b) { return _mm512_mul_ps(a.v, b.v); }
RTA_HD Vec operator/(Vec a, Vec b) { return _mm512_div_ps(a.v, b.v); }
RTA_HD Vec operator-(Vec a) { return _mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f)); }
RTA_HD Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
RTA_HD Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a.v, b.v, c.v); }
RTA_HD Vec min(Vec a, Vec b) { return _mm512_min_ps(a.v, b.v); }
RTA_HD Vec max(Vec a, Vec b) { return _mm512_max_ps(a.v, b.v); }
RTA_HD Vec sqrt(Vec a) { return _mm512_sqrt_ps(a.v); }
RTA_HD Vec abs(Vec a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v); }
RTA_HD Mask operator<(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
RTA_HD Mask operator>(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
RTA_HD Mask operator>=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
RTA_HD Vec select(Mask m, Vec a, Vec b) { return _mm512_mask_blend_ps(m.v, b.v, a.v); }

RTA_HD Int as_int(Vec a) { return _mm512_castps_si512(a.v); }
RTA_HD Vec as_float(Int a) { return _mm512_castsi512_ps(a.v); }
RTA_HD Vec to_float(Int a) { return _mm512_cvtepi32_ps(a.v); }
RTA_HD Int operator+(Int a, Int b) { return _mm512_add_epi32(a.v, b.v); }
RTA_HD Int operator-(Int a, Int b) { return _mm512_sub_epi32(a.v, b.v); }
RTA_HD Int operator&(Int a, Int b) { return _mm512_and_si512(a.v, b.v); }
RTA_HD Int operator|(Int a, Int b) { return _mm512_or_si512(a.v, b.v); }
template <int N>
RTA_HD Int shift_left(Int a) {
  return _mm512_slli_epi32(a.v, N);
}
template <int N>
RTA_HD Int shift_right(Int a) {
  return _mm512_srai_epi32(a.v, N);
}

RTA_HD Vec reverse(Vec a) {
  const __m512i order = _mm512_set_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_permutexvar_ps(order, a.v);
}
// a, b hold 16 pairs in a row.
RTA_HD void deinterleave(Vec a, Vec b, Vec& even, Vec& odd) {
  const __m512i evens = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
  even = _mm512_permutex2var_ps(a.v, evens, b.v);
  odd = _mm512_permutex2var_ps(a.v, odds, b.v);
}
RTA_HD void interleave(Vec even, Vec odd, Vec& a, Vec& b) {
  const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  a = _mm512_permutex2var_ps(even.v, low, odd.v);
  b = _mm512_permutex2var_ps(even.v, high, odd.v);
}
RTA_HD __m256 fold_to_eight(Vec a) {
  return _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}

#else  // v3

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
RTA_HD __m256 fold_to_eight(Vec a) { return _mm256_add_ps(a.lo, a.hi); }

#endif

RTA_HD Vec zero() { return Vec(0.0f); }
// Halving: lane i + lane i + 8, then + 4, + 2, + 1.
RTA_HD float sum_lanes(Vec a) {
  const __m256 eight = fold_to_eight(a);
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
RTA_HD void transpose4x4(const float* x, std::ptrdiff_t x_step, float* y, std::ptrdiff_t y_step) {
  __m128 a = _mm_loadu_ps(x), b = _mm_loadu_ps(x + x_step);
  __m128 c = _mm_loadu_ps(x + 2 * x_step), d = _mm_loadu_ps(x + 3 * x_step);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(y, a);
  _mm_storeu_ps(y + y_step, b);
  _mm_storeu_ps(y + 2 * y_step, c);
  _mm_storeu_ps(y + 3 * y_step, d);
}

}  // namespace
}  // namespace rtaudio
