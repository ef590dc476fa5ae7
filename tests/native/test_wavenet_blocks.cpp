// The persistent WaveNet kernel's blocks, emulated: in the strict mode the bits of the engine on
// the CPU, in the others near a float64 computation of the same network.
#include "core/bf16.h"
#include "wavenet_case.h"

namespace rtaudio {
namespace {

// The network's equations in float64, given the values that were drawn.
class Oracle {
 public:
  explicit Oracle(const Case& c) : c_(c), past_(c.shape.dilations.size()) {}

  // Of a lane's own step t, which has the condition of this frame.
  std::vector<double> step(int lane, int t, int frame, const std::vector<float>& before) {
    const Shape& s = c_.shape;
    const float* condition = c_.input.data() + (lane * kFrames + frame) * c_.row();
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
                input(past_[l][static_cast<std::size_t>(from)][static_cast<std::size_t>(i)]);
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
    return static_cast<double>(c_.shape.format == WeightFormat::fp32 ? w : from_bf16(to_bf16(w)));
  }
  double input(double x) const {
    if (c_.shape.format != WeightFormat::bf16dot) return x;
    return static_cast<double>(from_bf16(to_bf16(static_cast<float>(x))));
  }
  std::vector<double> product(const float* w, const float* bias, int rows,
                              const std::vector<double>& x) const {
    std::vector<double> y(bias, bias + rows);
    for (double& sum : y) {
      for (const double value : x) sum += weight(*w++) * input(value);
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

constexpr WeightFormat kBf16 = WeightFormat::bf16, kBf16Dot = WeightFormat::bf16dot;

std::vector<Shape> shapes() {
  return {kCodes,
          kWide,
          kLogistic,
          kGaussian,
          kVectors,
          kSplit,
          kDeep,
          in_format(kWide, kBf16),
          in_format(kSplit, kBf16)};
}

// A network of any sizes, with any of the heads.
Shape some_shape(std::mt19937& chance) {
  const auto some = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(chance);
  };
  Shape shape{some(1, 40),
              some(1, 36),
              some(1, 40),
              some(1, 3),
              {},
              {},
              0,
              1,
              some(1, 3),
              some(0, 3),
              some(0, 1) == 1,
              some(0, 1) == 0 ? WeightFormat::fp32 : kBf16};
  for (int layers = some(1, 6); layers > 0; --layers) shape.dilations.push_back(some(1, 5));
  for (int matrices = some(0, 2); matrices > 0; --matrices) shape.matrices.push_back(some(1, 40));
  shape.components = some(0, 2) * some(1, 4);
  if (shape.components == 1) shape.values = some(1, 5);
  shape.matrices.push_back(shape.components == 0   ? some(2, 40)
                           : shape.components == 1 ? 2 * shape.values
                                                   : 3 * shape.components);
  return shape;
}

void expect_the_cpus_bits(const Case& c, const Emulated& made, const std::string& what) {
  for (int lane = 0; lane < c.lanes; ++lane) {
    const auto from = made.audio.begin() + lane * static_cast<std::ptrdiff_t>(c.samples());
    const std::vector<float> audio(from, from + static_cast<std::ptrdiff_t>(c.samples()));
    EXPECT_TRUE(same_bits(audio, c.on_the_cpu(lane, made.frames[static_cast<std::size_t>(lane)])))
        << what << ", lane " << lane << " of " << c.lanes;
  }
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
        for (const auto way : {wavenet::Way::one, wavenet::Way::eight}) {
          const Emulated made(c, {blocks, 7, 60 * static_cast<int>(seed % 4), seed % 2 == 0 ? 6 : 4,
                                  true, seed, way});
          ++seed;
          EXPECT_TRUE(same_bits(made.audio, expected))
              << shape.channels << " channels, " << blocks << " blocks, " << lanes << " lanes, "
              << wavenet::bunch_of(way) << " at a time";
        }
      }
    }
  }
}

TEST(WaveNetBlocks, LanesOfABunchBeginAndEndWhenTheyLike) {
  if (is_v2(*best_level())) GTEST_SKIP() << "this processor has no fma";
  std::mt19937 chance(3);
  const auto some = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(chance);
  };
  for (unsigned seed = 1; seed <= 60; ++seed) {
    const Case c(some_shape(chance), some(1, 20), some(0, 3));
    const int blocks = some(1, static_cast<int>(c.shape.dilations.size()));
    const auto way = seed % 4 == 0 ? wavenet::Way::one : wavenet::Way::eight;
    const Emulated made(
        c, {blocks, some(1, 9), some(0, 300), some(1, kFrames), true, seed, way, false});
    expect_the_cpus_bits(c, made, "case " + std::to_string(seed));
  }
}

// Parameters against those of the same values before them.
void expect_near_float64(const Case& c, const Emulated& made, double tolerance) {
  for (int lane = 0; lane < c.lanes; ++lane) {
    Oracle oracle(c);
    const float* audio = made.audio.data() + static_cast<std::size_t>(lane) * c.samples();
    std::vector<float> before(static_cast<std::size_t>(c.shape.values), 0.5f);
    int t = 0;
    for (const std::vector<float>& found : made.parameters[static_cast<std::size_t>(lane)]) {
      const int frame =
          made.frames[static_cast<std::size_t>(lane)][static_cast<std::size_t>(t / c.shape.hop)];
      const std::vector<double> exact = oracle.step(lane, t, frame, before);
      ASSERT_EQ(found.size(), exact.size());
      double largest = 0.0;
      for (const double value : exact) largest = std::max(largest, std::fabs(value));
      for (std::size_t i = 0; i < exact.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(found[i]), exact[i], tolerance * largest)
            << "step " << t << ", lane " << lane << ", " << c.shape.channels << " channels";
      }
      before = values_of(c, audio + (frame * c.shape.hop + t % c.shape.hop) * c.shape.values);
      ++t;
    }
  }
}

TEST(WaveNetBlocks, OtherSumsAreNearFloat64) {
  unsigned seed = 1;
  for (const Shape& shape : {kCodes, kGaussian, kSplit, kDeep, in_format(kWide, kBf16)}) {
    const Case c(shape, 2, 1);
    for (const auto way : {wavenet::Way::one, wavenet::Way::eight}) {
      expect_near_float64(c, Emulated(c, {2, 5, 1 << 20, 6, false, ++seed, way}), 1e-5);
    }
  }
}

// Tensor cores: the same, of what they take rounded to bf16. A sum in another order may round to a
// neighbour, 2^-8 of it away, and that goes on.
TEST(WaveNetBlocks, TilesAreNearFloat64) {
  unsigned seed = 1;
  for (const Shape& shape : {kCodes, kWide, kGaussian, kVectors, kSplit, kDeep}) {
    const Case c(in_format(shape, kBf16Dot), 11, 1);
    for (const bool all_frames : {true, false}) {
      const int blocks = all_frames ? 1 : 2;
      const Emulated made(c, {blocks, 5, 100, 4, false, ++seed, wavenet::Way::tiles, all_frames});
      expect_near_float64(c, made, 2e-3);
    }
  }
}

TEST(WaveNetBlocks, TilesGiveALaneTheBitsThatItHasAlone) {
  std::mt19937 chance(4);
  const auto some = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(chance);
  };
  for (unsigned seed = 1; seed <= 30; ++seed) {
    const Case c(in_format(some_shape(chance), kBf16Dot), some(2, 20), some(0, 3));
    const auto run = [&](int frames, bool all_frames, int only) {
      const int blocks = some(1, static_cast<int>(c.shape.dilations.size()));
      return Emulated(c, {blocks, some(1, 70), some(0, 300), frames, false, seed,
                          wavenet::Way::tiles, all_frames, only});
    };
    const Emulated whole = run(kFrames, true, -1);
    EXPECT_TRUE(same_bits(run(some(1, 3), true, -1).audio, whole.audio)) << "case " << seed;
    for (const bool all_frames : {true, false}) {
      const int frames = some(1, kFrames), lane = some(0, c.lanes - 1);
      const Emulated together = run(frames, all_frames, -1), alone = run(frames, all_frames, lane);
      const auto from = lane * static_cast<std::ptrdiff_t>(c.samples());
      const auto to = from + static_cast<std::ptrdiff_t>(c.samples());
      EXPECT_TRUE(same_bits({together.audio.begin() + from, together.audio.begin() + to},
                            {alone.audio.begin() + from, alone.audio.begin() + to}))
          << "case " << seed << ", lane " << lane;
    }
  }
}

// nv with 16 streams a group of eight blocks, as 256 of them on a GPU of 132 multiprocessors; and
// 64, as a thousand.
TEST(WaveNetBlocks, ManyStreamsHaveRoomInSharedMemory) {
  constexpr int kBytes = 227 * 1024;
  Shape nv{64, 64, 256, 2, {}, {256, 256}, 0, 1, 1, 0, false, kBf16Dot};
  for (int layer = 0; layer < 20; ++layer) nv.dilations.push_back(1 << layer % 10);
  const Case dot(nv, 1, 0), halves(in_format(nv, kBf16), 1, 0);
  const auto bytes = [](const Case& c, int lanes, wavenet::Way way) {
    return 4 * wavenet::Room(wavenet::pack(c.weights, 8, false).net, lanes, way).end;
  };
  EXPECT_LE(bytes(dot, 16, wavenet::Way::tiles), kBytes / 3);  // the rest is for weights
  EXPECT_LE(bytes(dot, 64, wavenet::Way::tiles), kBytes);
  EXPECT_LE(bytes(halves, 16, wavenet::Way::eight), kBytes);
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
