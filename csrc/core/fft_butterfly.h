// The sums of the FFT by the plan of core/fft.h, over the number type V: float on a GPU, a vector
// of cpu/simd.h.
#pragma once

#include "core/vecmath.h"

namespace rtaudio::fft {

template <class V>
struct Complex {
  V re, im;

  RTA_HD friend Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
  RTA_HD friend Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
};
template <class V>
RTA_HD Complex<V> times(Complex<V> a, V re, V im) {
  return {fnma(a.im, im, a.re * re), fma(a.re, im, a.im * re)};
}

// cos and sin of 2 pi j / R for j = 1 .. (R - 1) / 2.
template <int R>
RTA_HD float cosine(int j) {
  return R == 3   ? -0.5f
         : R == 5 ? (j == 1 ? 0.309016994374947424f : -0.809016994374947424f)
         : j == 1 ? 0.623489801858733531f
         : j == 2 ? -0.222520933956314404f
                  : -0.900968867902419126f;
}
template <int R>
RTA_HD float sine(int j) {
  return R == 3   ? 0.866025403784438647f
         : R == 5 ? (j == 1 ? 0.951056516295153572f : 0.587785252292473129f)
         : j == 1 ? 0.781831482468029809f
         : j == 2 ? 0.974927912181823607f
                  : 0.433883739117558120f;
}

template <int R, class V>
RTA_HD void butterfly(Complex<V> (&x)[R]) {
  if constexpr (R == 2) {
    const Complex<V> a = x[0];
    x[0] = a + x[1];
    x[1] = a - x[1];
  } else if constexpr (R == 4) {
    const Complex<V> a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = x[1] - x[3];
    x[0] = a + c;
    x[2] = a - c;
    x[1] = {b.re + d.im, b.im - d.re};
    x[3] = {b.re - d.im, b.im + d.re};
  } else {
    constexpr int kHalf = R / 2;
    Complex<V> sum[kHalf + 1], difference[kHalf + 1];
    const Complex<V> first = x[0];
    for (int j = 1; j <= kHalf; ++j) {
      sum[j] = x[j] + x[R - j];
      difference[j] = x[j] - x[R - j];
      x[0] = x[0] + sum[j];
    }
    for (int k = 1; k <= kHalf; ++k) {
      Complex<V> even = first, odd{V(0.0f), V(0.0f)};
      for (int j = 1; j <= kHalf; ++j) {
        const int turn = j * k % R;
        const int index = turn <= kHalf ? turn : R - turn;
        const V c(cosine<R>(index));
        const V s(turn <= kHalf ? sine<R>(index) : -sine<R>(index));
        even = {fma(c, sum[j].re, even.re), fma(c, sum[j].im, even.im)};
        odd = {fma(s, difference[j].re, odd.re), fma(s, difference[j].im, odd.im)};
      }
      x[k] = {even.re + odd.im, even.im - odd.re};
      x[R - k] = {even.re - odd.im, even.im + odd.re};
    }
  }
}

// Real signals of even length n by complex ones of N = n / 2; (c, s) = w^k, w = exp(-2 pi i / n).
// X[k] = (Z[k] + Z*[N - k]) / 2 - i w^k (Z[k] - Z*[N - k]) / 2 of a = Z[k] and b = Z[N - k].
template <class V>
RTA_HD Complex<V> split(Complex<V> a, Complex<V> b, V c, V s) {
  const V half(0.5f);
  const V er = half * (a.re + b.re), ei = half * (a.im - b.im);
  const V dr = half * (a.re - b.re), di = half * (a.im + b.im);
  return {fma(c, di, fma(s, dr, er)), fnma(c, dr, fma(s, di, ei))};
}
// Z[k] = (X[k] + X*[N - k]) + i w^-k (X[k] - X*[N - k]) of a = X[k] and b = X[N - k].
template <class V>
RTA_HD Complex<V> merge(Complex<V> a, Complex<V> b, V c, V s) {
  const V er = a.re + b.re, ei = a.im - b.im, dr = a.re - b.re, di = a.im + b.im;
  return {fma(s, dr, fnma(c, di, er)), fma(c, dr, fma(s, di, ei))};
}

}  // namespace rtaudio::fft
