// Variants of inner loops that were tried and left out, each beside the one that csrc/cpu keeps, on
// the best level of the machine that compiles this. Smallest mean of many short batches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "core/vecmath.h"
#include "cpu/pack.h"
#include "cpu/simd.h"

namespace rtaudio {
namespace {

double best_ns(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int n) {
    const auto start = Clock::now();
    for (int i = 0; i < n; ++i) run();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  };
  int n = 1;
  while (time(n) < 1e5) n *= 2;
  double best = 1e30;
  for (int i = 0; i < 60; ++i) best = std::min(best, time(n) / n);
  return best;
}

void compare(const char* what, const char* kept_name, const std::function<void()>& kept,
             const char* rejected_name, const std::function<void()>& rejected) {
  const double first = best_ns(kept), second = best_ns(rejected);
  std::printf("%-34s %-22s %9.1f ns   %-26s %9.1f ns  %5.2fx\n", what, kept_name, first,
              rejected_name, second, second / first);
}

AlignedFloats random_floats(std::size_t n) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  AlignedFloats values = make_aligned_floats(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = normal(generator);
  return values;
}

template <class F>
void each(const float* x, float* y, int n, const F& f) {
  for (int i = 0; i < n; i += kLanes) store(y + i, f(load(x + i)));
}

void activations() {
  constexpr int kCount = 512;
  const AlignedFloats a = random_floats(kCount), b = random_floats(kCount);
  const AlignedFloats y = make_aligned_floats(kCount);
  compare(
      "sigmoid of 512", "by exp", [&] { each(a.get(), y.get(), kCount, math::sigmoid<Vec>); },
      "by tanh, less accurate",
      [&] {
        each(a.get(), y.get(), kCount,
             [](Vec x) { return fma(math::tanh(x * Vec(0.5f)), Vec(0.5f), Vec(0.5f)); });
      });
  const auto gate = [&](auto f) {
    for (int i = 0; i < kCount; i += kLanes) {
      store(y.get() + i, f(load(a.get() + i), load(b.get() + i)));
    }
  };
  compare(
      "gate of 512", "exp scaled once", [&] { gate(math::gated_tanh<Vec>); }, "exp scaled twice",
      [&] {
        gate([](Vec t, Vec s) {
          const math::Ratio<Vec> r = math::tanh_ratio(t);
          return r.p / (r.q * (Vec(1.0f) + math::exp(-s)));
        });
      });
  compare(
      "gate of 512", "one division", [&] { gate(math::gated_tanh<Vec>); }, "two divisions",
      [&] { gate([](Vec t, Vec s) { return math::tanh(t) * math::sigmoid(s); }); });
}

// One row times a matrix packed in panels of four vectors, as csrc/cpu/matmul.inl reads it.
constexpr int kPanel = 4 * kLanes;

template <int kAheadBytes, int kLocality = 3>
void times_floats(const float* w, const float* x, float* y, int outputs, int depth) {
  for (int o = 0; o < outputs; o += kPanel) {
    Vec sum[4] = {zero(), zero(), zero(), zero()};
    for (int k = 0; k < depth; ++k, w += kPanel) {
      if constexpr (kAheadBytes > 0) {
        for (int line = 0; line < 4; ++line) {
          __builtin_prefetch(reinterpret_cast<const char*>(w) + kAheadBytes + 64 * line, 0,
                             kLocality);
        }
      }
      const Vec value(x[k]);
      for (int v = 0; v < 4; ++v) sum[v] = fma(value, load(w + v * kLanes), sum[v]);
    }
    for (int v = 0; v < 4; ++v) store(y + o + v * kLanes, sum[v]);
  }
}

void times_halves_one_by_one(const Half* w, const float* x, float* y, int outputs, int depth) {
  for (int o = 0; o < outputs; o += kPanel) {
    Vec sum[4] = {zero(), zero(), zero(), zero()};
    for (int k = 0; k < depth; ++k, w += kPanel) {
      const Vec value(x[k]);
      for (int v = 0; v < 4; ++v) sum[v] = fma(value, load(w + v * kLanes), sum[v]);
    }
    for (int v = 0; v < 4; ++v) store(y + o + v * kLanes, sum[v]);
  }
}

// kPanels at once: more sums that do not wait for one another; kTurns pairs of k before the loop's
// end is looked for.
template <int kPanels = 1, int kTurns = 1>
void times_half_pairs(const Half* w, const float* x, float* y, int outputs, int depth) {
  const Int upper(static_cast<int>(0xffff0000u));
  for (int o = 0; o < outputs; o += kPanels * kPanel, w += (kPanels - 1) * kPanel * depth) {
    Vec sum[kPanels][4];
    for (auto& panel : sum) std::fill(panel, panel + 4, zero());
    for (int k = 0; k < depth; k += 2 * kTurns) {
      RTA_UNROLL for (int i = 0; i < kTurns; ++i, w += 2 * kPanel) {
        const Vec first(x[k + 2 * i]), second(x[k + 2 * i + 1]);
        RTA_UNROLL for (int p = 0; p < kPanels; ++p) {
          RTA_UNROLL for (int v = 0; v < 4; ++v) {
            const Int words = in_register(load_words(w + p * kPanel * depth + 2 * v * kLanes));
            sum[p][v] = fma(first, as_float(shift_left<16>(words)), sum[p][v]);
            sum[p][v] = fma(second, as_float(words & upper), sum[p][v]);
          }
        }
      }
    }
    for (int i = 0; i < 4 * kPanels; ++i) store(y + o + i * kLanes, sum[i / 4][i % 4]);
  }
}

void products(int outputs, int depth) {
  const std::size_t size = static_cast<std::size_t>(outputs) * static_cast<std::size_t>(depth);
  const AlignedFloats w = random_floats(size + 2048), x = random_floats(depth);
  const AlignedFloats y = make_aligned_floats(outputs);
  char what[64];
  std::snprintf(what, sizeof what, "%d x %d, one frame", outputs, depth);
  const auto plain = [&] { times_floats<0>(w.get(), x.get(), y.get(), outputs, depth); };
  compare(what, "no prefetch", plain, "prefetch 1 KB ahead",
          [&] { times_floats<1024>(w.get(), x.get(), y.get(), outputs, depth); });
  compare(what, "no prefetch", plain, "prefetch 4 KB ahead",
          [&] { times_floats<4096>(w.get(), x.get(), y.get(), outputs, depth); });
  compare(what, "no prefetch", plain, "1 KB ahead, past the L2",
          [&] { times_floats<1024, 0>(w.get(), x.get(), y.get(), outputs, depth); });
  std::vector<Half> halves(size);
  for (std::size_t i = 0; i < size; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, &w[i], sizeof bits);
    halves[i] = static_cast<Half>(bits >> 16);
  }
  const auto pairs = [&] { times_half_pairs(halves.data(), x.get(), y.get(), outputs, depth); };
  compare(what, "bf16 by pairs", pairs, "bf16 one k a load",
          [&] { times_halves_one_by_one(halves.data(), x.get(), y.get(), outputs, depth); });
  compare(what, "bf16 by pairs", pairs, "four pairs a turn",
          [&] { times_half_pairs<1, 4>(halves.data(), x.get(), y.get(), outputs, depth); });
  if (outputs % (2 * kPanel) == 0) {
    compare(what, "bf16 by pairs", pairs, "two panels at once",
            [&] { times_half_pairs<2>(halves.data(), x.get(), y.get(), outputs, depth); });
  }
}

}  // namespace
}  // namespace rtaudio

int main() {
  std::printf("%-34s %-35s   %-38s  rejected / kept\n", "", "kept", "rejected");
  rtaudio::activations();
  for (const auto& [outputs, depth] :
       std::vector<std::pair<int, int>>{{64, 192}, {256, 256}, {768, 256}, {1536, 512}}) {
    rtaudio::products(outputs, depth);
  }
}
