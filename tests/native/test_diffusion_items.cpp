// The items that a GPU's threads take, run here thread by thread: each value written once, and in
// the bits of the frames' own loop.
#include <numeric>

#include "core/refine.h"
#include "cpu/denormals.h"
#include "kernel_test.h"

namespace rtaudio {
namespace {

constexpr refine::Step kStep{1.2f, 0.3f, 0.4f};

struct Case {
  std::int64_t lanes, frames;
  int values;
  std::int64_t num_threads;
};

std::size_t size_of(const Case& c) {
  return static_cast<std::size_t>(c.lanes * c.frames) * static_cast<std::size_t>(c.values);
}

refine::Items items_of(const Case& c) {
  return {c.lanes, c.frames, c.values, {7, 3, 5}, (std::int64_t{1} << 32) - 2, 4};
}

template <class Job>
void run_threads(const Job& job, std::int64_t num_threads) {
  std::vector<std::int64_t> threads(static_cast<std::size_t>(num_threads));
  std::iota(threads.begin(), threads.end(), 0);
  std::shuffle(threads.begin(), threads.end(), std::mt19937(1));
  for (const std::int64_t thread : threads) refine::run_items(job, thread, num_threads);
}

// The noise of all frames, and x after a step, as a layer makes them.
std::vector<float> frame_by_frame(const Case& c, const float* epsilon, const float* spread,
                                  std::vector<float>* x) {
  const refine::Items items = items_of(c);
  std::vector<float> z(size_of(c));
  for (std::int64_t row = 0; row < c.lanes * c.frames; ++row) {
    noise::Source source = items.source;
    source.stream += static_cast<std::uint32_t>(row / c.frames);
    float* to = z.data() + row * c.values;
    refine::normals(source, items.position + row % c.frames, items.step, c.values, to);
    for (int v = 0; v < c.values; ++v) {
      float& value = (*x)[static_cast<std::size_t>(row * c.values + v)];
      const float each = spread == nullptr ? 1.0f : spread[row];
      value = refine::update(kStep, value, epsilon[row * c.values + v], each * to[v], true);
    }
  }
  return z;
}

TEST(DiffusionItems, ThreadsGiveTheBitsOfTheLoopOverFrames) {
  const FlushDenormals guard;
  for (const Case& c : {Case{1, 1, 1, 1}, Case{2, 50, 3, 64}, Case{3, 7, 9, 500}, Case{1, 33, 4, 8},
                        Case{5, 11, 6, 7}}) {
    const std::vector<float> epsilon = random_floats(size_of(c), 1.0f, 2);
    const std::vector<float> spread = random_floats(static_cast<std::size_t>(c.lanes * c.frames));
    const std::vector<float> begin = random_floats(size_of(c), 0.5f, 3);
    for (const float* wide : {static_cast<const float*>(nullptr), spread.data()}) {
      std::vector<float> expected = begin;
      const std::vector<float> noise = frame_by_frame(c, epsilon.data(), wide, &expected);

      std::vector<float> z(size_of(c), kNan);
      run_threads(refine::Draws{items_of(c), z.data()}, c.num_threads);
      EXPECT_TRUE(same_bits(z, noise));

      std::vector<float> x = begin;
      run_threads(refine::Updates{items_of(c), kStep, true, epsilon.data(), wide, x.data()},
                  c.num_threads);
      EXPECT_TRUE(same_bits(x, expected)) << c.values << " values";
    }
  }
}

TEST(DiffusionItems, WithoutADeviationNothingIsDrawn) {
  const Case c{1, 9, 2, 5};
  const std::vector<float> begin = random_floats(size_of(c)), epsilon = random_floats(size_of(c));
  const refine::Step last{1.1f, 0.2f, 0.0f};
  std::vector<float> x = begin;
  run_threads(refine::Updates{items_of(c), last, false, epsilon.data(), nullptr, x.data()},
              c.num_threads);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(same_bits(x[i], last.scale * (begin[i] - last.weight * epsilon[i])));
  }
}

}  // namespace
}  // namespace rtaudio
