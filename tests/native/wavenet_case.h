// WaveNets as programs, run by the engine on the CPU and by the persistent kernel's emulated
// blocks.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "block_emulator.h"
#include "cuda/wavenet_pack.h"
#include "model/loop_weights.h"
#include "sessions.h"

namespace rtaudio {

struct Shape {
  int channels, gate, skip, kernel;
  std::vector<int> dilations;
  std::vector<int> matrices;  // the last one: parameters
  int components;             // of a mixture; 0: codes
  int values;
  int hop;
  int mode;  // of the sampler
  bool gaussian;
  WeightFormat format = WeightFormat::fp32;
};

inline ProgramSpec program_of(const Shape& s) {
  const int layers = static_cast<int>(s.dilations.size()), condition = 2 * s.gate * layers;
  const int flag = s.mode >= 2 ? 1 : 0;
  ProgramBuilder p({condition + flag, 1, 0});
  ProgramBuilder::Ints ints{{"hop", s.hop}, {"softmax", s.components == 0}, {"mode", s.mode}};
  ProgramBuilder::Floats floats{{"temperature", 0.9}, {"voiced_scale", 0.7}, {"start", 0.5}};
  ProgramBuilder::Shapes table;
  if (s.components == 0) {
    ints["levels"] = s.matrices.back();
    table["decode"] = {s.matrices.back()};
  } else {
    ints.insert({{"gaussian", s.gaussian},
                 {"components", s.components},
                 {"values", s.values},
                 {"levels", s.gaussian ? 0 : 1000},
                 {"mu_law_levels", s.gaussian ? 0 : 256}});
    floats.insert({{"min_log_scale", -5.0}, {"max_log_scale", 2.0}, {"limit", 1.0}});
  }
  const int source =
      p.begin_loop(0, {s.values, s.hop, 0}, condition + s.values, ints, floats, table);
  int y = p.add("channels", {source}, {s.values, 1, 0},
                {{"begin", condition}, {"end", condition + s.values}, {"pad", 0}});
  if (s.components == 0) {
    const int levels = s.matrices.back();
    y = p.add("embedding", {y}, {s.channels, 1, 0}, {{"levels", levels}},
              {{"weight", {s.channels, levels}}});
  } else {
    y = p.conv(y, {s.channels, 1, 0}, 1);
  }
  const int held = p.add("channels", {source}, {condition, 1, 0},
                         {{"begin", 0}, {"end", condition}, {"pad", 0}});
  y = p.add("cat", {y, held}, {s.channels + condition, 1, 0});
  ProgramBuilder::Ints sizes{{"channels", s.channels},
                             {"gate_channels", s.gate},
                             {"skip_channels", s.skip},
                             {"kernel", s.kernel},
                             {"num_layers", layers}};
  ProgramBuilder::Shapes shapes;
  for (int i = 0; i < layers; ++i) {
    const std::string path = "layers." + std::to_string(i) + ".";
    sizes["dilation." + std::to_string(i)] = s.dilations[static_cast<std::size_t>(i)];
    shapes[path + "conv.weight"] = {2 * s.gate, s.channels, s.kernel};
    shapes[path + "out.weight"] = {s.channels + s.skip, s.gate, 1};
    shapes[path + "out.bias"] = {s.channels + s.skip};
  }
  y = p.add("conditioned_gated_stack", {y}, {s.skip, 1, 0}, sizes, shapes);
  int inputs = s.skip;
  for (const int rows : s.matrices) {
    y = p.unary(y, {inputs, 1, 0}, Unary::relu, 0.0, 0.0);
    y = p.conv(y, {rows, 1, 0}, 1);
    inputs = rows;
  }
  p.end_loop();
  return p.take();
}

constexpr int kFrames = 6;

// A model, what its lanes are given, and what it makes of it on the CPU.
struct Case {
  Case(const Shape& s, int num_lanes, int prompt_steps)
      : shape(s), lanes(num_lanes), program(program_of(s)) {
    precision.format = s.format;
    model = std::make_shared<const Model>(program, precision);
    weights = loop_weights(LayerContext(program, 0, precision));
    input = random_floats(static_cast<std::size_t>(lanes * kFrames * row()), 0.5f);
    for (int lane = 0; lane < lanes; ++lane) {
      LaneSettings each{7, static_cast<std::uint32_t>(lane + 3), {}, {}};
      for (int i = 0; i < (prompt_steps + lane) * s.values && prompt_steps > 0; ++i) {
        each.prompt.push_back(s.components == 0 ? static_cast<float>(i % 5) : 0.1f);
      }
      settings.push_back(each);
    }
  }

  int row() const { return model->input().channels; }
  int steps() const { return kFrames * shape.hop; }
  std::size_t samples() const { return static_cast<std::size_t>(steps() * shape.values); }

  std::vector<float> on_the_cpu() const {
    std::vector<float> audio(samples() * static_cast<std::size_t>(lanes));
    Session session = make_session(model, lanes, kFrames);
    for (int lane = 0; lane < lanes; ++lane) {
      session.restart(lane, settings[static_cast<std::size_t>(lane)]);
    }
    session.process(input.data(), kFrames * row(), audio.data(),
                    static_cast<std::ptrdiff_t>(samples()), kFrames);
    return audio;
  }
  // Of these frames of one lane's input alone; NaN elsewhere.
  std::vector<float> on_the_cpu(int lane, const std::vector<int>& frames) const {
    const int each = shape.hop * shape.values;
    std::vector<float> audio(samples(), kNan);
    Session session = make_session(model, 1, kFrames);
    session.restart(0, settings[static_cast<std::size_t>(lane)]);
    for (const int frame : frames) {
      session.process(input.data() + (lane * kFrames + frame) * row(), 0,
                      audio.data() + frame * each, 0, 1);
    }
    return audio;
  }

  Shape shape;
  int lanes;
  ProgramSpec program;
  Precision precision;
  std::shared_ptr<const Model> model;
  wavenet::Weights weights;
  std::vector<float> input;
  std::vector<LaneSettings> settings;
};

// The same by emulated blocks, in calls of so many frames; or, each lane in its own ones of them.
struct Emulated {
  struct How {
    int blocks, threads, resident, frames;
    bool strict;
    unsigned seed;
    wavenet::Way way = wavenet::Way::one;
    bool all_frames = true;
    int only = -1;  // this lane; -1: all
  };

  Emulated(const Case& c, const How& how)
      : packed(wavenet::pack(c.weights, how.blocks, how.strict)),
        parameters(static_cast<std::size_t>(c.lanes)),
        frames(static_cast<std::size_t>(c.lanes)) {
    const auto lanes = static_cast<std::size_t>(c.lanes);
    std::vector<float> rings(lanes * static_cast<std::size_t>(packed.ring_floats) + 16);
    float* aligned = rings.data();
    while (reinterpret_cast<std::uintptr_t>(aligned) % 16 != 0) ++aligned;
    std::vector<float> values(lanes * static_cast<std::size_t>(c.shape.values), 0.5f);
    audio.assign(lanes * c.samples(), kNan);
    std::mt19937 chance(how.seed);
    for (int frame = 0; frame < kFrames; frame += how.frames) {
      const int count = std::min(how.frames, kFrames - frame);
      std::vector<wavenet::Lane> starts;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        int begin = 0, end = count;
        if (!how.all_frames) {
          begin = std::max(0, some(chance, -1, count - 1));
          end = std::max(begin, some(chance, -1, count));
        }
        if (how.only >= 0 && how.only != static_cast<int>(lane)) end = begin;
        starts.push_back(start_of(c, lane, begin, end));
        for (int t = begin; t < end; ++t) frames[lane].push_back(frame + t);
      }
      const wavenet::Call call{c.lanes,
                               count,
                               c.shape.hop,
                               c.shape.mode >= 2,
                               c.input.data() + frame * c.row(),
                               std::int64_t{kFrames} * c.row(),
                               c.row(),
                               starts.data(),
                               aligned,
                               packed.ring_floats,
                               values.data(),
                               c.shape.values,
                               audio.data() + frame * c.shape.hop * c.shape.values,
                               static_cast<std::int64_t>(c.samples()),
                               c.shape.values};
      BlockEmulator emulator(packed.net, call, how.way, how.threads, how.resident, how.seed);
      emulator.run();
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        for (int step = 0; step < starts[lane].steps; ++step) {
          parameters[lane].push_back(emulator.parameters(static_cast<int>(lane), step));
        }
      }
    }
  }

  wavenet::Packed packed;
  std::vector<float> audio;
  // Of each lane: what its steps were drawn from, and which frames it has made.
  std::vector<std::vector<std::vector<float>>> parameters;
  std::vector<std::vector<int>> frames;

 private:
  static int some(std::mt19937& chance, int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(chance);
  }
  wavenet::Lane start_of(const Case& c, std::size_t lane, int begin, int end) const {
    const LaneSettings& each = c.settings[lane];
    return {{each.seed, each.stream, static_cast<std::uint32_t>(c.program.operations[0].output)},
            static_cast<std::int64_t>(frames[lane].size()) * c.shape.hop,
            each.prompt.data(),
            static_cast<std::int64_t>(each.prompt.size()) / c.shape.values,
            begin,
            (end - begin) * c.shape.hop};
  }
};

inline const Shape kCodes{18, 3, 5, 2, {1, 3, 2, 1}, {9, 24}, 0, 1, 3, 0, false};
inline const Shape kWide{40, 16, 24, 3, {1, 2, 5}, {37, 40, 30}, 0, 1, 2, 3, false};
inline const Shape kLogistic{24, 20, 12, 2, {2, 1, 4, 1, 7}, {18, 15}, 5, 1, 2, 2, false};
inline const Shape kGaussian{6, 5, 7, 1, {1, 1}, {8}, 1, 4, 4, 0, true};
inline const Shape kVectors{16, 5, 7, 2, {1, 2}, {72}, 1, 36, 2, 0, true};
inline const Shape kDeep{70, 68, 140, 2, {1, 2}, {130, 20}, 0, 1, 2, 0, false};
inline const Shape kSplit{16, 36, 12, 2, {1, 9}, {40, 16}, 0, 1, 3, 1, false};

inline Shape in_format(Shape shape, WeightFormat format) {
  shape.format = format;
  return shape;
}

}  // namespace rtaudio
