// Matrices stored in bf16 and int8 against their definitions (kernels.h), number by number.
#include <algorithm>
#include <cstdint>

#include "kernel_test.h"

namespace rtaudio {
namespace {

struct Case {
  int outputs, inputs, taps, frames;
};

float rounded_to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

struct Problem {
  explicit Problem(Case c, WeightFormat format)
      : shape(c),
        weights(random_floats(static_cast<std::size_t>(c.outputs * depth()), 0.5f, 2)),
        bias(random_floats(static_cast<std::size_t>(c.outputs), 1.0f, 3)),
        x(random_floats(static_cast<std::size_t>((c.frames + c.taps - 1) * c.inputs), 1.0f, 4)),
        ranges(static_cast<std::size_t>(c.inputs), 2.5f),
        packed(pack_matrix(weights.data(), c.outputs, depth(), bias.data(),
                           {format, ranges.data(), c.inputs, nullptr})) {}

  int depth() const { return shape.taps * shape.inputs; }
  std::vector<float> at(int frame) const {
    const auto first = x.begin() + frame * shape.inputs;
    return {first, first + depth()};
  }
  std::vector<float> run(const Kernels& k, int block, const float* const* starts = nullptr) const {
    const int step = row_of(shape.outputs);
    std::vector<float> y(static_cast<std::size_t>(shape.frames * step) + 1, kGuard);
    for (int t = 0; t < shape.frames; t += block) {
      const Rows rows{x.data() + t * shape.inputs,
                      shape.inputs,
                      shape.inputs,
                      shape.taps,
                      shape.inputs,
                      starts != nullptr ? starts + t : nullptr};
      k.matmul(packed.view(), rows, y.data() + t * step, step, std::min(block, shape.frames - t));
    }
    EXPECT_EQ(y.back(), kGuard);
    std::vector<float> result;
    for (int t = 0; t < shape.frames; ++t) {
      result.insert(result.end(), y.begin() + t * step, y.begin() + t * step + shape.outputs);
    }
    return result;
  }

  Case shape;
  std::vector<float> weights, bias, x, ranges;
  PackedWeights packed;
};

constexpr Case kCases[] = {{16, 16, 1, 9},  {17, 33, 2, 13},  {64, 64, 3, 17},
                           {100, 21, 3, 7}, {130, 500, 1, 5}, {33, 2000, 2, 6}};

// `sum(problem, output, inputs)` is the definition of one output.
template <class F>
void expect_definition(WeightFormat format, const F& sum) {
  for (const Case& c : kCases) {
    const Problem p(c, format);
    ASSERT_EQ(p.packed.view().format, format);
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return p.run(k, c.frames); });
    for (const Kernels* k : all_levels()) {
      const std::vector<float> whole = p.run(*k, c.frames);
      for (const int block : {1, 3, 4}) EXPECT_TRUE(same_bits(whole, p.run(*k, block))) << k->name;
    }
    if (is_v2(*best_level())) continue;
    for (int t = 0; t < c.frames; ++t) {
      const std::vector<float> x = p.at(t);
      for (int o = 0; o < c.outputs; ++o) {
        ASSERT_EQ(y[static_cast<std::size_t>(t * c.outputs + o)], sum(p, o, x))
            << c.outputs << " outputs, depth " << p.depth() << ", frame " << t << ", output " << o;
      }
    }
  }
}

TEST(Formats, Bf16IsFp32WithRoundedWeights) {
  expect_definition(WeightFormat::bf16, [](const Problem& p, int o, const std::vector<float>& x) {
    std::vector<float> w(p.weights.begin() + o * p.depth(),
                         p.weights.begin() + (o + 1) * p.depth());
    for (float& v : w) v = rounded_to_bf16(v);
    return tree_sum(w.data(), x, p.bias[static_cast<std::size_t>(o)],
                    num_splits(p.shape.outputs, p.depth()));
  });
}

TEST(Formats, Bf16DotRoundsInputsTooAndTakesTheSecondOfAPairFirst) {
  expect_definition(
      WeightFormat::bf16dot, [](const Problem& p, int o, const std::vector<float>& x) {
        const float* w = p.weights.data() + o * p.depth();
        float sum = p.bias[static_cast<std::size_t>(o)];
        for (std::size_t k = 0; k < x.size(); k += 2) {
          if (k + 1 < x.size()) {
            sum += rounded_to_bf16(w[k + 1]) * rounded_to_bf16(x[k + 1]);  // an exact product
          }
          sum += rounded_to_bf16(w[k]) * rounded_to_bf16(x[k]);
        }
        return sum;
      });
}

TEST(Formats, Int8SumsWholeNumbers) {
  expect_definition(WeightFormat::int8, [](const Problem& p, int o, const std::vector<float>& x) {
    constexpr float kRange = 2.5f;
    const float* w = p.weights.data() + o * p.depth();
    float largest = 0.0f;
    for (int k = 0; k < p.depth(); ++k) largest = std::max(largest, std::fabs(w[k] * kRange));
    const float scale = largest / 127.0f;
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const float input = std::nearbyint(std::clamp(x[k] * (127.0f / kRange), -127.0f, 127.0f));
      sum += static_cast<std::int32_t>(std::nearbyint(w[k] * kRange / scale)) *
             static_cast<std::int32_t>(input);
    }
    return std::fma(static_cast<float>(sum), scale / 127.0f, p.bias[static_cast<std::size_t>(o)]);
  });
}

// As if each frame had a matrix of its own, with another bias.
TEST(Formats, StartsTakeTheBiasesPlaceFrameByFrame) {
  for (const WeightFormat format :
       {WeightFormat::fp32, WeightFormat::bf16, WeightFormat::bf16dot, WeightFormat::int8}) {
    for (const Case& c : {Case{16, 16, 2, 13}, Case{31, 40, 1, 13}, Case{48, 33, 1, 13},
                          Case{100, 32, 2, 19}, Case{130, 500, 1, 5}}) {
      const Problem p(c, format);
      const int width = padded16(c.outputs);
      const std::vector<float> starts =
          random_floats(static_cast<std::size_t>(width * c.frames), 1.0f, 8);
      std::vector<const float*> rows_of_starts;
      for (int t = 0; t < c.frames; ++t) rows_of_starts.push_back(starts.data() + t * width);
      std::vector<float> wanted;
      for (int t = 0; t < c.frames; ++t) {
        Problem one(c, format);
        one.packed = pack_matrix(p.weights.data(), c.outputs, p.depth(),
                                 rows_of_starts[static_cast<std::size_t>(t)],
                                 {format, p.ranges.data(), c.inputs, nullptr});
        const std::vector<float> y = one.run(*best_level(), 1);
        wanted.insert(wanted.end(), y.begin() + t * c.outputs, y.begin() + (t + 1) * c.outputs);
      }
      for (const Kernels* k : all_levels()) {
        for (const int block : {1, 8, c.frames}) {
          const std::vector<float> y = p.run(*k, block, rows_of_starts.data());
          EXPECT_TRUE(is_v2(*k) ? near_v2(wanted, y) : same_bits(wanted, y)) << k->name;
        }
      }
    }
  }
}

TEST(Formats, SmallAndVeryDeepMatricesStayFp32) {
  for (const Case& c : {Case{15, 64, 1, 1}, Case{64, 15, 1, 1}, Case{16, kMaxDotDepth + 1, 1, 1}}) {
    for (const WeightFormat format : {WeightFormat::bf16dot, WeightFormat::int8}) {
      EXPECT_EQ(Problem(c, format).packed.view().format, WeightFormat::fp32);
    }
  }
}

TEST(Formats, Int8RefusesWhatItsScalesCannotHold) {
  const std::vector<float> ranges(16, 1e3f);
  std::vector<float> weights(256, 0.1f);
  for (const float bad : {kNan, INFINITY, -3e38f}) {
    weights[100] = bad;
    EXPECT_THROW(pack_matrix(weights.data(), 16, 16, nullptr,
                             {WeightFormat::int8, ranges.data(), 16, nullptr}),
                 std::invalid_argument);
  }
}

TEST(Formats, ACalibrationRunNotesTheLargestOfEachInput) {
  const Case c{16, 5, 2, 3};
  const Problem p(c, WeightFormat::fp32);
  std::vector<float> largest(5, 0.0f);
  const PackedWeights packed = pack_matrix(p.weights.data(), c.outputs, p.depth(), nullptr,
                                           {WeightFormat::fp32, nullptr, 0, largest.data()});
  std::vector<float> y(48), expected(5, 0.0f);
  best_level()->matmul(packed.view(), {p.x.data(), 5, 5, 2, 5}, y.data(), 16, 3);
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    expected[i % 5] = std::max(expected[i % 5], std::fabs(p.x[i]));
  }
  EXPECT_EQ(largest, expected);
}

}  // namespace
}  // namespace rtaudio
