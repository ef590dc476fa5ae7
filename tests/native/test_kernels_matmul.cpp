#include "kernel_test.h"

namespace rtaudio {
namespace {

struct Case {
  int outputs, inputs, taps, frames;
};

// Frames, each with its taps `dilation` frames apart, in an array that ends with the last float.
struct Problem {
  explicit Problem(Case c, std::size_t shift = 0)
      : shape(c),
        weights(random_floats(static_cast<std::size_t>(c.outputs) * depth(), 0.5f, 2)),
        bias(random_floats(static_cast<std::size_t>(c.outputs), 1.0f, 3)),
        x(random_floats(
            static_cast<std::size_t>((c.frames + (c.taps - 1) * kDilation) * c.inputs) + shift,
            1.0f, 4)),
        packed(pack_matrix(weights.data(), c.outputs, depth(), bias.data())),
        rows{x.data() + shift, c.inputs, kDilation * c.inputs, c.taps, c.inputs} {}

  int depth() const { return shape.taps * shape.inputs; }
  int step() const { return row_of(shape.outputs); }
  std::vector<float> at(int frame) const {
    std::vector<float> values;
    for (int tap = 0; tap < shape.taps; ++tap) {
      const float* p = rows.data + frame * rows.frame_step + tap * rows.tap_step;
      values.insert(values.end(), p, p + shape.inputs);
    }
    return values;
  }
  // Rows of exactly `outputs` floats; checks the guard behind the last row.
  std::vector<float> run(const Kernels& k, int block) const {
    std::vector<float> y(static_cast<std::size_t>(shape.frames * step()) + 1, kGuard);
    for (int t = 0; t < shape.frames; t += block) {
      Rows from = rows;
      from.data += t * rows.frame_step;
      k.matmul(packed.view(), from, y.data() + t * step(), step(),
               std::min(block, shape.frames - t));
    }
    EXPECT_EQ(y.back(), kGuard);
    std::vector<float> result;
    for (int t = 0; t < shape.frames; ++t) {
      const auto row = y.begin() + t * step();
      result.insert(result.end(), row, row + shape.outputs);
    }
    return result;
  }

  static constexpr int kDilation = 3;
  Case shape;
  std::vector<float> weights, bias, x;
  PackedWeights packed;
  Rows rows;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const int outputs : {1, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 129}) {
    for (const int inputs : {1, 5, 16, 31, 33, 64}) {
      for (const int taps : {1, 2, 3}) list.push_back({outputs, inputs, taps, 17});
    }
  }
  list.push_back({8, 800, 3, 3});  // deeper than one frame's gathered taps
  return list;
}

TEST(Matmul, FormsTheDeclaredSumInBits) {
  for (const Case& c : cases()) {
    const Problem p(c);
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return p.run(k, c.frames); });
    for (int t = 0; t < c.frames; ++t) {
      const std::vector<float> x = p.at(t);
      for (int o = 0; o < c.outputs; ++o) {
        const float* w = p.weights.data() + static_cast<std::ptrdiff_t>(o) * p.depth();
        const float bias = p.bias[static_cast<std::size_t>(o)];
        ASSERT_EQ(y[static_cast<std::size_t>(t * c.outputs + o)],
                  tree_sum(w, x, bias, num_splits(c.outputs, p.depth())))
            << c.outputs << " outputs, depth " << p.depth() << ", frame " << t << ", output " << o;
      }
    }
  }
}

TEST(Matmul, IsCloseToTheSumInDouble) {
  for (const Case& c : {Case{16, 16, 3, 4}, Case{64, 64, 2, 4}, Case{256, 512, 1, 4}}) {
    const Problem p(c);
    const std::vector<float> y = on_all_levels([&](const Kernels& k) { return p.run(k, 4); });
    for (int t = 0; t < c.frames; ++t) {
      const std::vector<float> x = p.at(t);
      for (int o = 0; o < c.outputs; ++o) {
        double sum = p.bias[static_cast<std::size_t>(o)];
        for (int i = 0; i < p.depth(); ++i) {
          sum += static_cast<double>(p.weights[static_cast<std::size_t>(o * p.depth() + i)]) *
                 static_cast<double>(x[static_cast<std::size_t>(i)]);
        }
        EXPECT_NEAR(y[static_cast<std::size_t>(t * c.outputs + o)], sum, 3e-5);
      }
    }
  }
}

TEST(Matmul, DoesNotDependOnBlocksOrAlignment) {
  for (const Case& c : cases()) {
    const Problem p(c);
    Problem shifted(c, 3);
    std::copy(p.x.begin(), p.x.end(), shifted.x.begin() + 3);
    for (const Kernels* k : all_levels()) {
      const std::vector<float> whole = p.run(*k, c.frames);
      for (const int block : {1, 2, 4, 5, 6, 7}) EXPECT_TRUE(same_bits(whole, p.run(*k, block)));
      EXPECT_TRUE(same_bits(whole, shifted.run(*k, c.frames)));
    }
  }
}

TEST(Matmul, NanStaysInItsFrame) {
  for (const Case& c : {Case{8, 40, 1, 17}, Case{24, 40, 1, 17}, Case{100, 40, 1, 17}}) {
    Problem p(c);
    const std::vector<float> clean = p.run(*best_level(), c.frames);
    p.x[static_cast<std::size_t>(5 * c.inputs + 7)] = kNan;
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return p.run(k, c.frames); });
    for (std::size_t i = 0; i < y.size(); ++i) {
      const bool hit = i / static_cast<std::size_t>(c.outputs) == 5;
      EXPECT_EQ(std::isnan(y[i]), hit);
      if (!hit) {
        EXPECT_EQ(y[i], clean[i]);
      }
    }
  }
}

TEST(Matmul, PackerRefusesEmptyShapes) {
  const float w = 1.0f;
  EXPECT_THROW(pack_matrix(&w, 0, 1, nullptr), std::invalid_argument);
  EXPECT_THROW(pack_matrix(&w, 1, 0, nullptr), std::invalid_argument);
}

TEST(Depthwise, FormsTheDeclaredSumInBits) {
  for (const int channels : {1, 7, 15, 16, 17, 40, 64}) {
    for (const int taps : {1, 3, 5}) {
      constexpr int kFrames = 11, kStep = 2;  // taps two frames apart
      const int row = row_of(channels);
      const auto total = static_cast<std::size_t>((kFrames + kStep * (taps - 1)) * row);
      const std::vector<float> x = random_floats(total), bias = random_floats(padded16(channels));
      const std::vector<float> w =
          random_floats(static_cast<std::size_t>(taps * row + padded16(channels) - row));
      const auto run = [&](const Kernels& k, int block) {
        std::vector<float> y(static_cast<std::size_t>(kFrames * row) + 1, kGuard);
        for (int t = 0; t < kFrames; t += block) {
          const Rows rows{x.data() + t * row, row, kStep * row, taps, channels};
          k.depthwise(w.data(), bias.data(), channels, rows, y.data() + t * row, row,
                      std::min(block, kFrames - t));
        }
        EXPECT_EQ(y.back(), kGuard);
        return y;
      };
      const std::vector<float> y = on_all_levels([&](const Kernels& k) { return run(k, kFrames); });
      EXPECT_TRUE(same_bits(y, run(*best_level(), 1)));
      EXPECT_TRUE(same_bits(y, run(*best_level(), 3)));
      for (int t = 0; t < kFrames; ++t) {
        for (int c = 0; c < channels; ++c) {
          float sum = bias[static_cast<std::size_t>(c)];
          for (int tap = 0; tap < taps; ++tap) {
            sum = std::fma(w[static_cast<std::size_t>(tap * row + c)],
                           x[static_cast<std::size_t>((t + kStep * tap) * row + c)], sum);
          }
          ASSERT_EQ(y[static_cast<std::size_t>(t * row + c)], sum);
        }
      }
    }
  }
}

}  // namespace
}  // namespace rtaudio
