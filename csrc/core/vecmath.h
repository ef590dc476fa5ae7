// Elementary functions, one truth per formula: templates over the number type V, which is float
// (here and on CUDA) or a vector of cpu/simd.h. Every step is an IEEE operation or an explicit
// fma, so all of them give the same bits. NaN in gives NaN out unless a comment says otherwise.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/platform.h"

namespace rtaudio {

// The operations of cpu/simd.h for one float. Comparisons with NaN are false, so min and max
// return their second argument then.
RTA_HD float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
RTA_HD float fnma(float a, float b, float c) { return __builtin_fmaf(-a, b, c); }
RTA_HD float min(float a, float b) { return a < b ? a : b; }
RTA_HD float max(float a, float b) { return a > b ? a : b; }
RTA_HD float sqrt(float x) { return __builtin_sqrtf(x); }
RTA_HD float abs(float x) { return __builtin_fabsf(x); }
RTA_HD float select(bool mask, float a, float b) { return mask ? a : b; }
RTA_HD std::uint32_t as_int(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
RTA_HD float as_float(std::uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
RTA_HD float to_float(std::uint32_t i) { return static_cast<float>(static_cast<std::int32_t>(i)); }
template <int N>
RTA_HD std::uint32_t shift_left(std::uint32_t i) {
  return i << N;
}
template <int N>  // arithmetic: the sign is kept
RTA_HD std::uint32_t shift_right(std::uint32_t i) {
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(i) >> N);
}

namespace math {

// tanh(x) = p / q. Rational function of degree 13/6, the coefficients of Eigen's ptanh_float;
// beyond the clamp tanh is 1 to float precision.
template <class V>
struct Ratio {
  V p, q;
};
template <class V>
RTA_HD Ratio<V> tanh_ratio(V x) {
  x = min(V(7.90531110763549805f), max(V(-7.90531110763549805f), x));
  const V x2 = x * x;
  V p = fma(x2, V(-2.76076847742355e-16f), V(2.00018790482477e-13f));
  p = fma(x2, p, V(-8.60467152213735e-11f));
  p = fma(x2, p, V(5.12229709037114e-08f));
  p = fma(x2, p, V(1.48572235717979e-05f));
  p = fma(x2, p, V(6.37261928875436e-04f));
  p = fma(x2, p, V(4.89352455891786e-03f));
  V q = fma(x2, V(1.19825839466702e-06f), V(1.18534705686654e-04f));
  q = fma(x2, q, V(2.26843463243900e-03f));
  q = fma(x2, q, V(4.89352518554385e-03f));
  return {x * p, q};
}
template <class V>
RTA_HD V tanh(V x) {
  const Ratio<V> r = tanh_ratio(x);
  return r.p / r.q;
}
// 2^n * y for whole n in [-252, 254], in two steps so that the result may overflow or underflow.
template <class V, class I>
RTA_HD V scale_by_power_of_two(V y, I n) {
  const I half = shift_right<1>(n);
  return y * as_float(shift_left<23>(half + I(127))) *
         as_float(shift_left<23>((n - half) + I(127)));
}
// Adding 1.5 * 2^23 rounds to the nearest whole number, which then stands in the low bits.
template <class V>
RTA_HD V round_magic() {
  return V(12582912.0f);
}
// exp(r) for |r| <= ln(2) / 2, Cephes expf.
template <class V>
RTA_HD V exp_reduced(V r) {
  V p = fma(r, V(1.9875691500e-4f), V(1.3981999507e-3f));
  p = fma(r, p, V(8.3334519073e-3f));
  p = fma(r, p, V(4.1665795894e-2f));
  p = fma(r, p, V(1.6666665459e-1f));
  p = fma(r, p, V(5.0000001201e-1f));
  return fma(p, r * r, r) + V(1.0f);
}
template <class V>
RTA_HD V exp(V x) {
  x = min(V(89.0f), max(V(-104.0f), x));
  const V magic = round_magic<V>();
  const V t = fma(x, V(1.44269504088896341f), magic);
  const V n = t - magic;
  const V r = fma(n, V(2.12194440e-4f), fma(n, V(-0.693359375f), x));
  return scale_by_power_of_two(exp_reduced(r), as_int(t) - as_int(magic));
}

// exp(-x) for |x| <= 87, where one multiplication scales; clamped outside.
template <class V>
RTA_HD V exp_of_minus(V x) {
  x = min(V(87.0f), max(V(-87.0f), x));
  const V magic = round_magic<V>();
  const V t = fma(x, V(-1.44269504088896341f), magic);
  const V n = t - magic;
  const V r = fma(n, V(2.12194440e-4f), fnma(n, V(0.693359375f), -x));
  using I = decltype(as_int(x));
  return exp_reduced(r) * as_float(shift_left<23>(as_int(t)) + I(0x3f800000));
}
// By exp and not by tanh, so that the relative error is small in the lower tail as well.
template <class V>
RTA_HD V sigmoid(V x) {
  return V(1.0f) / (V(1.0f) + exp_of_minus(x));
}
// tanh(a) sigmoid(b) with one division.
template <class V>
RTA_HD V gated_tanh(V a, V b) {
  const Ratio<V> t = tanh_ratio(a);
  return t.p / (t.q * (V(1.0f) + exp_of_minus(b)));
}

// x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)); gives log(m), Cephes logf. x normal, > 0.
template <class V>
RTA_HD V log_reduced(V x, V& exponent) {
  const auto bits = as_int(x);
  using I = decltype(as_int(x));
  V m = as_float((bits & I(0x007fffff)) | I(0x3f000000));
  exponent = to_float(shift_right<23>(bits) - I(126));
  const auto low = m < V(0.707106781186547524f);
  exponent = select(low, exponent - V(1.0f), exponent);
  m = select(low, m + m, m) - V(1.0f);
  const V m2 = m * m;
  V p = fma(m, V(7.0376836292e-2f), V(-1.1514610310e-1f));
  p = fma(m, p, V(1.1676998740e-1f));
  p = fma(m, p, V(-1.2420140846e-1f));
  p = fma(m, p, V(1.4249322787e-1f));
  p = fma(m, p, V(-1.6668057665e-1f));
  p = fma(m, p, V(2.0000714765e-1f));
  p = fma(m, p, V(-2.4999993993e-1f));
  p = fma(m, p, V(3.3333331174e-1f));
  return m + fma(m2, m * p, V(-0.5f) * m2);
}
constexpr float kSmallestNormal = 1.17549435e-38f;
constexpr float kLargest = 3.40282347e+38f;

// Subnormal numbers count as zero, whether or not the processor flushes them.
template <class V>
RTA_HD V log(V x) {
  V e;
  const V m = log_reduced(x, e);
  V y = fma(e, V(0.693359375f), fma(e, V(-2.12194440e-4f), m));
  y = select(x > V(kLargest), x, y);
  y = select(x < V(kSmallestNormal), V(-__builtin_inff()), y);
  return select(x >= V(0.0f), y, x - x + V(__builtin_nanf("")));
}
// log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
template <class V>
RTA_HD V softplus(V x) {
  const V e = exp(-abs(x));
  const V u = V(1.0f) + e;
  return max(V(0.0f), x) + (log(u) + (e - (u - V(1.0f))) / u);
}
// max(x, 0)^a for one a; the whole part of a * exponent is kept apart, so the relative error
// stays near 3e-7 for every x.
template <class V>
RTA_HD V power(V x, float a) {
  x = max(V(0.0f), x);
  V e;
  const V log2m = log_reduced(x, e) * V(1.44269504088896341f);
  const V exponent = V(a);
  const V high = min(V(4000.0f), max(V(-4000.0f), exponent * e));
  const V low = fma(exponent, e, -high);
  const V magic = round_magic<V>();
  const V whole = (high + magic) - magic;
  const V fraction = (high - whole) + fma(exponent, log2m, low);
  const V carry = (fraction + magic) - magic;
  const V n = min(V(254.0f), max(V(-252.0f), whole + carry));
  V y = exp_reduced((fraction - carry) * V(0.693147180559945309f));
  y = scale_by_power_of_two(y, as_int(n + magic) - as_int(magic));
  const float inf = __builtin_inff();
  y = select(x > V(kLargest), V(a > 0 ? inf : a < 0 ? 0.0f : 1.0f), y);
  y = select(x < V(kSmallestNormal), V(a > 0 ? 0.0f : a < 0 ? inf : 1.0f), y);
  return select(x >= V(0.0f), y, x);
}
// tanh form, Hendrycks and Gimpel 2016, section 2.
template <class V>
RTA_HD V gelu(V x) {
  const V inner = V(0.797884560802865356f) * fma(V(0.044715f) * x, x * x, x);
  const V half = V(0.5f) * x;
  return fma(half, tanh(inner), half);
}

// x is clamped to +-8192, up to where it is reduced to a quarter turn exactly enough.
template <class V>
RTA_HD V sin(V x) {
  x = min(V(8192.0f), max(V(-8192.0f), x));
  const V magic = round_magic<V>();
  const V t = fma(x, V(0.318309886183790672f), magic);
  const V n = t - magic;
  V r = fma(n, V(-3.140625f), x);
  r = fma(n, V(-9.67502593994140625e-4f), r);
  r = fma(n, V(-1.509957990978376432e-7f), r);
  const V r2 = r * r;
  // Least squares at Chebyshev's points of a quarter turn: 1e-10 off.
  V p = fma(r2, V(-2.4080471663e-8f), V(2.7536477442e-6f));
  p = fma(r2, p, V(-1.9841086776e-4f));
  p = fma(r2, p, V(8.3333327698e-3f));
  p = fma(r2, p, V(-1.6666666664e-1f));
  const V y = fma(r2 * r, p, r);
  // Half turns that are odd in number change the sign.
  const V half = n * V(0.5f);
  const V odd = abs(half - ((half + magic) - magic));
  return select(odd > V(0.25f), -y, y);
}

}  // namespace math
}  // namespace rtaudio
