// What the drivers of engines for guitar-amp WaveNets share: time of a sample by blocks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace peers {

constexpr int kSamples = 8192;
constexpr double kSeconds = 0.6;

// Prints the median over passes of a second of noise; process(x, y, frames) is one block. The
// energy tells whether two engines compute the same network.
template <class F>
void time_blocks(const char* name, int block, const F& process) {
  std::vector<float> x(kSamples), y(kSamples);
  unsigned state = 1;
  for (float& value : x) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int>(state >> 9) - (1 << 22)) * (0.5f / (1 << 22));
  }
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  std::vector<double> us;
  double energy = 0.0;
  while (us.size() < 9 || std::chrono::duration<double>(Clock::now() - begin).count() < kSeconds) {
    const auto start = Clock::now();
    for (int t = 0; t < kSamples; t += block) process(x.data() + t, y.data() + t, block);
    us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count() /
                 kSamples);
    if (us.size() == 1) {
      for (const float value : y) energy += static_cast<double>(value) * value;
    }
  }
  std::sort(us.begin(), us.end());
  std::printf("%s block %d: median %.4f us/sample (energy of the first pass %.6f)\n", name, block,
              us[us.size() / 2], energy);
}

constexpr int kBlocks[] = {1, 16, 64};

}  // namespace peers
