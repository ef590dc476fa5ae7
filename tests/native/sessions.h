// Models and sessions of small programs, and how tests run them.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "model/session.h"
#include "programs.h"

namespace rtaudio {

constexpr int kTicks = 4;
constexpr double kRampFrames = 100.0;

inline std::vector<float> controls_of(const Model& model) {
  return std::vector<float>(static_cast<std::size_t>(model.num_controls()), 0.25f);
}

inline std::shared_ptr<const Model> make_model(const ProgramSpec& program) {
  return std::make_shared<const Model>(program);
}

inline Session make_session(const std::shared_ptr<const Model>& model, int lanes = 1,
                            int max_ticks = kTicks) {
  return {model, lanes, max_ticks, kRampFrames, controls_of(*model)};
}

inline int input_floats(const Model& model) {
  return model.input().channels * model.input().frames;
}
inline int output_floats(const Model& model) {
  return model.output().channels * model.output().frames;
}

// Runs whole ticks of one lane's signal, `split` at a time, and appends to `y`.
inline void run_ticks(Session& session, const std::vector<float>& x, int first, int last, int split,
                      std::vector<float>& y) {
  const int in = input_floats(session.model()), out = output_floats(session.model());
  for (int tick = first; tick < last; tick += split) {
    const int ticks = std::min(split, last - tick);
    std::vector<float> part(static_cast<std::size_t>(ticks * out));
    session.process(x.data() + tick * in, 0, part.data(), 0, ticks);
    y.insert(y.end(), part.begin(), part.end());
  }
}

inline std::vector<float> signal(const Model& model, int ticks, unsigned seed = 1) {
  return random_floats(static_cast<std::size_t>(ticks * input_floats(model)), 0.5f, seed);
}

inline std::vector<float> run_alone(const std::shared_ptr<const Model>& model,
                                    const std::vector<float>& x, int split = 1) {
  Session session = make_session(model);
  std::vector<float> y;
  run_ticks(session, x, 0, static_cast<int>(x.size()) / input_floats(*model), split, y);
  return y;
}

// fp32, bf16, bf16dot and int8.
inline std::vector<std::shared_ptr<const Model>> in_every_precision(const ProgramSpec& program) {
  Precision noting;
  noting.calibrate = true;
  const auto observer = std::make_shared<const Model>(program, noting);
  run_alone(observer, signal(*observer, 20));
  std::vector<std::shared_ptr<const Model>> models;
  for (const auto format :
       {WeightFormat::fp32, WeightFormat::bf16, WeightFormat::bf16dot, WeightFormat::int8}) {
    Precision precision;
    precision.format = format;
    precision.input_ranges = observer->precision().input_ranges;
    models.push_back(std::make_shared<const Model>(program, precision));
  }
  return models;
}

}  // namespace rtaudio
