// Threads that share one stream: every program gives the bits of one thread, and its saved state is
// that of one thread.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "model/stream.h"
#include "model/threads.h"
#include "sessions.h"

namespace rtaudio {
namespace {

constexpr int kTicks = 45;
constexpr int kLeft = 3;  // for a second call

std::vector<float> in_threads(const std::shared_ptr<const Model>& model,
                              const std::vector<float>& x, int threads, int max_ticks) {
  Session session(model, 1, max_ticks, kRampFrames, controls_of(*model), threads);
  for (int i = 0; i < model->num_controls(); ++i) session.set_control(i, 0.75f);
  std::vector<float> y(static_cast<std::size_t>(kTicks * output_floats(*model)));
  constexpr int kFirst = kTicks - kLeft;
  process_in_threads(session, x.data(), y.data(), kFirst);
  session.end(0, std::int64_t{model->input().frames} * (kTicks - 1));
  process_in_threads(session, x.data() + kFirst * input_floats(*model),
                     y.data() + kFirst * output_floats(*model), kLeft);
  return y;
}

TEST(Threads, GiveTheBitsOfOne) {
  for (const auto& [name, program] : all_programs()) {
    for (const std::shared_ptr<const Model>& model : in_every_precision(program)) {
      const std::vector<float> x = signal(*model, kTicks);
      Session alone(model, 1, 1, kRampFrames, controls_of(*model));
      for (int i = 0; i < model->num_controls(); ++i) alone.set_control(i, 0.75f);
      std::vector<float> expected;
      run_ticks(alone, x, 0, kTicks - kLeft, 1, expected);
      alone.end(0, std::int64_t{model->input().frames} * (kTicks - 1));
      run_ticks(alone, x, kTicks - kLeft, kTicks, 1, expected);
      for (const int threads : {1, 2, 3, 7}) {
        EXPECT_EQ(in_threads(model, x, threads, 2), expected) << name << ' ' << threads;
      }
    }
  }
}

TEST(Threads, SaveTheStateOfOne) {
  const auto model = make_model(refine_program());
  const std::vector<float> x = signal(*model, kTicks);
  const auto open = [&](int threads) { return Stream(model, 1, 2, kRampFrames, {}, 0, threads); };
  const std::int64_t frames = std::int64_t{kTicks} * model->input().frames;
  const auto push = [](Stream& stream, const float* from, std::int64_t count) {
    std::vector<float> y(static_cast<std::size_t>(stream.push_size(count) * stream.output_width()));
    stream.push(from, count, y.data());
    return y;
  };
  Stream one = open(1), two = open(2);
  EXPECT_EQ(push(two, x.data(), 50), push(one, x.data(), 50));
  Stream again = open(3);
  again.load(two.save());
  const float* rest = x.data() + 50 * one.input_width();
  EXPECT_EQ(push(again, rest, frames - 50), push(one, rest, frames - 50));
}

TEST(Threads, AreForOneLane) {
  const auto model = make_model(refine_program());
  const auto open = [&](int lanes, int threads) {
    Session(model, lanes, 1, kRampFrames, {}, threads);
  };
  EXPECT_THROW(open(2, 2), std::invalid_argument);
  EXPECT_THROW(open(1, 0), std::invalid_argument);
  EXPECT_THROW(open(1, 65), std::invalid_argument);
}

}  // namespace
}  // namespace rtaudio
