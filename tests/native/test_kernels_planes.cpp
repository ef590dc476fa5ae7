// Conditioned stacks, with time or channels in lanes, against their definition frame by frame.
#include "core/vecmath.h"
#include "kernel_test.h"

namespace rtaudio {
namespace {

struct Shape {
  int channels, hidden, skip;
  bool gated, has_skip;
  std::vector<int> taps;
  Unary function = Unary::leaky_relu;  // where it is not gated
  bool is_whole = false;               // has kernels of its own
};

struct Conditioned {
  struct Matrix {
    std::vector<float> weights, bias;
    PackedWeights packed;

    Matrix(int outputs, int depth, bool has_bias, unsigned seed)
        : weights(random_floats(static_cast<std::size_t>(outputs * depth), 0.25f, seed)),
          bias(random_floats(static_cast<std::size_t>(outputs), has_bias ? 0.2f : 0.0f, seed + 7)),
          packed(pack_matrix(weights.data(), outputs, depth, bias.data())) {}

    float sum(int output, const std::vector<float>& x) const {
      const PackedMatrix& m = packed.view();
      return tree_sum(weights.data() + output * m.depth, x, bias[static_cast<std::size_t>(output)],
                      m.splits);
    }
  };
  struct Step {
    Matrix conv, condition, residual, skip;
    int taps, dilation;
  };

  explicit Conditioned(Shape s) : shape(std::move(s)) {
    const int wide = shape.gated ? 2 * padded16(shape.hidden) : shape.hidden;
    for (std::size_t l = 0; l < shape.taps.size(); ++l) {
      const auto seed = static_cast<unsigned>(10 * l);
      layers.push_back({{wide, shape.taps[l] * shape.channels, true, seed},
                        {wide, 1, false, seed + 1},
                        {shape.channels, shape.hidden, true, seed + 2},
                        {shape.skip, shape.hidden, true, seed + 3},
                        shape.taps[l],
                        l % 2 == 0 ? 1 + static_cast<int>(l) : 17});
    }
  }
  int width() const { return shape.channels + 1 + shape.skip; }
  int reach(const Step& layer) const { return (layer.taps - 1) * layer.dilation; }

  // Rows of `width` floats in blocks of `block`, in a session for at most `max_frames`.
  std::vector<float> run(const Kernels& k, bool planes, const std::vector<float>& x, int block,
                         int max_frames, int valid_begin, int valid_end) const {
    std::vector<ConditionedLayer> table;
    std::size_t floats = 0;
    for (const Step& layer : layers) {
      table.push_back(
          {layer.conv.packed.view(), layer.condition.packed.view(), layer.residual.packed.view(),
           shape.has_skip ? layer.skip.packed.view() : PackedMatrix{}, layer.taps, layer.dilation});
      floats += planes ? plane_state_floats(shape.channels, reach(layer), max_frames)
                       : row_state_floats(shape.channels, reach(layer), max_frames);
    }
    ConditionedStack stack{table.data(),   static_cast<int>(table.size()),
                           shape.channels, shape.hidden,
                           shape.skip,     shape.gated,
                           function(),     Unary::sigmoid,
                           0.1f,           0.0f,
                           0.0f,           0.0f};
    stack.is_whole = has_whole_tiles(stack);
    EXPECT_EQ(stack.is_whole, shape.is_whole);
    const ConditionedStage stage{nullptr, 0, stack, width()};
    const ConditionedNet net{&stage, 1, width(), width(), 0, width()};
    std::vector<float> state(floats, 0.0f), y(x.size() + 1, kGuard);
    std::vector<float> scratch(planes ? conditioned_planes_scratch_floats(net)
                                      : conditioned_rows_scratch_floats(net));
    const int frames = static_cast<int>(x.size()) / width();
    for (int t = 0; t < frames; t += block) {
      (planes ? k.conditioned_planes : k.conditioned_rows)(
          net,
          {state.data(), max_frames, t, std::min(block, frames - t), valid_begin - t, valid_end - t,
           x.data() + t * width(), width(), y.data() + t * width(), width(), scratch.data()});
    }
    EXPECT_EQ(y.back(), kGuard);
    y.pop_back();
    return y;
  }

  Unary function() const { return shape.gated ? Unary::tanh : shape.function; }
  float activated(float a, float b) const {
    if (shape.gated) return math::gated_tanh(a, b);
    if (shape.function == Unary::tanh) return math::tanh(a);
    return a > 0.0f ? a : 0.1f * a;
  }

  std::vector<float> naive(std::vector<float> rows, int valid_begin, int valid_end) const {
    const int frames = static_cast<int>(rows.size()) / width();
    for (const Step& layer : layers) {
      const std::vector<float> before = rows;
      for (int t = 0; t < frames; ++t) {
        float* row = rows.data() + t * width();
        std::vector<float> past, h;
        for (int tap = 0; tap < layer.taps; ++tap) {
          const int from = t - reach(layer) + tap * layer.dilation;
          const bool is_valid = from >= valid_begin && from < valid_end;
          for (int c = 0; c < shape.channels; ++c) {
            past.push_back(is_valid ? before[static_cast<std::size_t>(from * width() + c)] : 0.0f);
          }
        }
        const std::vector<float> condition = {row[shape.channels]};
        const auto z = [&](int o) {
          return layer.conv.sum(o, past) + layer.condition.sum(o, condition);
        };
        for (int o = 0; o < shape.hidden; ++o) {
          h.push_back(activated(z(o), shape.gated ? z(padded16(shape.hidden) + o) : 0.0f));
        }
        for (int c = 0; c < shape.channels; ++c) row[c] += layer.residual.sum(c, h);
        for (int c = 0; c < shape.skip; ++c) {
          row[shape.channels + 1 + c] +=
              shape.has_skip ? layer.skip.sum(c, h) : h[static_cast<std::size_t>(c)];
        }
      }
    }
    return rows;
  }

  Shape shape;
  std::vector<Step> layers;
};

TEST(ConditionedStack, EqualsItsDefinitionInBitsForEveryBlock) {
  for (const Shape& s :
       {Shape{16, 16, 16, false, false, {3, 3, 2, 3}}, Shape{3, 3, 3, false, false, {6, 15, 1}},
        Shape{8, 6, 5, true, true, {3, 2, 4}}, Shape{20, 9, 33, true, true, {2, 3}},
        Shape{16, 16, 16, false, false, {3, 3, 2}, Unary::tanh},
        Shape{16, 16, 16, false, false, {3, 3, 3, 3, 3}, Unary::tanh, true},
        Shape{8, 8, 8, false, false, {3, 3, 3, 3}, Unary::tanh, true},
        Shape{8, 8, 8, false, false, {6, 15, 6}, Unary::leaky_relu, true}}) {
    const Conditioned stack(s);
    constexpr int kFrames = 150, kBegin = 3, kEnd = 140;
    const std::vector<float> x = random_floats(static_cast<std::size_t>(kFrames * stack.width()));
    const std::vector<float> naive = stack.naive(x, kBegin, kEnd);
    for (const Kernels* k : all_levels()) {
      // naive() is made of fma: v2 comes near it and is its own reference for blocks.
      const std::vector<float> whole = stack.run(*k, false, x, kFrames, kFrames, kBegin, kEnd);
      const std::vector<float> expected = is_v2(*k) ? whole : naive;
      EXPECT_TRUE(near_v2(naive, expected));
      for (const bool planes : {false, true}) {
        for (const auto& [block, most] : std::vector<std::pair<int, int>>{
                 {1, 1}, {5, 64}, {16, 16}, {17, 20}, {33, 40}, {64, 64}, {65, 100}, {150, 150}}) {
          EXPECT_TRUE(same_bits(stack.run(*k, planes, x, block, most, kBegin, kEnd), expected))
              << k->name << (planes ? ", planes" : ", rows") << ", blocks of " << block << " of "
              << most << ", " << s.channels << " channels";
        }
      }
    }
  }
}

}  // namespace
}  // namespace rtaudio
