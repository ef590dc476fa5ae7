// What the kernel tests share: the levels of this processor, random numbers, comparison in bits.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "cpu/pack.h"

namespace rtaudio {

constexpr float kGuard = 12345.0f;  // where no kernel may write
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline std::vector<const Kernels*> all_levels() {
  std::vector<const Kernels*> levels;
  for (const std::string& name : level_names()) levels.push_back(find_kernels(name));
  return levels;
}

inline const Kernels* best_level() { return all_levels().back(); }
inline bool is_v2(const Kernels& kernels) { return std::string(kernels.name) == "v2"; }

inline std::vector<float> random_floats(std::size_t n, float scale = 1.0f, unsigned seed = 1) {
  std::mt19937 generator(seed + static_cast<unsigned>(n));
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(n);
  for (float& v : values) v = normal(generator);
  return values;
}

inline int padded16(int n) { return (n + 15) / 16 * 16; }
inline int row_of(int channels) { return channels < 16 ? channels : padded16(channels); }

// Equal in bits; every NaN counts as the same (its payload is nobody's business).
inline bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}
inline ::testing::AssertionResult same_bits(const std::vector<float>& a,
                                            const std::vector<float>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) {
      return ::testing::AssertionFailure() << "at " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// v2 rounds a product and its sum apart: near, relative to the larger of 1 and the value.
constexpr float kToleranceOfV2 = 2e-5f;
inline ::testing::AssertionResult near_v2(const std::vector<float>& a,
                                          const std::vector<float>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float bound = kToleranceOfV2 * std::fmax(1.0f, std::fabs(a[i]));
    if (!same_bits(a[i], b[i]) && !(a[i] == b[i]) && !(std::fabs(a[i] - b[i]) <= bound)) {
      return ::testing::AssertionFailure() << "at " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// Runs `make(kernels)` on every level, expects the same bits from all that have fma and returns
// them. v2 must come near; on a processor that runs v2 alone its values are returned.
template <class F>
std::vector<float> on_all_levels(const F& make) {
  const std::vector<float> best = make(*best_level());
  for (const Kernels* kernels : all_levels()) {
    const std::vector<float> y = make(*kernels);
    EXPECT_TRUE(is_v2(*kernels) ? near_v2(best, y) : same_bits(best, y)) << kernels->name;
  }
  return best;
}

// The sum every matrix kernel forms: bias first, then fma in rising k, in S segments.
inline float tree_sum(const float* w, const std::vector<float>& x, float bias, int splits) {
  const int depth = static_cast<int>(x.size());
  const int segment = (depth + splits - 1) / splits;
  float part[4] = {bias, 0.0f, 0.0f, 0.0f};
  for (int k = 0; k < depth; ++k) {
    float& sum = part[k / segment];
    sum = std::fma(w[k], x[static_cast<std::size_t>(k)], sum);
  }
  if (splits == 1) return part[0];
  if (splits == 2) return part[0] + part[1];
  return (part[0] + part[1]) + (part[2] + part[3]);
}

}  // namespace rtaudio
