// Sessions on a GPU that is emulated: lanes, resets, prompts and saved states are those of the CPU.
#include "cuda/queue.h"
#include "cuda/wavenet.h"
#include "wavenet_case.h"

namespace rtaudio {

// In place of the library's, which is without CUDA: the host, and emulated blocks.
std::unique_ptr<gpu::Queue> gpu::make_gpu_queue() { return make_host_queue(); }

namespace wavenet {

struct Gpu::Parts {
  Packed packed;
  mutable unsigned calls = 0;
};
Gpu::Gpu(const Weights& weights, bool strict)
    : parts_(new Parts{pack(weights, std::min(2, static_cast<int>(weights.layers.size())), strict),
                       0}) {}
Gpu::~Gpu() = default;
const Net& Gpu::net() const { return parts_->packed.net; }
std::int64_t Gpu::ring_floats() const { return parts_->packed.ring_floats; }
std::size_t Gpu::mail_bytes(int) const { return 0; }
void Gpu::launch(const Call& call, char*, void*) const {
  const Net& net = parts_->packed.net;
  BlockEmulator(net, call, way_of(net, call.lanes), 5, 100, ++parts_->calls).run();
}

}  // namespace wavenet

namespace {

std::shared_ptr<const Model> on_gpu(const Case& c, Device device = Device::cuda_strict) {
  Precision precision;
  precision.format = c.precision.format;
  precision.device = device;
  return std::make_shared<const Model>(c.program, precision);
}

// One lane in calls of `split` frames, handed from session to session, of models in turn.
std::vector<float> handed_on(const Case& c, int lane, int split,
                             const std::vector<std::shared_ptr<const Model>>& models) {
  std::vector<float> audio;
  std::vector<Session::StateTensor> state;
  std::size_t turn = 0;
  for (int frame = 0; frame < kFrames; frame += split, ++turn) {
    const int count = std::min(split, kFrames - frame);
    Session session = make_session(models[turn % models.size()], 1, kFrames);
    session.restart(0, c.settings[static_cast<std::size_t>(lane)]);
    if (frame > 0) session.load(0, frame, state);
    std::vector<float> part(static_cast<std::size_t>(count * c.shape.hop * c.shape.values));
    session.process(c.input.data() + (lane * kFrames + frame) * c.row(), 0, part.data(), 0, count);
    audio.insert(audio.end(), part.begin(), part.end());
    if (session.can_save(0)) state = session.save(0);
  }
  return audio;
}

TEST(GpuSession, GivesTheBitsOfTheCpuAndStatesMoveBetweenTheTwo) {
  if (is_v2(*best_level())) GTEST_SKIP() << "this processor has no fma";
  for (const Shape& shape :
       {kCodes, kLogistic, kGaussian, kVectors, in_format(kWide, WeightFormat::bf16)}) {
    const Case c(shape, 3, 0);
    const std::vector<float> expected = c.on_the_cpu();
    const std::shared_ptr<const Model> gpu = on_gpu(c);
    for (int lane = 0; lane < c.lanes; ++lane) {
      const auto from = expected.begin() + lane * static_cast<std::ptrdiff_t>(c.samples());
      const std::vector<float> alone(from, from + static_cast<std::ptrdiff_t>(c.samples()));
      EXPECT_TRUE(same_bits(handed_on(c, lane, 2, {gpu}), alone));
      EXPECT_TRUE(same_bits(handed_on(c, lane, 1, {gpu, c.model}), alone));
    }
  }
}

TEST(GpuSession, LanesPromptsAndEndsAreThoseOfTheCpu) {
  if (is_v2(*best_level())) GTEST_SKIP() << "this processor has no fma";
  for (const Shape& shape : {kCodes, kVectors}) {
    const Case c(shape, 3, 2);
    const auto run = [&](const std::shared_ptr<const Model>& model) {
      Session session = make_session(model, c.lanes, kFrames);
      for (int lane = 0; lane < c.lanes; ++lane) {
        session.restart(lane, c.settings[static_cast<std::size_t>(lane)]);
      }
      session.hold(1, true);
      session.end(2, kFrames - 1);
      std::vector<float> audio(c.samples() * static_cast<std::size_t>(c.lanes), 0.0f);
      const auto step = static_cast<std::ptrdiff_t>(c.samples());
      session.process(c.input.data(), kFrames * c.row(), audio.data(), step, 2);
      session.hold(1, false);
      session.reset(0);
      session.process(c.input.data(), kFrames * c.row(),
                      audio.data() + 2 * c.shape.hop * c.shape.values, step, kFrames - 2);
      return audio;
    };
    EXPECT_TRUE(same_bits(run(on_gpu(c)), run(c.model)));
  }
}

// Lanes are held, reset and ended at any time, in calls of any length.
std::vector<float> come_and_go(const Case& c, const std::shared_ptr<const Model>& model,
                               unsigned seed) {
  std::mt19937 chance(seed);
  const auto one_of = [&](unsigned count) { return chance() % count == 0; };
  Session session = make_session(model, c.lanes, kFrames);
  std::vector<float> audio(c.samples() * static_cast<std::size_t>(c.lanes), 0.0f);
  std::vector<bool> ended(static_cast<std::size_t>(c.lanes), false);
  for (int lane = 0; lane < c.lanes; ++lane) {
    session.restart(lane, c.settings[static_cast<std::size_t>(lane)]);
  }
  for (int frame = 0; frame < kFrames;) {
    const int frames = std::min(kFrames - frame, 1 + static_cast<int>(chance() % 3));
    for (int lane = 0; lane < c.lanes; ++lane) {
      const auto at = static_cast<std::size_t>(lane);
      session.hold(lane, one_of(4));
      if (one_of(8)) {
        session.reset(lane);
        ended[at] = false;
      } else if (!ended[at] && one_of(12)) {
        session.end(lane, frame + 1);
        ended[at] = true;
      }
    }
    session.process(c.input.data() + frame * c.row(), kFrames * c.row(),
                    audio.data() + frame * c.shape.hop * c.shape.values,
                    static_cast<std::ptrdiff_t>(c.samples()), frames);
    frame += frames;
  }
  return audio;
}

TEST(GpuSession, BunchesOfLanesThatComeAndGoAreThoseOfTheCpu) {
  if (is_v2(*best_level())) GTEST_SKIP() << "this processor has no fma";
  unsigned seed = 1;
  for (const Shape& shape :
       {kCodes, kWide, kLogistic, kGaussian, kVectors, in_format(kSplit, WeightFormat::bf16)}) {
    for (const int lanes : {3, 8, 13, 20}) {
      const Case c(shape, lanes, static_cast<int>(seed % 3));
      ++seed;
      EXPECT_TRUE(same_bits(come_and_go(c, on_gpu(c), seed), come_and_go(c, c.model, seed)))
          << shape.channels << " channels, " << lanes << " lanes";
    }
  }
}

// A Gaussian's samples move with its parameters, and what is fed back with them: a value that
// rounds to another bf16 is 2^-8 of itself away, and steps that follow add to that.
TEST(GpuSession, TilesAreNearTheCpu) {
  for (const Shape& shape : {kGaussian, kVectors}) {
    const Case c(in_format(shape, WeightFormat::bf16dot), 11, 2);
    const std::shared_ptr<const Model> gpu = on_gpu(c, Device::cuda);
    const std::vector<float> found = come_and_go(c, gpu, 7), near = come_and_go(c, c.model, 7);
    float most = 0.0f;
    for (std::size_t i = 0; i < near.size(); ++i) {
      most = std::max(most, std::fabs(found[i] - near[i]));
    }
    EXPECT_LE(most, 5e-2f);
    EXPECT_NE(found, near);  // or they were done as on the CPU
  }
}

TEST(GpuSession, StatesOfTilesMoveToTheCpuAndBack) {
  const Case c(in_format(kGaussian, WeightFormat::bf16dot), 2, 0);
  const std::shared_ptr<const Model> gpu = on_gpu(c, Device::cuda);
  const std::vector<float> whole = handed_on(c, 1, kFrames, {gpu});
  EXPECT_TRUE(same_bits(handed_on(c, 1, 2, {gpu}), whole));
  const std::vector<float> moved = handed_on(c, 1, 1, {gpu, c.model});
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(moved[i], whole[i], 1e-2f);
}

// In the CPU's order there are no tensor cores: the loop goes step by step, in the CPU's bits.
TEST(GpuSession, StrictBf16DotHasTheBitsOfTheCpu) {
  const Case c(in_format(kWide, WeightFormat::bf16dot), 9, 2);
  EXPECT_TRUE(same_bits(come_and_go(c, on_gpu(c), 5), come_and_go(c, c.model, 5)));
}

}  // namespace
}  // namespace rtaudio
