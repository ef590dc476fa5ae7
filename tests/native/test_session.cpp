// Sessions and streams of every kind of operation: the floating-point mode, lanes, control ramps
// and saved state.
#include <fenv.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "cpu/denormals.h"
#include "model/stream.h"
#include "sessions.h"

namespace rtaudio {
namespace {

TEST(Session, ThreadsShareAModel) {
  for (const auto& [name, program] : all_programs()) {
    const auto model = make_model(program);
    const std::vector<float> x = signal(*model, 20);
    std::vector<float> outputs[2];
    std::thread other([&] { outputs[1] = run_alone(model, x, 3); });
    outputs[0] = run_alone(model, x, 1);
    other.join();
    EXPECT_TRUE(same_bits(outputs[1], outputs[0])) << name;
  }
}

using Mode = FlushDenormals::Mode;
#if defined(__aarch64__)
constexpr Mode kModes[] = {0, 1u << 24 /* flushes */, 1u << 22 /* rounds up */};
constexpr Mode kTrapping = 0x1f00u;  // all exceptions trap, on processors that can
#else
constexpr Mode kModes[] = {0x1f80u, 0x9fc0u /* flushes */, 0x5f80u /* rounds up */,
                           0x7fbfu /* flags set */};
constexpr Mode kTrapping = 0;  // all exceptions trap
#endif

TEST(Session, TheCallersFloatingPointModeComesBackAndChangesNothing) {
  const auto model = make_model(spectral_program());
  const std::vector<float> x = signal(*model, 8);
  const std::vector<float> expected = run_alone(model, x);
  const Mode usual = FlushDenormals::mode();
  for (const Mode mode : kModes) {
    Session session = make_session(model);
    std::vector<float> y(x.size());
    FlushDenormals::set_mode(mode);
    session.process(x.data(), 0, y.data(), 0, 4);
    session.process(x.data() + 4 * input_floats(*model), 0, y.data() + 4 * output_floats(*model), 0,
                    4);
    const Mode after = FlushDenormals::mode();
    FlushDenormals::set_mode(usual);
    EXPECT_EQ(after, mode);
    EXPECT_TRUE(same_bits(y, expected)) << std::hex << mode;
  }
}

TEST(Session, ACallerThatTrapsOnFloatingPointErrorsIsNotTrapped) {
  const auto model = make_model(spectral_program());
  std::vector<float> x = signal(*model, kTicks);
  x[3] = kNan;
  x[9] = 1e38f;
  Session session = make_session(model);
  std::vector<float> y(x.size());
  fenv_t environment;
  feholdexcept(&environment);
  FlushDenormals::set_mode(kTrapping);
  session.process(x.data(), 0, y.data(), 0, kTicks);
  fesetenv(&environment);
  EXPECT_TRUE(std::isnan(y.back()));
}

TEST(Session, DenormalInputIsSilence) {
  for (const auto& [name, program] : all_programs()) {
    if (program.operations.empty()) continue;  // a plain copy
    const auto model = make_model(program);
    std::vector<float> x = signal(*model, 40);
    std::fill(x.begin(), x.end(), 0.0f);
    const std::vector<float> expected = run_alone(model, x);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 1e-39f : -1e-42f;
    std::vector<float> y = run_alone(model, x);
    for (float& v : y) v += 0.0f;  // -0 is silence too
    std::vector<float> silence = expected;
    for (float& v : silence) v += 0.0f;
    EXPECT_TRUE(same_bits(y, silence)) << name;
  }
}

void check_that_nan_stays_in_its_lane(const std::string& name,
                                      const std::shared_ptr<const Model>& model) {
  const int ticks = 12;
  const int in = input_floats(*model), out = output_floats(*model);
  std::vector<float> lanes[3] = {signal(*model, ticks, 1), signal(*model, ticks, 2),
                                 signal(*model, ticks, 3)};
  const std::vector<float> expected[3] = {run_alone(model, lanes[0]), run_alone(model, lanes[1]),
                                          run_alone(model, lanes[2])};
  std::vector<float> bad(static_cast<std::size_t>(in));
  for (std::size_t i = 0; i < bad.size(); ++i) bad[i] = i % 2 ? kNan : -INFINITY;
  Session session = make_session(model, 3);
  std::vector<float> got[3];
  // Lane 1: held over bad input, then poisoned by it, then reset and run again from its start.
  for (int tick = 0; tick < 2 * ticks; ++tick) {
    const bool held = tick < 3, poisoned = tick >= 3 && tick < ticks;
    if (tick == ticks) session.reset(1);
    session.hold(0, tick >= ticks);
    session.hold(1, held);
    session.hold(2, tick >= ticks);
    std::vector<float> x(static_cast<std::size_t>(3 * in));
    std::vector<float> y(static_cast<std::size_t>(3 * out), kGuard);
    for (int lane = 0; lane < 3; ++lane) {
      const bool good = lane != 1 || tick >= ticks;
      const float* from = good ? lanes[lane].data() + tick % ticks * in : bad.data();
      std::copy_n(from, in, x.data() + lane * in);
    }
    session.process(x.data(), in, y.data(), out, 1);
    for (int lane = 0; lane < 3; ++lane) {
      const auto first = y.begin() + lane * out;
      const bool silent = lane == 1 ? held : tick >= ticks;
      if (silent) {
        EXPECT_TRUE(std::all_of(first, first + out, [](float v) { return v == kGuard; })) << name;
      } else if (lane != 1 || !poisoned) {
        got[lane].insert(got[lane].end(), first, first + out);
      }
    }
  }
  for (int lane = 0; lane < 3; ++lane) {
    EXPECT_TRUE(same_bits(got[lane], expected[lane])) << name << ", lane " << lane;
  }
}

TEST(Session, NanInOneLaneStaysThere) {
  for (const auto& [name, program] : all_programs()) {
    for (const auto& model : in_every_precision(program)) {
      check_that_nan_stays_in_its_lane(name, model);
    }
  }
}

TEST(Session, AControlsRampDoesNotDependOnTheSplit) {
  for (const ProgramSpec& program : {spectral_program(), upsampling_program()}) {
    const auto model = make_model(program);
    const int ticks = 120;
    const std::vector<float> x = signal(*model, ticks);
    std::vector<float> expected;
    for (const int split : {1, 2, 3, 4}) {
      Session session = make_session(model);
      std::vector<float> y;
      run_ticks(session, x, 0, 10, split, y);
      session.set_control(0, 1.0f);
      run_ticks(session, x, 10, 17, split, y);  // the next change comes in the middle of the ramp
      session.set_control(0, 0.0f);
      session.set_control(0, kNan);  // ignored
      run_ticks(session, x, 17, ticks, split, y);
      if (expected.empty()) expected = y;
      EXPECT_TRUE(same_bits(y, expected)) << "ticks of a call: " << split;
    }
  }
}

TEST(Session, AControlReachesItsValueInAStraightLine) {
  ProgramBuilder p({2, 1, 0}, 1);
  p.add("blend", {0}, {1, 1, 0}, {}, {}, {}, 0);
  const auto model = make_model(p.take());
  Session session(model, 1, kTicks, 10.0, {0.0f});
  session.set_control(0, 1.0f);
  for (int tick = 1; tick <= 15; ++tick) {
    const float x[2] = {0.0f, 1.0f};  // wet, dry
    float y;
    session.process(x, 0, &y, 0, 1);
    EXPECT_FLOAT_EQ(y, std::min(1.0f, static_cast<float>(tick) / 10.0f)) << tick;
  }
}

TEST(Session, StateMovesBetweenSessionsOfOtherSizes) {
  for (const auto& [name, program] : all_programs()) {
    const auto model = make_model(program);
    const int ticks = 30;
    const std::vector<float> x = signal(*model, ticks);
    const std::vector<float> expected = run_alone(model, x);
    for (const int other : {1, 2, 9}) {
      for (const int moved : {0, 1, 5, 14}) {
        Session first = make_session(model, 1, 3);
        Session second = make_session(model, 2, other);
        second.hold(0, true);
        std::vector<float> y;
        run_ticks(first, x, 0, moved, 3, y);
        second.load(1, first.ticks(0), first.save(0));
        // Back again, by way of another lane.
        first.load(0, second.ticks(1), second.save(1));
        Session third = make_session(model, 1, other);
        third.load(0, first.ticks(0), first.save(0));
        run_ticks(third, x, moved, ticks, other, y);
        EXPECT_TRUE(same_bits(y, expected)) << name << " after " << moved << " ticks";
      }
    }
  }
}

TEST(Stream, StateMovesInTheMiddleOfARamp) {
  const auto model = make_model(spectral_program());
  const std::vector<float> x = random_floats(400);
  const auto open = [&](int max_ticks) {
    return Stream(model, 1, max_ticks, kRampFrames, {0.0f}, 0);
  };
  Stream whole = open(4), first = open(3), second = open(7);
  std::vector<float> expected(400), y(400);
  whole.process(x.data(), expected.data(), 101);
  whole.set_control(0, 1.0f);
  whole.process(x.data() + 101, expected.data() + 101, 299);
  first.process(x.data(), y.data(), 101);
  first.set_control(0, 1.0f);
  first.process(x.data() + 101, y.data() + 101, 50);
  second.load(first.save());
  second.process(x.data() + 151, y.data() + 151, 249);
  EXPECT_TRUE(same_bits(y, expected));
}

TEST(Stream, ABrokenSavedStateIsRefused) {
  const auto model = make_model(spectral_program());
  Stream stream(model, 1, kTicks, kRampFrames, {0.0f}, 0);
  const std::vector<float> x = random_floats(100);
  std::vector<float> y(100);
  stream.push(x.data(), 100, y.data());
  const Stream::Saved good = stream.save();
  const auto refused = [&](auto change) {
    Stream::Saved bad = good;
    change(bad);
    EXPECT_THROW(stream.load(bad), std::invalid_argument);
  };
  for (const std::int64_t n : {INT64_MIN, std::int64_t{-1}, std::int64_t{101}, INT64_MAX}) {
    refused([n](Stream::Saved& s) { s.frames_in = n; });
    refused([n](Stream::Saved& s) { s.frames_out = n; });
  }
  refused([](Stream::Saved& s) { s.pending.resize(8); });
  refused([](Stream::Saved& s) { s.ready.resize(10'000); });
  refused([](Stream::Saved& s) { s.processing = true; });
  refused([](Stream::Saved& s) { s.ramps.clear(); });
  refused([](Stream::Saved& s) { s.ramps[0].to = kNan; });
  refused([](Stream::Saved& s) { s.ramps[0].ticks = -1; });
  refused([](Stream::Saved& s) { s.lanes.clear(); });
  refused([](Stream::Saved& s) { s.lanes[0].pop_back(); });
  refused([](Stream::Saved& s) { s.lanes[0][0].values.pop_back(); });
  refused([](Stream::Saved& s) { s.lanes[0][0].name = "0.other"; });
  stream.load(good);
  EXPECT_EQ(stream.frames_in(), 100);
}

// Frames of push and flush together, whatever the split, for a model of any ratio.
TEST(Stream, PushSizesAddUpForEveryRatio) {
  ProgramBuilder down({1, 4, 0});
  down.conv(0, {2, 2, 0}, 3, 2);
  std::vector<std::pair<std::string, ProgramSpec>> programs = all_programs();
  programs.emplace_back("downsampling", down.take());
  for (const auto& [name, program] : programs) {
    const auto model = make_model(program);
    for (const int total : {0, 1, 2, 5, 64, 333}) {
      std::vector<float> expected;
      for (const int block : {400, 1, 3, 17}) {
        Stream stream(model, 1, kTicks, kRampFrames, controls_of(*model), 0);
        const auto in = static_cast<std::size_t>(stream.input_width());
        const auto out = static_cast<std::size_t>(stream.output_width());
        const std::vector<float> x = random_floats(333 * in);
        std::vector<float> y;
        for (int t = 0; t < total; t += block) {
          const int frames = std::min(block, total - t);
          std::vector<float> part(static_cast<std::size_t>(stream.push_size(frames)) * out);
          stream.push(x.data() + static_cast<std::size_t>(t) * in, frames, part.data());
          y.insert(y.end(), part.begin(), part.end());
        }
        std::vector<float> tail(static_cast<std::size_t>(stream.flush_size()) * out);
        stream.flush(tail.data());
        y.insert(y.end(), tail.begin(), tail.end());
        EXPECT_EQ(stream.flush_size(), 0);
        EXPECT_EQ(y.size(), static_cast<std::size_t>(model->output_length(total)) * out) << name;
        if (block == 400) expected = y;
        EXPECT_TRUE(same_bits(y, expected)) << name << ", " << total << " in blocks of " << block;
      }
    }
  }
}

}  // namespace
}  // namespace rtaudio
