#include <functional>

#include "core/vecmath.h"
#include "kernel_test.h"

namespace rtaudio {
namespace {

struct Function {
  const char* name;
  Unary id;
  float a, b;
  float scale;       // of the arguments
  double tolerance;  // relative to max(1, |result|)
  std::function<double(double)> reference;
};

std::vector<Function> functions() {
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  const double a = 0.3f, b = 0.7f;
  return {
      {"identity", Unary::identity, 0, 0, 8, 0, [](double x) { return x; }},
      {"relu", Unary::relu, 0, 0, 8, 0, [](double x) { return x > 0 ? x : 0; }},
      {"leaky_relu", Unary::leaky_relu, 0.3f, 0, 8, 1e-7,
       [=](double x) { return x > 0 ? x : a * x; }},
      {"tanh", Unary::tanh, 0, 0, 4, 3e-7, [](double x) { return std::tanh(x); }},
      {"sigmoid", Unary::sigmoid, 0, 0, 8, 1.5e-7, sigmoid},
      {"silu", Unary::silu, 0, 0, 8, 3e-7, [=](double x) { return x * sigmoid(x); }},
      {"elu", Unary::elu, 0.3f, 0, 8, 1.5e-7,
       [=](double x) { return x > 0 ? x : a * std::expm1(x); }},
      {"softplus", Unary::softplus, 0, 0, 8, 2e-7,
       [](double x) { return x > 30 ? x : std::log1p(std::exp(x)); }},
      {"exp", Unary::exp, 0, 0, 8, 2e-7, [](double x) { return std::exp(x); }},
      {"log", Unary::log, 0.3f, 0, 8, 2e-7, [=](double x) { return std::log(std::max(x, a)); }},
      {"sqrt", Unary::sqrt, 0, 0, 8, 1e-7, [](double x) { return std::sqrt(std::max(x, 0.0)); }},
      {"power", Unary::power, 0.3f, 0, 8, 3e-7,
       [=](double x) { return std::pow(std::max(x, 0.0), a); }},
      {"affine", Unary::affine, 0.3f, 0.7f, 8, 1e-7, [=](double x) { return a * x + b; }},
      {"clamp", Unary::clamp, 0.3f, 0.7f, 1, 0,
       [=](double x) { return std::min(b, std::max(a, x)); }},
      {"abs", Unary::abs, 0, 0, 8, 0, [](double x) { return std::fabs(x); }},
      {"square", Unary::square, 0, 0, 8, 1e-7, [](double x) { return x * x; }},
      {"gelu", Unary::gelu, 0, 0, 4, 2e-6,
       [](double x) {
         return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
       }},
      {"sin", Unary::sin, 0, 0, 1000, 2e-7, [](double x) { return std::sin(x); }},
  };
}

std::vector<float> run_unary(const Kernels& k, const Function& f, const std::vector<float>& x) {
  std::vector<float> y(x.size() + 1, kGuard);
  k.unary(f.id, x.data(), y.data(), x.size(), f.a, f.b);
  EXPECT_EQ(y.back(), kGuard);
  y.pop_back();
  return y;
}

TEST(Unary, IsCloseToTheLibraryFunction) {
  EXPECT_EQ(functions().size(), static_cast<std::size_t>(Unary::count));
  for (const Function& f : functions()) {
    const std::vector<float> x = random_floats(20001, f.scale);
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return run_unary(k, f, x); });
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = f.reference(static_cast<double>(x[i]));
      ASSERT_NEAR(y[i], expected, f.tolerance * std::max(1.0, std::fabs(expected)))
          << f.name << " of " << x[i];
    }
  }
}

TEST(Unary, TailsAlignmentAndPlaceDoNotMatter) {
  for (const Function& f : functions()) {
    const std::vector<float> x = random_floats(40, f.scale);
    for (const Kernels* k : all_levels()) {
      const std::vector<float> whole = run_unary(*k, f, x);
      for (std::size_t n = 1; n <= 33; ++n) {
        const auto shift = static_cast<std::ptrdiff_t>(n % 7);
        const std::vector<float> part(x.begin() + shift,
                                      x.begin() + shift + static_cast<std::ptrdiff_t>(n));
        const std::vector<float> expected(whole.begin() + shift,
                                          whole.begin() + shift + static_cast<std::ptrdiff_t>(n));
        ASSERT_TRUE(same_bits(run_unary(*k, f, part), expected)) << f.name << ' ' << n;
        std::vector<float> in_place = part;
        k->unary(f.id, in_place.data(), in_place.data(), n, f.a, f.b);
        ASSERT_TRUE(same_bits(in_place, expected)) << f.name << ' ' << n;
      }
    }
  }
}

TEST(Unary, NanComesOutAndInfinityBehaves) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const Function& f : functions()) {
    std::vector<float> x(19, 0.5f);
    x[3] = x[18] = kNan;
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return run_unary(k, f, x); });
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i == 3 || i == 18) << f.name << ' ' << i;
    }
  }
  const auto value = [&](Unary id, float x, float a = 0.0f) {
    return on_all_levels(
        [&](const Kernels& k) { return run_unary(k, {"", id, a, 0, 0, 0, nullptr}, {x}); })[0];
  };
  EXPECT_EQ(value(Unary::exp, inf), inf);
  EXPECT_EQ(value(Unary::exp, -inf), 0.0f);
  EXPECT_EQ(value(Unary::exp, 0.0f), 1.0f);
  EXPECT_EQ(value(Unary::log, inf), inf);
  EXPECT_EQ(value(Unary::log, 0.0f, 0.0f), -inf);
  EXPECT_EQ(value(Unary::log, 1.0f), 0.0f);
  EXPECT_EQ(value(Unary::power, 0.0f, 0.5f), 0.0f);
  EXPECT_EQ(value(Unary::power, 0.0f, -0.5f), inf);
  EXPECT_EQ(value(Unary::power, -3.0f, 0.5f), 0.0f);
  EXPECT_EQ(value(Unary::power, 1.0f, 7.25f), 1.0f);
  EXPECT_EQ(value(Unary::power, inf, 0.5f), inf);
  EXPECT_EQ(value(Unary::sigmoid, inf), 1.0f);
  EXPECT_LT(value(Unary::sigmoid, -inf), 2e-38f);
  EXPECT_LE(value(Unary::tanh, inf), 1.0f);
  EXPECT_EQ(value(Unary::softplus, inf), inf);
  EXPECT_EQ(value(Unary::softplus, -inf), 0.0f);
}

// The formulas of core/ on float, as CUDA and the tests use them, are those of the kernels.
TEST(Unary, FloatAndVectorFormulasAgreeInBits) {
  const std::vector<float> x = random_floats(1000, 6.0f);
  const std::vector<std::pair<Unary, std::function<float(float)>>> pairs = {
      {Unary::tanh, [](float v) { return math::tanh(v); }},
      {Unary::sigmoid, [](float v) { return math::sigmoid(v); }},
      {Unary::exp, [](float v) { return math::exp(v); }},
      {Unary::log, [](float v) { return math::log(max(0.25f, v)); }},
      {Unary::power, [](float v) { return math::power(v, 0.25f); }},
      {Unary::softplus, [](float v) { return math::softplus(v); }},
      {Unary::gelu, [](float v) { return math::gelu(v); }},
      {Unary::sin, [](float v) { return math::sin(v); }},
  };
  for (const auto& [id, formula] : pairs) {
    const std::vector<float> y = on_all_levels(
        [&](const Kernels& k) { return run_unary(k, {"", id, 0.25f, 0, 0, 0, nullptr}, x); });
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(same_bits(y[i], formula(x[i]))) << static_cast<int>(id) << " of " << x[i];
    }
  }
}

TEST(Unary, PowerKeepsItsRelativeErrorOverTheWholeRange) {
  for (const float exponent : {0.3f, 0.5f, 2.0f, -0.35f}) {
    for (float x = 1e-18f; x < 1e18f; x *= 1.01f) {
      const double expected = std::pow(static_cast<double>(x), static_cast<double>(exponent));
      ASSERT_NEAR(math::power(x, exponent) / expected, 1.0, 2e-7) << x << " ^ " << exponent;
    }
  }
}

TEST(Binary, AddMultiplyLerp) {
  for (std::size_t n = 1; n <= 50; ++n) {
    const std::vector<float> a = random_floats(n, 1, 1), b = random_floats(n, 1, 2);
    const auto run = [&](auto&& call) {
      return on_all_levels([&](const Kernels& k) {
        std::vector<float> y(n + 1, kGuard);
        call(k, y.data());
        EXPECT_EQ(y.back(), kGuard);
        return y;
      });
    };
    const auto sum = run([&](const Kernels& k, float* y) { k.add(a.data(), b.data(), y, n); });
    const auto product =
        run([&](const Kernels& k, float* y) { k.multiply(a.data(), b.data(), y, n); });
    const auto mixed =
        run([&](const Kernels& k, float* y) { k.lerp(a.data(), b.data(), 0.3f, y, n); });
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(sum[i], a[i] + b[i]);
      ASSERT_EQ(product[i], a[i] * b[i]);
      ASSERT_EQ(mixed[i], std::fma(0.3f, b[i] - a[i], a[i]));
    }
  }
}

// Runs a kernel over rows of `channels` floats, in one call and frame by frame.
template <class F>
std::vector<float> on_rows(int channels, int frames, std::ptrdiff_t step, const F& call) {
  const auto run = [&](const Kernels& k, int block) {
    std::vector<float> y(static_cast<std::size_t>(frames * step) + 1, kGuard);
    for (int t = 0; t < frames; t += block) call(k, t, y.data() + t * step, block);
    EXPECT_EQ(y.back(), kGuard);
    std::vector<float> packed;
    for (int t = 0; t < frames; ++t) {
      packed.insert(packed.end(), y.begin() + t * step, y.begin() + t * step + channels);
    }
    return packed;
  };
  const auto whole = on_all_levels([&](const Kernels& k) { return run(k, frames); });
  EXPECT_TRUE(same_bits(whole, run(*best_level(), 1)));
  return whole;
}

TEST(Rows, AffinePreluAndGates) {
  constexpr int kFrames = 5;
  for (const int channels : {1, 8, 12, 15, 16, 17, 24, 64}) {
    const std::ptrdiff_t step = row_of(channels), wide = row_of(2 * channels);
    const auto n = static_cast<std::size_t>(padded16(channels));
    const std::vector<float> scale = random_floats(n, 1, 1), bias = random_floats(n, 1, 2);
    const std::vector<float> x = random_floats(static_cast<std::size_t>(kFrames * step), 2);
    const std::vector<float> pairs = random_floats(static_cast<std::size_t>(kFrames * wide), 2);
    const auto affine = on_rows(channels, kFrames, step, [&](auto& k, int t, float* y, int block) {
      k.affine(scale.data(), bias.data(), x.data() + t * step, y, channels, step, step, block);
    });
    const auto prelu = on_rows(channels, kFrames, step, [&](auto& k, int t, float* y, int block) {
      k.prelu(scale.data(), x.data() + t * step, y, channels, step, step, block);
    });
    const auto gate = on_rows(channels, kFrames, step, [&](auto& k, int t, float* y, int block) {
      k.gate(true, pairs.data() + t * wide, y, channels, channels, wide, step, block);
    });
    const auto glu = on_rows(channels, kFrames, step, [&](auto& k, int t, float* y, int block) {
      k.gate(false, pairs.data() + t * wide, y, channels, channels, wide, step, block);
    });
    for (int t = 0; t < kFrames; ++t) {
      for (int c = 0; c < channels; ++c) {
        const auto i = static_cast<std::size_t>(t * channels + c);
        const auto channel = static_cast<std::size_t>(c);
        const float v = x[static_cast<std::size_t>(t * step + c)];
        const double a = pairs[static_cast<std::size_t>(t * wide + c)];
        const double b = pairs[static_cast<std::size_t>(t * wide + channels + c)];
        const double sigmoid = 1 / (1 + std::exp(-b));
        ASSERT_EQ(affine[i], std::fma(scale[channel], v, bias[channel]));
        ASSERT_EQ(prelu[i], v > 0 ? v : scale[channel] * v);
        ASSERT_NEAR(gate[i], std::tanh(a) * sigmoid, 4e-7);
        ASSERT_NEAR(glu[i], a * sigmoid, 1e-6);
      }
    }
  }
}

TEST(Rows, LayerNormIgnoresPaddingAndKeepsNanInItsFrame) {
  constexpr int kFrames = 4;
  for (const int channels : {1, 3, 15, 16, 17, 40, 64}) {
    const std::ptrdiff_t step = row_of(channels);
    const auto n = static_cast<std::size_t>(padded16(channels));
    const std::vector<float> scale = random_floats(n, 1, 1), bias = random_floats(n, 1, 2);
    std::vector<float> x = random_floats(static_cast<std::size_t>(kFrames * step), 2);
    for (int t = 0; t < kFrames; ++t) {
      for (auto c = static_cast<std::ptrdiff_t>(channels); c < step; ++c) {
        x[static_cast<std::size_t>(t * step + c)] = kNan;  // padding holds garbage
      }
    }
    x[static_cast<std::size_t>(2 * step)] = kNan;
    const auto y = on_rows(channels, kFrames, step, [&](auto& k, int t, float* out, int block) {
      k.layer_norm(scale.data(), bias.data(), 1e-5f, x.data() + t * step, out, channels, step, step,
                   block);
    });
    for (int t = 0; t < kFrames; ++t) {
      const float* row = x.data() + t * step;
      double mean = 0, variance = 0;
      for (int c = 0; c < channels; ++c) mean += static_cast<double>(row[c]) / channels;
      for (int c = 0; c < channels; ++c) variance += std::pow(row[c] - mean, 2) / channels;
      for (int c = 0; c < channels; ++c) {
        const auto channel = static_cast<std::size_t>(c);
        const float result = y[static_cast<std::size_t>(t * channels + c)];
        const double expected =
            (row[c] - mean) / std::sqrt(variance + 1e-5) * static_cast<double>(scale[channel]) +
            static_cast<double>(bias[channel]);
        if (t == 2) {
          ASSERT_TRUE(std::isnan(result));
        } else {
          ASSERT_NEAR(result, expected, 3e-6);
        }
      }
    }
  }
}

TEST(Rows, MeanSubtractFollowsItsRecursion) {
  for (const int channels : {1, 15, 16, 33}) {
    const auto n = static_cast<std::size_t>(channels);
    const std::vector<float> x = random_floats(n * 6);
    const auto run = [&](const Kernels& k) {
      std::vector<float> mean(n + 1, 0.25f), y(n * 6 + 1, kGuard);
      mean.back() = kGuard;
      for (std::size_t t = 0; t < 6; ++t) {
        k.mean_subtract(0.9f, x.data() + t * n, mean.data(), y.data() + t * n, channels);
      }
      EXPECT_EQ(y.back(), kGuard);
      EXPECT_EQ(mean.back(), kGuard);
      return y;
    };
    const std::vector<float> y = on_all_levels(run);
    for (std::size_t c = 0; c < n; ++c) {
      double mean = 0.25;
      for (std::size_t t = 0; t < 6; ++t) {
        mean = 0.9f * mean + (1 - 0.9f) * static_cast<double>(x[t * n + c]);
        ASSERT_NEAR(y[t * n + c], static_cast<double>(x[t * n + c]) - mean, 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace rtaudio
