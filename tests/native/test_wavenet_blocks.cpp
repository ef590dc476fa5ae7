// The persistent WaveNet kernel's blocks, emulated: in the strict mode the bits of the engine on
// the CPU, in the other near a float64 computation of the same network.
#include "core/bf16.h"
#include "wavenet_case.h"

namespace rtaudio {
namespace {

// The network's equations in float64, given the values that were drawn.
class Oracle {
 public:
  explicit Oracle(const Case& c) : c_(c), past_(c.shape.dilations.size()) {}

  std::vector<double> step(int lane, int t, const std::vector<float>& before) {
    const Shape& s = c_.shape;
    const float* condition = c_.input.data() + (lane * kFrames + t / s.hop) * c_.row();
    std::vector<double> x = embedded(before), skips(static_cast<std::size_t>(s.skip), 0.0);
    for (std::size_t l = 0; l < past_.size(); ++l, condition += 2 * s.gate) {
      past_[l].push_back(x);
      const wavenet::Weights::Layer& layer = c_.weights.layers[l];
      std::vector<double> z(condition, condition + 2 * s.gate), h;
      for (int row = 0; row < 2 * s.gate; ++row) {
        for (int tap = 0; tap < s.kernel; ++tap) {
          const int from = t - (s.kernel - 1 - tap) * layer.dilation;
          for (int i = 0; i < s.channels && from >= 0; ++i) {
            z[static_cast<std::size_t>(row)] +=
                weight(layer.conv[(row * s.channels + i) * s.kernel + tap]) *
                past_[l][static_cast<std::size_t>(from)][static_cast<std::size_t>(i)];
          }
        }
      }
      for (int g = 0; g < s.gate; ++g) {
        h.push_back(std::tanh(z[static_cast<std::size_t>(g)]) /
                    (1.0 + std::exp(-z[static_cast<std::size_t>(s.gate + g)])));
      }
      const std::vector<double> y = product(layer.out, layer.out_bias, s.channels + s.skip, h);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
      for (std::size_t i = 0; i < skips.size(); ++i) skips[i] += y[x.size() + i];
    }
    for (const wavenet::Weights::Matrix& matrix : c_.weights.matrices) {
      for (double& value : skips) value = std::max(value, 0.0);
      skips = product(matrix.weight, matrix.bias, matrix.rows, skips);
    }
    return skips;
  }

 private:
  double weight(float w) const {
    return static_cast<double>(c_.shape.halves ? as_float(std::uint32_t{to_bf16(w)} << 16) : w);
  }
  std::vector<double> product(const float* w, const float* bias, int rows,
                              const std::vector<double>& x) const {
    std::vector<double> y(bias, bias + rows);
    for (double& sum : y) {
      for (const double value : x) sum += weight(*w++) * value;
    }
    return y;
  }
  std::vector<double> embedded(const std::vector<float>& before) const {
    const wavenet::Weights& net = c_.weights;
    if (net.levels == 0) {
      return product(net.embedding, net.embedding_bias, net.channels,
                     {before.begin(), before.end()});
    }
    std::vector<double> x;
    for (int c = 0; c < net.channels; ++c) {
      x.push_back(
          static_cast<double>(net.embedding[c * net.levels + static_cast<int>(before[0] + 0.5f)]));
    }
    return x;
  }

  const Case& c_;
  std::vector<std::vector<std::vector<double>>> past_;  // [layer][step]
};

// The values that the samples are.
std::vector<float> values_of(const Case& c, const float* audio) {
  if (c.shape.components > 0) return {audio, audio + c.shape.values};
  const float* decode = c.weights.codes.decode;
  return {static_cast<float>(std::find(decode, decode + c.shape.matrices.back(), *audio) - decode)};
}

std::vector<Shape> shapes() {
  return {kCodes, kWide, kLogistic,        kGaussian,        kVectors,
          kSplit, kDeep, in_halves(kWide), in_halves(kSplit)};
}

TEST(WaveNetBlocks, StrictSumsGiveTheBitsOfTheCpu) {
  if (is_v2(*best_level())) GTEST_SKIP() << "this processor has no fma";
  unsigned seed = 1;
  for (const Shape& shape : shapes()) {
    for (const int lanes : {1, 3}) {
      const Case c(shape, lanes, lanes == 3 ? 2 : 0);
      const std::vector<float> expected = c.on_the_cpu();
      const int layers = static_cast<int>(shape.dilations.size());
      for (const int blocks : {1, 2, layers}) {
        const Emulated made(
            c, {blocks, 7, 60 * static_cast<int>(seed % 4), seed % 2 == 0 ? 6 : 4, true, seed});
        ++seed;
        EXPECT_TRUE(same_bits(made.audio, expected))
            << shape.channels << " channels, " << blocks << " blocks, " << lanes << " lanes";
      }
    }
  }
}

TEST(WaveNetBlocks, OtherSumsAreNearFloat64) {
  unsigned seed = 1;
  for (const Shape& shape : {kCodes, kGaussian, kSplit, kDeep, in_halves(kWide)}) {
    const Case c(shape, 2, 1);
    const Emulated made(c, {2, 5, 1 << 20, 6, false, ++seed});
    for (int lane = 0; lane < c.lanes; ++lane) {
      Oracle oracle(c);
      const float* audio = made.audio.data() + static_cast<std::size_t>(lane) * c.samples();
      std::vector<float> before(static_cast<std::size_t>(shape.values), 0.5f);
      for (int t = 0; t < c.steps(); ++t, audio += shape.values) {
        const std::vector<double> exact = oracle.step(lane, t, before);
        const auto& found = made.parameters[static_cast<std::size_t>(t * c.lanes + lane)];
        double largest = 0.0;
        for (const double value : exact) largest = std::max(largest, std::fabs(value));
        for (std::size_t i = 0; i < exact.size(); ++i) {
          ASSERT_NEAR(static_cast<double>(found[i]), exact[i], 1e-5 * largest)
              << "step " << t << ", " << shape.channels << " channels";
        }
        before = values_of(c, audio);
      }
    }
  }
}

TEST(WaveNetBlocks, WhatHasNoRoomIsRefusedInASentence) {
  const Case c(kCodes, 1, 0);
  EXPECT_THROW(wavenet::pack(c.weights, 5, true), std::invalid_argument);
  wavenet::Weights deep = c.weights;
  deep.matrices.resize(9, deep.matrices[0]);
  EXPECT_THROW(wavenet::pack(deep, 1, true), std::invalid_argument);
}

TEST(WaveNetBlocks, LoopsOfAnotherFormAreRefusedInASentence) {
  const ProgramSpec program = autoregressive_program();
  Precision precision;
  int refused = 0;
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    if (program.operations[i].kind != "feedback") continue;
    const LayerContext feedback(program, static_cast<int>(i), precision);
    try {
      loop_weights(feedback);
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("--device cpu"), std::string::npos);
      ++refused;
    }
  }
  EXPECT_EQ(refused, 2);
}

}  // namespace
}  // namespace rtaudio
