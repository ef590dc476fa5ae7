// Running moments of one channel, over float or a vector of cpu/simd.h.
#pragma once

#include "core/vecmath.h"

namespace rtaudio::math {

// mean += rate (x - mean), likewise the variance; returns x less its new mean.
template <class V>
RTA_HD V take_in(V x, V rate, V& mean, V& variance) {
  const V d = x - mean;
  mean = fma(rate, d, mean);
  const V after = x - mean;
  variance = fma(rate, fma(d, after, -variance), variance);
  return after;
}

}  // namespace rtaudio::math
