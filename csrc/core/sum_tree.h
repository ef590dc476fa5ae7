// The order of a sum over K products, the same for every kernel (cpu/kernels.h, Numbers).
#pragma once

#include "core/platform.h"

namespace rtaudio {

// The number of partial sums of a row; part of the numerics, so fixed by shape alone.
RTA_HD constexpr int num_splits(int outputs, int depth) {
  if (depth < 32 || outputs > 32) return 1;
  return outputs > 16 ? 2 : 4;
}

// Partial sums, `step` apart, pair by pair; 1, 2, 4 or 8 of them.
RTA_HD float sum_pairs(const float* parts, int step, int count) {
  if (count == 1) return parts[0];
  float sum = parts[0] + parts[step];
  if (count == 2) return sum;
  sum = sum + (parts[2 * step] + parts[3 * step]);
  if (count == 4) return sum;
  return sum + ((parts[4 * step] + parts[5 * step]) + (parts[6 * step] + parts[7 * step]));
}

}  // namespace rtaudio
