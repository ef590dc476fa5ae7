// cpu/simd.h for AVX-512: one zmm register.
#pragma once

#include <cstddef>

#include "cpu/x86.h"

namespace rtaudio {
namespace {

constexpr int kLanes = 16;

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

// Sixteen words of 32 bits each.
RTA_HD Int load_words(const void* p) { return _mm512_loadu_si512(p); }
// Compilers load a vector anew for each operation on it; here the loads are what limits.
RTA_HD Int in_register(Int a) {
  asm("" : "+v"(a.v));
  return a;
}
RTA_HD Vec in_register(Vec a) {
  asm("" : "+v"(a.v));
  return a;
}
// The order in which these are written is that of the instructions, which ports they go to.
RTA_HD Vec in_order(Vec a) {
  asm volatile("" : "+v"(a.v));
  return a;
}
RTA_HD Vec load(const Half* p) {
  const __m512i wide =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return as_float(shift_left<16>(wide));
}
// The low halves, and the low bytes, of the first n words.
RTA_HD void store_halves(Half* p, int n, Int a) {
  _mm512_mask_cvtepi32_storeu_epi16(p, first_lanes(n).v, a.v);
}
RTA_HD void store_bytes(std::int8_t* p, int n, Int a) {
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(n).v, a.v);
}
#if defined(__AVX512VNNI__) && defined(__AVX512BF16__)
constexpr bool kUnsignedBytes = true;  // inputs of dot_bytes are 128 larger
RTA_HD Int dot_bytes(Int sum, Int w, Int x) { return _mm512_dpbusd_epi32(sum.v, x.v, w.v); }
RTA_HD Vec dot_halves(Vec sum, Int w, Int x) {
  return _mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(w.v), reinterpret_cast<__m512bh>(x.v));
}
#else
constexpr bool kUnsignedBytes = false;
// Bytes 0 and 2 of each word, then 1 and 3, as pairs of 16 bits.
RTA_HD Int dot_bytes(Int sum, Int w, Int x) {
  const __m512i even = _mm512_madd_epi16(_mm512_srai_epi16(_mm512_slli_epi16(w.v, 8), 8),
                                         _mm512_srai_epi16(_mm512_slli_epi16(x.v, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srai_epi16(w.v, 8), _mm512_srai_epi16(x.v, 8));
  return sum + Int(_mm512_add_epi32(even, odd));
}
RTA_HD Vec dot_halves(Vec sum, Int w, Int x) { return dot_halves_by_fma(sum, w, x); }
#endif

// Lane I in all lanes.
template <int I>
RTA_HD Vec spread(Vec a) {
  if constexpr (I == 0) return _mm512_broadcastss_ps(_mm512_castps512_ps128(a.v));
  const __m512 quad = _mm512_shuffle_f32x4(a.v, a.v, I / 4 * 0x55);
  return _mm512_permute_ps(quad, I % 4 * 0x55);
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

// Halving: lane i + lane i + 8, then + 4, + 2, + 1.
RTA_HD float sum_lanes(Vec a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}

}  // namespace
}  // namespace rtaudio
