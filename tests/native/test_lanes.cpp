// A session of more lanes than a batch holds: each lane, held or not, ended early or not, gives the
// bits of a session of its own.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "model/session.h"
#include "model/whole.h"
#include "programs.h"

namespace rtaudio {
namespace {

constexpr int kLanes = 19;
constexpr int kTicks = 14;
constexpr int kMostTicks = 3;

std::vector<float> controls_of(const Model& model) {
  return std::vector<float>(static_cast<std::size_t>(model.num_controls()), 0.25f);
}

// Every third lane waits in the second call, and every lane's signal has its own length.
bool is_held(int lane, int call) { return lane % 3 == 1 && call == 1; }
std::int64_t length_of(int lane, const Model& model) {
  return std::int64_t{model.input().frames} * (kTicks - 4) - lane;
}

TEST(Session, LanesOfABatchGiveTheBitsOfALaneAlone) {
  for (const auto& [name, program] : all_programs()) {
    const auto model = std::make_shared<const Model>(program);
    const int in = model->input().frames * model->input().channels;
    const int out = model->output().frames * model->output().channels;
    const std::vector<float> x =
        random_floats(static_cast<std::size_t>(kLanes * kTicks * in), 0.5f, 3);
    std::vector<float> y(static_cast<std::size_t>(kLanes * kTicks * out), kGuard);
    Session together(model, kLanes, kMostTicks, 50.0, controls_of(*model));
    for (int lane = 0; lane < kLanes; ++lane) together.end(lane, length_of(lane, *model));
    for (int tick = 0, call = 0; tick < kTicks; ++call) {
      const int ticks = std::min(1 + call % kMostTicks, kTicks - tick);
      for (int lane = 0; lane < kLanes; ++lane) together.hold(lane, is_held(lane, call));
      together.process(x.data() + tick * in, kTicks * in, y.data() + tick * out, kTicks * out,
                       ticks);
      tick += ticks;
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      Session alone(model, 1, kMostTicks, 50.0, controls_of(*model));
      alone.end(0, length_of(lane, *model));
      for (int tick = 0, call = 0; tick < kTicks; ++call) {
        const int ticks = std::min(1 + call % kMostTicks, kTicks - tick);
        std::vector<float> expected(static_cast<std::size_t>(ticks * out), kGuard);
        if (!is_held(lane, call)) {
          alone.process(x.data() + (lane * kTicks + tick) * in, 0, expected.data(), 0, ticks);
        }
        const auto first = y.begin() + (lane * kTicks + tick) * out;
        EXPECT_TRUE(same_bits({first, first + ticks * out}, expected))
            << name << ", lane " << lane << ", tick " << tick;
        tick += ticks;
      }
    }
  }
}

TEST(Session, AWholeSignalIsRefusedWhereItCannotBeHeld) {
  const auto model = std::make_shared<const Model>(memory_program());
  const std::vector<float> x = random_floats(30, 0.5f);
  EXPECT_EQ(run_whole(model, x.data(), 10, {}).size(),
            static_cast<std::size_t>(model->output_length(10) * model->output().channels));
  EXPECT_TRUE(run_whole(model, x.data(), 0, {}).empty());
  EXPECT_THROW(run_whole(model, x.data(), std::int64_t{1} << 40, {}), std::length_error);
  EXPECT_THROW(run_whole(model, x.data(), 1 << 22, {}), std::length_error);
}

}  // namespace
}  // namespace rtaudio
