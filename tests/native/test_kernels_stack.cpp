// The fused stack and the recurrent cells against plain code.
#include <cmath>

#include "core/vecmath.h"
#include "kernel_test.h"

namespace rtaudio {
namespace {

struct Shape {
  int channels, gate, skip, taps, layers;
};

struct Stack {
  explicit Stack(Shape s) : shape(s) {
    const float scale = 1.6f / std::sqrt(static_cast<float>(s.channels));
    for (int l = 0; l < s.layers; ++l) {
      const auto size = [](int a, int b) { return static_cast<std::size_t>(a * b); };
      conv_weights.push_back(
          random_floats(size(conv_outputs(), conv_depth()), scale, static_cast<unsigned>(l)));
      out_weights.push_back(
          random_floats(size(out_outputs(), s.gate), scale, static_cast<unsigned>(l + 50)));
      conv_bias.push_back(random_floats(size(conv_outputs(), 1), 0.1f, static_cast<unsigned>(l)));
      out_bias.push_back(random_floats(size(out_outputs(), 1), 0.1f, static_cast<unsigned>(l)));
      packed.push_back(pack_matrix(conv_weights.back().data(), conv_outputs(), conv_depth(),
                                   conv_bias.back().data()));
      whole.push_back({{}, packed.back().view(), {}, dilation(l)});
      const int older = (s.taps - 1) * s.channels;
      packed.push_back(pack_matrix(taps_of(conv_weights.back(), 0, older).data(), conv_outputs(),
                                   older, conv_bias.back().data()));
      apart.push_back({packed.back().view(), {}, {}, dilation(l)});
      packed.push_back(pack_matrix(taps_of(conv_weights.back(), older, s.channels).data(),
                                   conv_outputs(), s.channels, nullptr));
      apart.back().conv = packed.back().view();
      packed.push_back(
          pack_matrix(out_weights.back().data(), out_outputs(), s.gate, out_bias.back().data()));
      whole.back().out = apart.back().out = packed.back().view();
    }
  }
  // Columns of a layer's convolution.
  std::vector<float> taps_of(const std::vector<float>& w, int first, int count) const {
    std::vector<float> columns;
    for (int o = 0; o < conv_outputs(); ++o) {
      const auto from = w.begin() + o * conv_depth() + first;
      columns.insert(columns.end(), from, from + count);
    }
    return columns;
  }
  // Whether the older taps may be summed by themselves.
  bool is_single() const { return whole[0].conv.splits == 1; }
  int conv_outputs() const { return 2 * padded16(shape.gate); }
  int conv_depth() const { return shape.taps * shape.channels; }
  int out_outputs() const { return padded16(shape.channels) + padded16(shape.skip); }
  int row() const { return padded16(shape.channels); }
  int dilation(int layer) const { return 1 << (layer % 3); }

  // x [frames][channels] in blocks of `block`; returns skip [frames][skip]. Older taps by
  // themselves if steps > 0; in blocks of one frame `steps` of them are known to come and are
  // summed ahead.
  std::vector<float> run(const Kernels& k, const std::vector<float>& x, int block, int valid_end,
                         int steps = 0) const {
    const int frames = static_cast<int>(x.size()) / shape.channels;
    std::vector<std::vector<float>> rings, ahead;
    std::vector<GatedLayer> layers;
    for (int l = 0; l < shape.layers; ++l) {
      const int reach = (shape.taps - 1) * dilation(l);
      const int ring = reach + (l == 0 ? block : std::min(block, 16)) + l % 2;
      rings.emplace_back(static_cast<std::size_t>(2 * ring * row()), 0.0f);
      layers.push_back(
          {(steps > 0 ? apart : whole).data() + static_cast<std::size_t>(l), nullptr, ring});
    }
    for (std::size_t l = 0; l < layers.size(); ++l) {
      layers[l].ring = rings[l].data();
      if (steps < 2) continue;
      layers[l].frames_ahead = std::min(dilation(static_cast<int>(l)), 3);
      ahead.emplace_back(static_cast<std::size_t>(layers[l].frames_ahead * conv_outputs()));
      layers[l].ahead = ahead.back().data();
    }
    GatedStack stack{layers.data(), shape.layers, shape.taps, shape.channels,
                     shape.gate,    shape.skip,   row()};
    const int skip_row = row_of(shape.skip);
    std::vector<float> skip(static_cast<std::size_t>(frames * skip_row) + 1, kGuard);
    std::vector<float> scratch(gated_stack_scratch_floats(shape.taps, shape.channels, shape.gate));
    const int ring = layers[0].ring_frames;
    for (int t = 0; t < frames; t += block) {
      const int count = std::min(block, frames - t);
      for (int i = t; i < t + count; ++i) {
        const float* from = x.data() + static_cast<std::ptrdiff_t>(i) * shape.channels;
        for (const int slot : {i % ring, i % ring + ring}) {
          std::copy_n(from, shape.channels, rings[0].data() + slot * row());
        }
      }
      stack.step = t % std::max(1, steps);
      stack.steps = std::max(1, steps);
      const GatedLane lane{stack, t, 0, valid_end - t, skip.data() + t * skip_row};
      k.gated_stack(&lane, 1, count, skip_row, scratch.data());
    }
    EXPECT_EQ(skip.back(), kGuard);
    std::vector<float> packed;
    for (int t = 0; t < frames; ++t) {
      const auto from = skip.begin() + t * skip_row;
      packed.insert(packed.end(), from, from + shape.skip);
    }
    return packed;
  }

  // The definition, layer after layer over the whole signal.
  std::vector<float> naive(std::vector<float> x, int valid_end) const {
    const int frames = static_cast<int>(x.size()) / shape.channels;
    std::vector<float> skip(static_cast<std::size_t>(frames * shape.skip), 0.0f);
    const int half = padded16(shape.gate);
    for (int l = 0; l < shape.layers; ++l) {
      const auto layer = static_cast<std::size_t>(l);
      std::vector<float> next = x;
      for (int t = 0; t < frames; ++t) {
        std::vector<float> taps;
        for (int tap = 0; tap < shape.taps; ++tap) {
          const int from = t - (shape.taps - 1 - tap) * dilation(l);
          for (int c = 0; c < shape.channels; ++c) {
            taps.push_back(from < 0 ? 0.0f
                                    : x[static_cast<std::size_t>(from * shape.channels + c)]);
          }
        }
        const auto row = [&](const std::vector<float>& w, const std::vector<float>& b, int o,
                             const std::vector<float>& in, int outputs) {
          const int depth = static_cast<int>(in.size());
          return tree_sum(w.data() + static_cast<std::ptrdiff_t>(o) * depth, in,
                          b[static_cast<std::size_t>(o)], num_splits(outputs, depth));
        };
        std::vector<float> gated;
        for (int g = 0; g < shape.gate; ++g) {
          const auto z = [&](int o) {
            return row(conv_weights[layer], conv_bias[layer], o, taps, conv_outputs());
          };
          gated.push_back(math::gated_tanh(z(g), z(half + g)));
        }
        const auto y = [&](int o) {
          return row(out_weights[layer], out_bias[layer], o, gated, out_outputs());
        };
        for (int c = 0; c < shape.channels; ++c) {
          float& value = next[static_cast<std::size_t>(t * shape.channels + c)];
          value = t < valid_end ? value + y(c) : 0.0f;
        }
        for (int c = 0; c < shape.skip; ++c) {
          float& sum = skip[static_cast<std::size_t>(t * shape.skip + c)];
          sum = l == 0 ? y(row_start() + c) : sum + y(row_start() + c);
        }
      }
      x = next;
    }
    return skip;
  }
  int row_start() const { return padded16(shape.channels); }

  Shape shape;
  std::vector<std::vector<float>> conv_weights, out_weights, conv_bias, out_bias;
  std::vector<PackedWeights> packed;
  std::vector<GatedWeights> whole, apart;
};

TEST(GatedStack, EqualsItsDefinitionInBitsForEveryBlock) {
  for (const Shape s :
       {Shape{16, 16, 16, 3, 4}, Shape{8, 12, 5, 2, 5}, Shape{32, 32, 40, 2, 3},
        Shape{20, 16, 64, 3, 2}, Shape{24, 20, 8, 3, 4}, Shape{64, 64, 128, 2, 3}}) {
    const Stack stack(s);
    constexpr int kFrames = 75, kValid = 61;
    const std::vector<float> x = random_floats(static_cast<std::size_t>(kFrames * s.channels));
    const std::vector<float> naive = stack.naive(x, kValid);
    for (const Kernels* k : all_levels()) {
      // naive() is made of fma: v2 comes near it and is its own reference for blocks.
      const std::vector<float> expected = is_v2(*k) ? stack.run(*k, x, 75, kValid) : naive;
      EXPECT_TRUE(near_v2(naive, expected));
      for (const int block : {1, 2, 5, 16, 17, 33, 75}) {
        EXPECT_TRUE(same_bits(stack.run(*k, x, block, kValid), expected))
            << k->name << ", blocks of " << block << ", " << s.channels << " channels";
      }
      if (!stack.is_single()) continue;
      EXPECT_TRUE(same_bits(stack.run(*k, x, 17, kValid, 1), expected))
          << k->name << ", older taps apart, " << s.channels << " channels";
      for (const int steps : {1, 2, 7}) {
        EXPECT_TRUE(same_bits(stack.run(*k, x, 1, kValid, steps), expected))
            << k->name << ", " << steps << " known to come, " << s.channels << " channels";
      }
    }
  }
}

TEST(Recurrent, GatesFollowTorchsEquations) {
  for (const int hidden : {1, 15, 16, 17, 32, 100}) {
    const auto n = static_cast<std::size_t>(hidden);
    const std::ptrdiff_t stride = padded16(hidden);
    const std::vector<float> wx = random_floats(static_cast<std::size_t>(4 * stride), 1, 1);
    const std::vector<float> uh = random_floats(static_cast<std::size_t>(4 * stride), 1, 2);
    const std::vector<float> h = random_floats(n, 1, 3), c = random_floats(n, 1, 4);
    const auto run = [&](const Kernels& k) {
      std::vector<float> y = h;
      y.push_back(kGuard);
      k.gru({hidden, wx.data(), uh.data(), stride, y.data()});
      EXPECT_EQ(y[n], kGuard);
      std::vector<float> lstm_h = h, lstm_c = c;
      k.lstm({hidden, wx.data(), uh.data(), stride, lstm_h.data(), lstm_c.data()});
      y.insert(y.end(), lstm_h.begin(), lstm_h.end());
      y.insert(y.end(), lstm_c.begin(), lstm_c.end());
      return y;
    };
    const std::vector<float> y = on_all_levels(run);
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = [&](int gate) {
        return static_cast<double>(wx[static_cast<std::size_t>(gate * stride) + i]);
      };
      const auto u = [&](int gate) {
        return static_cast<double>(uh[static_cast<std::size_t>(gate * stride) + i]);
      };
      const double z = sigmoid(x(1) + u(1));
      const double candidate = std::tanh(x(2) + sigmoid(x(0) + u(0)) * u(2));
      ASSERT_NEAR(y[i], (1 - z) * candidate + z * static_cast<double>(h[i]), 1e-6);
      const double cell = sigmoid(x(1) + u(1)) * static_cast<double>(c[i]) +
                          sigmoid(x(0) + u(0)) * std::tanh(x(2) + u(2));
      ASSERT_NEAR(y[2 * n + 1 + i], cell, 1e-6);
      ASSERT_NEAR(y[n + 1 + i], sigmoid(x(3) + u(3)) * std::tanh(cell), 1e-6);
    }
  }
}

}  // namespace
}  // namespace rtaudio
