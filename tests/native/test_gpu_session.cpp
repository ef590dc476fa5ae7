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
  BlockEmulator(parts_->packed.net, call, 5, 100, ++parts_->calls).run();
}

}  // namespace wavenet

namespace {

std::shared_ptr<const Model> on_gpu(const Case& c) {
  Precision precision;
  precision.format = c.precision.format;
  precision.device = Device::cuda_strict;
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
  for (const Shape& shape : {kCodes, kLogistic, kGaussian, kVectors, in_halves(kWide)}) {
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

}  // namespace
}  // namespace rtaudio
