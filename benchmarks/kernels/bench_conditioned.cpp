// Stacks of narrow layers under one condition (models of guitar amplifiers), time in lanes against
// channels in lanes, beside the floor: multiply-adds at the peak rate, and the tanh alone.
//
// Tried and left out (Zen 4, 3.7 GHz, v4x; 16 channels, then 8, blocks of 64, ns a frame; kept is
// 256 and 89):
//  * matrices of rows, the function and the sums one after the other: 365 and 232;
//  * the function and the skip's sum in passes of their own: 264 and 93;
//  * sums in arrays whose loops the compiler unrolls late: 279 and 98, with the function fused 322
//    and 101, because the arrays then live in memory between the taps;
//  * one vector of frames a weight instead of two: 310 and 100;
//  * planes for 32 and 64 channels, which fill vectors anyway: 10 % faster, and slower;
//  * planes for 8 frames: 696 and 271, rows 391 and 259.
//
//     bench_conditioned [LEVEL]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "cpu/pack.h"

namespace rtaudio {
namespace {

double best_ns(const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  const auto begin = Clock::now();
  while (Clock::now() - begin < std::chrono::milliseconds(150)) {
    const auto start = Clock::now();
    for (int i = 0; i < 16; ++i) run();
    best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  return best / 16;
}

struct Shape {
  const char* name;
  int channels;
  std::vector<int> taps, dilations;
  Unary function;
};

class Net {
 public:
  explicit Net(const Shape& s) : shape_(s) {
    const int up = (s.channels + 15) / 16 * 16;
    for (std::size_t l = 0; l < s.taps.size(); ++l) {
      const PackedMatrix conv = pack(up, s.taps[l] * s.channels);
      const PackedMatrix condition = pack(up, 1), residual = pack(up, s.channels);
      table_.push_back({conv, condition, residual, {}, s.taps[l], s.dilations[l]});
      macs_ += s.channels * (s.channels * (s.taps[l] + 1.0) + 1.0);
    }
  }

  void time(const Kernels& k, int block) {
    const int width = 2 * shape_.channels + 1, row = (width + 15) / 16 * 16;
    ConditionedStack stack{table_.data(),
                           static_cast<int>(table_.size()),
                           shape_.channels,
                           shape_.channels,
                           shape_.channels,
                           false,
                           shape_.function,
                           Unary::identity,
                           0.01f,
                           0.0f,
                           0.0f,
                           0.0f};
    stack.is_whole = has_whole_tiles(stack);
    const ConditionedStage stage{nullptr, 0, stack, width};
    const ConditionedNet net{&stage, 1, width, width, 0, width};
    const auto x = random(static_cast<std::size_t>(row * block));
    std::vector<float> outputs[2];
    double ns[2];
    for (const bool planes : {false, true}) {
      std::size_t floats = 0;
      for (const ConditionedLayer& layer : table_) {
        floats += (planes ? plane_state_floats : row_state_floats)(
            shape_.channels, (layer.kernel_size - 1) * layer.dilation, block);
      }
      const AlignedFloats state = make_aligned_floats(floats);
      const AlignedFloats scratch = make_aligned_floats(
          planes ? conditioned_planes_scratch_floats(net) : conditioned_rows_scratch_floats(net));
      std::vector<float> y(x.size());
      std::int64_t position = 0;
      const auto run = [&] {
        (planes ? k.conditioned_planes : k.conditioned_rows)(
            net, {state.get(), block, position, block, 0, block, x.data(), row, y.data(), row,
                  scratch.get()});
        position += block;
      };
      for (int i = 0; i < 20; ++i) run();
      outputs[planes] = y;
      ns[planes] = best_ns(run);
    }
    const auto n = static_cast<std::size_t>(shape_.channels * block);
    std::vector<float> z = random(n);
    const double function = best_ns([&] {
      for (std::size_t l = 0; l < table_.size(); ++l) {
        k.unary(shape_.function, z.data(), z.data(), n, 0.01f, 0.0f);
      }
    });
    std::printf(
        "%-4s %-22s %4d frames: rows %7.1f, planes %7.1f ns a frame; %5.0f MAC, %5.1f "
        "GMAC/s, functions alone %5.1f ns%s\n",
        k.name, shape_.name, block, ns[0] / block, ns[1] / block, macs_, macs_ * block / ns[1],
        function / block, outputs[0] == outputs[1] ? "" : "  DIFFERENT");
  }

 private:
  std::vector<float> random(std::size_t n) {
    std::normal_distribution<float> normal(0.0f, 0.3f);
    std::vector<float> values(n);
    for (float& v : values) v = normal(generator_);
    return values;
  }
  PackedMatrix pack(int outputs, int depth) {
    std::vector<float> w = random(static_cast<std::size_t>(outputs * depth));
    for (int o = shape_.channels; o < outputs; ++o) {
      std::fill_n(w.begin() + static_cast<std::ptrdiff_t>(o) * depth, depth, 0.0f);
    }
    weights_.push_back(pack_matrix(w.data(), outputs, depth, nullptr));
    return weights_.back().view();
  }

  Shape shape_;
  std::vector<PackedWeights> weights_;
  std::vector<ConditionedLayer> table_;
  double macs_ = 0;
  std::mt19937 generator_{1};
};

}  // namespace
}  // namespace rtaudio

int main(int argc, char** argv) {
  using namespace rtaudio;
  const std::vector<int> threes(10, 3), powers = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  const std::vector<int> a2_taps = {6, 6, 6,  6,  6, 6, 6, 6, 6, 6, 6, 6,
                                    6, 6, 15, 15, 6, 6, 6, 6, 6, 6, 6};
  const std::vector<int> a2_dilations = {1,   3,   7, 17, 41, 101, 239, 1,  3,  7,   17, 41,
                                         101, 239, 1, 13, 1,  3,   7,   17, 41, 101, 239};
  for (const std::string& level : level_names()) {
    if (argc > 1 && level != argv[1]) continue;
    for (const Shape& shape : {Shape{"16 channels, tanh", 16, threes, powers, Unary::tanh},
                               Shape{"8 channels, tanh", 8, threes, powers, Unary::tanh},
                               Shape{"A2, 8 channels", 8, a2_taps, a2_dilations, Unary::leaky_relu},
                               Shape{"A2, 3 channels", 3, a2_taps, a2_dilations, Unary::leaky_relu},
                               Shape{"32 channels, tanh", 32, threes, powers, Unary::tanh},
                               Shape{"64 channels, tanh", 64, threes, powers, Unary::tanh}}) {
      Net net(shape);
      for (const int block : {1, 8, 16, 64}) net.time(*find_kernels(level), block);
    }
  }
}
