// The audio path without a sound card: the test is the device. Build it under TSan, RTSan and ASan
// (./dev native).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "allocation_counter.h"
#include "live/model_processor.h"
#include "live/port_audio.h"
#include "live_rig.h"

namespace rtaudio {
namespace {

constexpr ModelRates kSameRate{kRate, kRate};

TEST(Engine, AWireChangesNothing) {
  EngineConfig config = config_with(Placement::measured);
  config.input_channels = config.output_channels = config.lanes = 2;
  Engine engine(config, nullptr);
  EXPECT_EQ(engine.delay(), 0);
  for (int i = 0; i < 50; ++i) {
    std::vector<float> in = random_floats(2 * kBlock, 0.2f, static_cast<unsigned>(i));
    in[0] = 1e-42f;  // a denormal is a sample too
    std::vector<float> out(in.size());
    rtaudio_port_audio_callback(in.data(), out.data(), kBlock, nullptr, 0, &engine);
    for (std::size_t t = 0; t < in.size(); ++t) ASSERT_TRUE(same_bits(in[t], out[t]));
  }
  EXPECT_EQ(engine.counts().frames.get(), 50 * kBlock);
}

TEST(Engine, MixesChannelsAndSpreadsThem) {
  EngineConfig config = config_with(Placement::measured);
  config.input_channels = 2;
  config.output_channels = 3;
  Engine engine(config, nullptr);
  std::vector<float> in(2 * kBlock), out(3 * kBlock);
  for (int t = 0; t < kBlock; ++t) in[static_cast<std::size_t>(2 * t)] = 0.5f;
  engine.process(in.data(), out.data(), kBlock, 0);
  for (const float y : out) EXPECT_EQ(y, 0.25f);
}

TEST(Engine, ContainsWhatIsNoSound) {
  Engine engine(config_with(Placement::measured), nullptr);
  std::vector<float> in(kBlock, 0.25f), out(kBlock);
  in[1] = kNan;
  in[2] = std::numeric_limits<float>::infinity();
  in[3] = 7.0f;
  engine.process(in.data(), out.data(), kBlock, 0);
  EXPECT_EQ(out, (std::vector<float>{0.25f, 0.0f, 0.0f, 1.0f, 0.25f, 0.25f, 0.25f, 0.25f}));
  EXPECT_EQ(engine.counts().bad_input_samples.get(), 2);
  EXPECT_EQ(engine.counts().clipped_samples.get(), 1);
}

TEST(Engine, MutesAndCountsFlags) {
  Engine engine(config_with(Placement::measured), nullptr);
  std::vector<float> in(kBlock, 0.5f), out(kBlock);
  engine.set_mute(true);
  for (int i = 0; i < 4; ++i) engine.process(in.data(), out.data(), kBlock, 1u | 8u);
  EXPECT_EQ(out, std::vector<float>(kBlock, 0.0f));
  EXPECT_EQ(engine.counts().input_underflows.get(), 4);
  EXPECT_EQ(engine.counts().output_overflows.get(), 4);
  EXPECT_EQ(engine.counts().input_overflows.get(), 0);
  EXPECT_EQ(engine.counts().output_underflows.get(), 0);
}

TEST(Engine, RefusesImpossibleNumbers) {
  const auto make = [](auto change) {
    EngineConfig config = config_with(Placement::measured);
    change(config);
    Engine engine(config, nullptr);
  };
  using C = EngineConfig;
  EXPECT_THROW(make([](C& c) { c.sample_rate = 0; }), std::invalid_argument);
  EXPECT_THROW(make([](C& c) { c.block = 0; }), std::invalid_argument);
  EXPECT_THROW(make([](C& c) { c.input_channels = 65; }), std::invalid_argument);
  EXPECT_THROW(make([](C& c) { c.output_channels = 0; }), std::invalid_argument);
  EXPECT_THROW(make([](C& c) { c.lanes = 3; }), std::invalid_argument);
  EXPECT_THROW(make([](C& c) { c.hop = -1; }), std::invalid_argument);
  EXPECT_THROW(make([](C& c) { c.record_seconds = 100; }), std::invalid_argument);
}

class Placed : public testing::TestWithParam<Placement> {};
INSTANTIATE_TEST_SUITE_P(Both, Placed, testing::Values(Placement::in_callback, Placement::worker),
                         [](const auto& info) {
                           return info.param == Placement::worker ? "worker" : "in_callback";
                         });

TEST_P(Placed, TheDelayIsConstantAndDeclared) {
  EngineConfig config = config_with(GetParam());
  config.hop = 20;
  Rig rig(config);
  EXPECT_EQ(rig.engine->delay(), GetParam() == Placement::worker ? 16 + 24 : 16);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(rig.heard(rig.block()), Rig::Heard::wet) << i;
  EXPECT_EQ(rig.engine->counts().missed_blocks.get(), 0);
}

TEST_P(Placed, BypassFadesAndKeepsTheDelay) {
  Rig rig(config_with(GetParam()));
  float last = 0.0f;
  for (int i = 0; i < 120; ++i) {
    if (i % 30 == 0) rig.engine->set_bypass(i / 30 % 2 == 1);
    const std::vector<float> out = rig.block();
    for (const float y : out) {
      ASSERT_LT(std::fabs(y - last), 0.06f);  // a fifth of half the amplitude, and the sine's step
      last = y;
    }
    if (i % 30 > 5) {
      ASSERT_EQ(rig.heard(out), i / 30 % 2 == 1 ? Rig::Heard::dry : Rig::Heard::wet) << i;
    }
  }
}

TEST_P(Placed, NanIsNeverHeardAndPasses) {
  Rig rig(config_with(GetParam()));
  for (int i = 0; i < 100; ++i) {
    rig.wait();
    rig.faults->nan = i >= 40 && i < 43;
    const std::vector<float> out = rig.block();
    for (const float y : out) ASSERT_TRUE(std::fabs(y) <= 1.0f);
    if (i < 40 || i > 55) {
      ASSERT_EQ(rig.heard(out), Rig::Heard::wet) << i;
    }
  }
  EXPECT_EQ(rig.engine->runner()->num_bad_blocks(), 3);
  EXPECT_EQ(rig.faults->num_resets.load(), 3);
  EXPECT_GT(rig.engine->counts().concealed_frames.get(), 0);
}

TEST_P(Placed, AResetIsHeardAsTheDrySignal) {
  Rig rig(config_with(GetParam()));
  for (int i = 0; i < 60; ++i) {
    if (i == 30) rig.engine->runner()->request_reset();
    const std::vector<float> out = rig.block();
    if (i < 30 || i > 40) {
      ASSERT_EQ(rig.heard(out), Rig::Heard::wet) << i;
    }
  }
  EXPECT_EQ(rig.engine->runner()->num_resets(), 1);
}

TEST_P(Placed, AModelGivesTheBitsOfItsStream) {
  const auto model = std::make_shared<const Model>(spectral_program());
  const std::vector<float> x = random_floats(400 * kBlock, 0.1f);
  EngineConfig config = config_with(GetParam());
  config.hop = model->input().frames;
  Engine engine(config, std::make_unique<ModelProcessor>(model, 1, kBlock, kSameRate, 5.0,
                                                         std::vector<float>{0.25f}));
  Stream stream(model, 1, 4, 5.0, {0.25f}, kBlock);
  std::vector<float> expected(x.size()), y(x.size());
  stream.process(x.data(), expected.data(), static_cast<std::int64_t>(x.size()));
  for (std::size_t t = 0; t < x.size(); t += kBlock) {
    engine.process(x.data() + t, y.data() + t, kBlock, 0);
    while (engine.worker() && engine.worker()->num_waiting() > 0) std::this_thread::yield();
  }
  const auto late = static_cast<std::size_t>(engine.worker_delay());
  for (std::size_t t = late; t < x.size(); ++t) {
    ASSERT_TRUE(same_bits(y[t], std::clamp(expected[t - late], -1.0f, 1.0f)));
  }
}

TEST_P(Placed, TheCallbackNeitherAllocatesNorLocks) {
  if (!can_count_blocking_calls()) GTEST_SKIP() << "allocations are counted in the plain build";
  EngineConfig config = config_with(GetParam());
  config.record_seconds = 1;
  const auto model = std::make_shared<const Model>(spectral_program());
  Engine engine(config, std::make_unique<ModelProcessor>(model, 1, kBlock, kSameRate, 5.0,
                                                         std::vector<float>{0.25f}));
  const std::vector<float> in = random_floats(kBlock, 0.1f);
  std::vector<float> out(kBlock);
  for (int i = 0; i < 300; ++i) {
    const std::int64_t before = num_blocking_calls();
    engine.process(in.data(), out.data(), kBlock, 0);
    if (i > 0) {
      ASSERT_EQ(num_blocking_calls(), before);
    }
  }
}

TEST(Engine, RecordsBothSides) {
  EngineConfig config = config_with(Placement::in_callback);
  config.record_seconds = 1;
  Rig rig(config);
  for (int i = 0; i < 10; ++i) {
    const std::vector<float> out = rig.block();
    const BlockTag* tag = rig.engine->recording()->front();
    ASSERT_NE(tag, nullptr);
    EXPECT_EQ(tag->position, i * kBlock);
    const float* data = rig.engine->recording()->front_data();
    for (int t = 0; t < kBlock; ++t) {
      EXPECT_EQ(data[2 * t], rig.input(rig.frame - kBlock + t));
      EXPECT_EQ(data[2 * t + 1], out[static_cast<std::size_t>(t)]);
    }
    rig.engine->recording()->pop();
  }
  for (int i = 0; i < 2 * kRate / kBlock; ++i) rig.block();
  EXPECT_GT(rig.engine->counts().unrecorded_blocks.get(), 0);
}

}  // namespace
}  // namespace rtaudio
