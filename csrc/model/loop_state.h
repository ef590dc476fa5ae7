// What a loop keeps of a lane beside its body's memory: the last values, which noise it draws, the
// prompt.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "model/layer.h"
#include "model/noise_state.h"

namespace rtaudio {

// The values that a lane is to begin with; kept in its state, but not saved.
struct Prompt {
  const float* values;
  std::int64_t steps;
};

class LoopState {
 public:
  LoopState(int width, float start) : width_(width), start_(start) {}

  std::size_t floats() const {
    const std::size_t all = static_cast<std::size_t>(width_) + kNoiseFloats + kPromptFloats;
    return (all + 15) / 16 * 16;
  }
  void reset(float* state) const noexcept { std::fill_n(state, width_, start_); }
  void configure(float* state, const LaneSettings& settings) const noexcept {
    set_noise(state + width_, settings);
    const auto steps = static_cast<std::int64_t>(settings.prompt.size()) / width_;
    set_prompt(state, steps > 0 ? Prompt{settings.prompt.data(), steps} : Prompt{});
  }

  Prompt prompt(const float* state) const noexcept {
    Prompt found{};
    std::memcpy(&found, state + width_ + kNoiseFloats, sizeof found);
    return found;
  }
  void set_prompt(float* state, Prompt prompt) const noexcept {
    std::memcpy(state + width_ + kNoiseFloats, &prompt, sizeof prompt);
  }
  noise::Source source(const float* state, std::uint32_t site) const noexcept {
    return noise::source_of(state + width_, site);
  }

  std::vector<StateSpec> specs() const {
    return {{"previous", width_, 1}, {"noise", kNoiseFloats, 1}};
  }
  void save(const float* state, std::span<const std::span<float>> out) const {
    std::copy_n(state, width_, out[0].begin());
    std::copy_n(state + width_, kNoiseFloats, out[1].begin());
  }
  // A saved state is not trusted.
  void load(float* state, std::span<const std::span<const float>> in) const {
    for (int i = 0; i < width_; ++i) {
      const float value = in[0][static_cast<std::size_t>(i)];
      state[i] = std::isnan(value) ? 0.0f : std::clamp(value, -1e6f, 1e6f);
    }
    load_noise(state + width_, in[1]);
  }

 private:
  static constexpr std::size_t kPromptFloats = sizeof(Prompt) / sizeof(float);
  int width_;
  float start_;
};

// f(group) for lanes that can take their steps together: those whose valid frames are the same
// ones, at most `most`. Each is alone where they differ.
template <class F>
void in_groups(std::span<const Call> calls, std::size_t most, const F& f) noexcept {
  const bool alike = std::all_of(calls.begin(), calls.end(), [&](const Call& call) {
    return call.valid_begin == calls[0].valid_begin && call.valid_end == calls[0].valid_end;
  });
  while (!calls.empty()) {
    const std::size_t count = std::min(alike ? most : 1, calls.size());
    f(calls.first(count));
    calls = calls.subspan(count);
  }
}

}  // namespace rtaudio
