// Functions of one number, over float (on CUDA) or a vector of cpu/simd.h.
#pragma once

#include <cstdint>

#include "core/vecmath.h"

namespace rtaudio {

enum class Unary : std::int32_t {
  identity,
  relu,
  leaky_relu /* a = slope */,
  tanh,
  sigmoid,
  silu,
  elu /* a = alpha */,
  softplus,
  exp,
  log /* log(max(x, a)) */,
  sqrt /* sqrt(max(x, 0)) */,
  power /* max(x, 0)^a */,
  affine /* a * x + b */,
  clamp /* a <= x <= b */,
  abs,
  square,
  gelu /* tanh form */,
  sin,
  count
};

template <Unary F, class V>
RTA_HD V apply(V x, float a, float b) {
  if constexpr (F == Unary::relu) return max(V(0.0f), x);
  if constexpr (F == Unary::leaky_relu) return select(x > V(0.0f), x, V(a) * x);
  if constexpr (F == Unary::tanh) return math::tanh(x);
  if constexpr (F == Unary::sigmoid) return math::sigmoid(x);
  if constexpr (F == Unary::silu) return x * math::sigmoid(x);
  if constexpr (F == Unary::elu) {
    return select(x > V(0.0f), x, V(a) * (math::exp(x) - V(1.0f)));
  }
  if constexpr (F == Unary::softplus) return math::softplus(x);
  if constexpr (F == Unary::exp) return math::exp(x);
  if constexpr (F == Unary::log) return math::log(max(V(a), x));
  if constexpr (F == Unary::sqrt) return sqrt(max(V(0.0f), x));
  if constexpr (F == Unary::power) return math::power(x, a);
  if constexpr (F == Unary::affine) return fma(V(a), x, V(b));
  if constexpr (F == Unary::clamp) return min(V(b), max(V(a), x));
  if constexpr (F == Unary::abs) return abs(x);
  if constexpr (F == Unary::square) return x * x;
  if constexpr (F == Unary::gelu) return math::gelu(x);
  if constexpr (F == Unary::sin) return math::sin(x);
  return x;
}

// The nearest of `levels` codes: NaN compares false and is code 0, like whatever lies outside.
RTA_HD int nearest_code(float x, int levels) {
  const float value = x + 0.5f;
  return value >= 0.0f && value < static_cast<float>(levels) ? static_cast<int>(value) : 0;
}

// f.operator()<F>() for the function of that number; one place that lists them all.
template <class Visit>
RTA_HD void with_unary(Unary function, const Visit& f) {
  switch (function) {
    case Unary::identity:
    case Unary::count:
      return f.template operator()<Unary::identity>();
    case Unary::relu:
      return f.template operator()<Unary::relu>();
    case Unary::leaky_relu:
      return f.template operator()<Unary::leaky_relu>();
    case Unary::tanh:
      return f.template operator()<Unary::tanh>();
    case Unary::sigmoid:
      return f.template operator()<Unary::sigmoid>();
    case Unary::silu:
      return f.template operator()<Unary::silu>();
    case Unary::elu:
      return f.template operator()<Unary::elu>();
    case Unary::softplus:
      return f.template operator()<Unary::softplus>();
    case Unary::exp:
      return f.template operator()<Unary::exp>();
    case Unary::log:
      return f.template operator()<Unary::log>();
    case Unary::sqrt:
      return f.template operator()<Unary::sqrt>();
    case Unary::power:
      return f.template operator()<Unary::power>();
    case Unary::affine:
      return f.template operator()<Unary::affine>();
    case Unary::clamp:
      return f.template operator()<Unary::clamp>();
    case Unary::abs:
      return f.template operator()<Unary::abs>();
    case Unary::square:
      return f.template operator()<Unary::square>();
    case Unary::gelu:
      return f.template operator()<Unary::gelu>();
    case Unary::sin:
      return f.template operator()<Unary::sin>();
  }
}

}  // namespace rtaudio
