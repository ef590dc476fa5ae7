// Times of the CPU kernels beside the floor of this machine, for every level it can run.
//
// floor = max(multiply-adds / peak rate, weight bytes / read bandwidth at that size); both are
// measured here first. Each figure is the smallest mean of many short batches, because other
// programs can only make a batch longer.
//
// Tried and left out (Zen 4, 3.7 GHz; the loops that stand alone are in bench_variants.cpp):
//  * one frame of a split matrix with a cursor for each of the S segments instead of gathering
//    the taps first: 16 x 48 43 ns instead of 31 ns;
//  * S x 4 sums side by side for blocks on v4: 16 x 48, 4 frames 87 ns instead of 70 ns, because
//    16 row addresses do not fit the integer registers;
//  * one frame of a gated stack of 64 + 256 channels, 20 layers, in fp32 (2.9 MB: 29 us at
//    100 GB/s): the next matrix's first 1 KB or 4 KB prefetched, all weights in one arena, that in
//    pages of 2 MB: 35 to 37 us, each as without;
//  * FFT work arrays one after the other: 1920 points 2.1 us instead of 1.5 us (v3), because
//    loads waited for stores with the same low address bits.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/fft.h"
#include "cpu/isa.h"
#include "cpu/pack.h"
#include "model/timing.h"

namespace rtaudio {
namespace {

double best_ns(const std::function<void(int)>& run) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int n) {
    const auto start = Clock::now();
    run(n);
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  };
  int n = 1;
  while (time(n) < 1e5) n *= 2;
  double best = 1e30;
  for (int i = 0; i < 60; ++i) best = std::min(best, time(n) / n);
  return best;
}

class Bench {
 public:
  explicit Bench(const Kernels& kernels)
      : k_(kernels), macs_per_ns_(1e-9 * measure_multiply_adds(kernels, WeightFormat::fp32, 0.2)) {
    std::printf("%s: peak %.0f GMAC/s\n", k_.name, macs_per_ns_);
  }

  void all() {
    std::printf("%-42s %10s %10s %6s\n", "kernel", "ns", "floor ns", "ratio");
    for (const auto& [outputs, depth] : std::vector<std::pair<int, int>>{{16, 48},
                                                                         {32, 96},
                                                                         {48, 96},
                                                                         {64, 64},
                                                                         {64, 192},
                                                                         {128, 64},
                                                                         {80, 128},
                                                                         {256, 256},
                                                                         {192, 64},
                                                                         {768, 256},
                                                                         {1536, 512}}) {
      for (const int frames : {1, 4, 16, 64}) matmul(outputs, depth, frames);
    }
    for (const int frames : {1, 16, 480}) {
      stack("gated_stack 64ch 8 layers k3", 64, 64, 64, 8, 3, frames);
      stack("gated_stack 32ch 16 layers", 32, 32, 32, 16, 2, frames);
      stack("gated_stack 16ch 20 layers k3", 16, 16, 16, 20, 3, frames);
      stack("gated_stack 64ch skip 256 20 layers", 64, 64, 256, 20, 2, frames);
    }
    for (const int n : {320, 441, 480, 512, 882, 960, 1024, 1764, 1920}) fft(n);
    for (const auto& [name, function] :
         std::vector<std::pair<const char*, Unary>>{{"tanh", Unary::tanh},
                                                    {"sigmoid", Unary::sigmoid},
                                                    {"exp", Unary::exp},
                                                    {"log", Unary::log},
                                                    {"power", Unary::power},
                                                    {"relu", Unary::relu}}) {
      unary(name, function);
    }
    others();
  }

 private:
  void print(const std::string& name, double ns, double macs, double bytes) {
    const double floor = std::max(macs / macs_per_ns_, bytes > 0 ? read_ns(bytes) : 0.0);
    if (floor > 0) {
      std::printf("%-42s %10.1f %10.1f %6.2f\n", name.c_str(), ns, floor, ns / floor);
    } else {
      std::printf("%-42s %10.1f %10s %6s\n", name.c_str(), ns, "-", "-");
    }
    std::fflush(stdout);
  }
  double read_ns(double bytes) {
    return 1e9 * bytes / measure_reads(k_, static_cast<std::size_t>(bytes), 0.02);
  }
  std::vector<float> random(std::size_t n, float scale = 1.0f) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(n);
    for (float& v : values) v = normal(generator_);
    return values;
  }

  void matmul(int outputs, int depth, int frames) {
    const auto w = random(static_cast<std::size_t>(outputs) * depth, 0.1f);
    const PackedWeights packed = pack_matrix(w.data(), outputs, depth, nullptr);
    const int row = (depth + 15) / 16 * 16, out_row = (outputs + 15) / 16 * 16;
    const AlignedFloats x = make_aligned_floats(static_cast<std::size_t>(row) * frames);
    const AlignedFloats y = make_aligned_floats(static_cast<std::size_t>(out_row) * frames);
    const Rows rows{x.get(), row, 0, 1, depth};
    const double ns = best_ns([&](int n) {
      for (int i = 0; i < n; ++i) k_.matmul(packed.view(), rows, y.get(), out_row, frames);
    });
    char name[64];
    std::snprintf(name, sizeof name, "matmul %dx%d, %d frames", outputs, depth, frames);
    print(name, ns, 1.0 * outputs * depth * frames, 4.0 * outputs * depth);
  }

  void stack(const char* title, int channels, int gate, int skip, int layers, int taps,
             int frames) {
    const auto up = [](int n) { return (n + 15) / 16 * 16; };
    std::vector<PackedWeights> packed;
    std::vector<GatedWeights> weights;
    std::vector<GatedLayer> list;
    std::vector<AlignedFloats> rings;
    double macs = 0;
    const auto pack = [&](int outputs, int depth) {
      macs += 1.0 * outputs * depth;
      const std::vector<float> w = random(static_cast<std::size_t>(outputs * depth), 0.1f);
      packed.push_back(pack_matrix(w.data(), outputs, depth, nullptr));
      return packed.back().view();
    };
    for (int l = 0; l < layers; ++l) {
      const int dilation = 1 << (l % (layers / 2)), older = (taps - 1) * channels;
      const bool is_single = num_splits(2 * up(gate), taps * channels) == 1;
      weights.push_back({is_single ? pack(2 * up(gate), older) : PackedMatrix{},
                         pack(2 * up(gate), is_single ? channels : taps * channels),
                         pack(up(channels) + up(skip), gate), dilation});
      const int ring = (taps - 1) * dilation + (l == 0 ? frames : std::min(frames, 16));
      rings.push_back(make_aligned_floats(static_cast<std::size_t>(2 * ring * up(channels))));
      list.push_back({nullptr, rings.back().get(), ring});
    }
    for (std::size_t l = 0; l < list.size(); ++l) list[l].weights = &weights[l];
    const GatedStack stack{list.data(), layers, taps, channels, gate, skip, up(channels)};
    const AlignedFloats out = make_aligned_floats(static_cast<std::size_t>(frames * up(skip)));
    const AlignedFloats scratch =
        make_aligned_floats(gated_stack_scratch_floats(taps, channels, gate));
    std::int64_t position = 0;
    const double ns = best_ns([&](int n) {
      for (int i = 0; i < n; ++i, position += frames) {
        const GatedLane lane{stack, position, 0, frames, out.get()};
        k_.gated_stack(&lane, 1, frames, up(skip), scratch.get());
      }
    });
    print(std::string(title) + ", " + std::to_string(frames) + " frames", ns, macs * frames,
          4 * macs);
  }

  void fft(int n) {
    const FftTables tables = make_fft_tables(n);
    const FftPlan plan = tables.view();
    const auto x = random(static_cast<std::size_t>(n));
    std::vector<float> re(x.size()), im(x.size()), y(x.size());
    const AlignedFloats scratch = make_aligned_floats(fft_scratch_floats(n));
    print("rfft " + std::to_string(n), best_ns([&](int count) {
            for (int i = 0; i < count; ++i) {
              k_.rfft(plan, x.data(), re.data(), im.data(), scratch.get());
            }
          }),
          0, 0);
    print("irfft " + std::to_string(n), best_ns([&](int count) {
            for (int i = 0; i < count; ++i) {
              k_.irfft(plan, re.data(), im.data(), y.data(), scratch.get());
            }
          }),
          0, 0);
  }

  void unary(const char* name, Unary function) {
    const auto x = random(512);
    std::vector<float> y(x.size());
    print(std::string(name) + " of 512", best_ns([&](int n) {
            for (int i = 0; i < n; ++i) {
              k_.unary(function, x.data(), y.data(), x.size(), 0.3f, 0.0f);
            }
          }),
          0, 0);
  }

  void others() {
    const auto x = random(8192);
    std::vector<float> y(8192), z(8192);
    print("gate tanh 64, 16 frames", best_ns([&](int n) {
            for (int i = 0; i < n; ++i) {
              k_.gate(true, x.data(), y.data(), 64, 64, 128, 64, 16);
            }
          }),
          0, 0);
    GruStep gru{256, x.data(), x.data() + 1024, 256, y.data()};
    print("gru gates of 256", best_ns([&](int n) {
            for (int i = 0; i < n; ++i) k_.gru(gru);
          }),
          0, 0);
    print("layer_norm 64, 16 frames", best_ns([&](int n) {
            for (int i = 0; i < n; ++i) {
              k_.layer_norm(x.data(), x.data(), 1e-5f, x.data(), y.data(), 64, 64, 64, 16);
            }
          }),
          0, 0);
    print("deep_filter 5 taps, 96 bins", best_ns([&](int n) {
            for (int i = 0; i < n; ++i) {
              k_.deep_filter(x.data(), x.data() + 2048, 192, 96, 5, 96, y.data(), z.data());
            }
          }),
          4.0 * 5 * 96, 0);
    print("depthwise 64, 5 taps, 16 frames", best_ns([&](int n) {
            const Rows rows{x.data(), 64, 64, 5, 64};
            for (int i = 0; i < n; ++i) {
              k_.depthwise(x.data(), x.data(), 64, rows, y.data(), 64, 16);
            }
          }),
          64.0 * 5 * 16, 0);
    print("complex_compress 481", best_ns([&](int n) {
            for (int i = 0; i < n; ++i) {
              k_.complex_compress(x.data(), x.data() + 481, y.data(), y.data() + 481, 481, 0.3f,
                                  1e-12f);
            }
          }),
          0, 0);
  }

  const Kernels& k_;
  double macs_per_ns_;
  std::mt19937 generator_{1};
};

}  // namespace
}  // namespace rtaudio

int main(int argc, char** argv) {
  for (const std::string& level : rtaudio::level_names()) {
    if (argc > 1 && level != argv[1]) continue;
    rtaudio::Bench(*rtaudio::find_kernels(level)).all();
  }
}
