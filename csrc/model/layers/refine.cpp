// Diffusion: a network that runs several times, each time on what the time before has made.
#include <algorithm>
#include <climits>
#include <string>
#include <vector>

#include "core/refine.h"
#include "model/layer.h"
#include "model/layers/diffwave.h"
#include "model/noise_state.h"

namespace rtaudio {
namespace {

constexpr int kMaxSteps = 1000;

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }
std::int64_t slot_of(std::int64_t index, std::int64_t frames) {
  return (index % frames + frames) % frames;
}

// A lane's state: its noise's seed and stream as halves of 16 bits; of each frame under way a flag
// (1 inside the signal) and its spread, or the noise of its steps; the condition; of each step its
// x and its network's memory. A frame's index counts from the first frame of the first call.
class Refine final : public Layer {
 public:
  explicit Refine(const LayerContext& context)
      : network_(context),
        values_(network_.values()),
        ahead_(network_.lookahead()),
        clip_(context.integer("clip", 0, 1) == 1),
        given_(context.integer("shaped", 0, 2) == 2),
        extra_(context.integer("shaped", 0, 2)),
        delay_(context.input().delay),
        site_(static_cast<std::uint32_t>(context.spec().output) & 0xffffu),
        most_chunk_(context.device() == Device::cpu ? kDiffWaveChunk : INT_MAX) {
    const int steps = context.integer("steps", 1, kMaxSteps);
    context.require_inputs(1);
    context.require_output(values_);
    if (given_) extra_ = steps * values_;
    context.require(context.input().channels == network_.condition() + extra_,
                    "does not fit its input's channels");
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    context.require(ahead_ * steps <= 1 << 20, "looks too far ahead");
    const float* table = context.tensor("coefficients", {steps, 3});
    for (int i = 0; i < steps; ++i, table += 3) steps_.push_back({table[0], table[1], table[2]});
    context.require(!given_ || steps_.back().deviation == 0.0f, "adds noise after its last step");
    network_.take_steps(context, steps);
    behind_ = ahead_ * steps;
  }

  std::size_t state_floats(int max_frames) const override {
    const Layout at = layout(max_frames);
    return at.steps + steps_.size() * at.step_floats;
  }
  std::size_t scratch_floats(int frames) const override {
    const auto chunk = static_cast<std::size_t>(chunk_of(frames));
    return 2 * aligned(chunk * static_cast<std::size_t>(values_)) + network_.scratch_floats(chunk);
  }

  void configure(float* state, const LaneSettings& settings) const noexcept override {
    set_noise(state, settings);
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const Layout at = layout(call.max_frames);
    for (int t = 0; t < call.num_frames; t += at.chunk) {
      for (std::size_t i = 0; i < steps_.size(); ++i) {
        run(call, at, i, t, std::min(at.chunk, call.num_frames - t));
      }
    }
  }
  // A step is a part: the ring of the condition, which all of them read and the first one fills, is
  // long enough for every call under way.
  int num_parts() const override { return static_cast<int>(steps_.size()); }
  void process_part(const Call& call, int part) const noexcept RTA_NONBLOCKING override {
    const Layout at = layout(call.max_frames);
    for (int t = 0; t < call.num_frames; t += at.chunk) {
      run(call, at, static_cast<std::size_t>(part), t, std::min(at.chunk, call.num_frames - t));
    }
  }

  void record(Recorder& to) const override {
    const Layout at = layout(to.max_frames());
    const gpu::Store condition{to.state(at.condition), at.frames,
                               static_cast<int>(network_.condition_row()), network_.halves()};
    const gpu::Refinement how{to.timing(),
                              to.state(),
                              to.state(at.flags),
                              condition,
                              at.frames,
                              flag_rows(),
                              values_,
                              given_,
                              clip_,
                              static_cast<int>(steps_.size()),
                              site_};
    to.add(gpu::TakeCondition{how, to.input(), network_.condition()});
    const gpu::Memory h = to.scratch(network_.gpu_scratch_floats(at.chunk));
    const auto own = [&](std::size_t i) { return to.state(at.steps + i * at.step_floats); };
    gpu::RefineStep step{how, -1, {}, ahead_, to.output(), {}, {}, own(0), ahead_ + at.chunk};
    to.add(step);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      step.step = static_cast<int>(i);
      step.coefficients = steps_[i];
      step.found = network_.record(to, how, to.state(at.steps + i * at.step_floats + at.memory),
                                   at.chunk, step.step, h);
      step.previous = own(i);
      step.next = i + 1 < steps_.size() ? own(i + 1) : gpu::Memory{};
      to.add(step);
    }
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs{{"noise", kNoiseFloats, 1}};
    if (behind_ > 0) {
      specs.push_back({"flags", flag_rows(), static_cast<int>(behind_)});
      specs.push_back({"condition", network_.condition(), static_cast<int>(behind_)});
    }
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const std::string step = std::to_string(i) + ".";
      if (ahead_ > 0) specs.push_back({step + "x", values_, static_cast<int>(ahead_)});
      for (StateSpec& spec : network_.state_specs(step)) specs.push_back(std::move(spec));
    }
    return specs;
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    const Layout at = layout(max_frames);
    std::copy_n(state, kNoiseFloats, out[0].begin());
    out = out.subspan(1);
    if (behind_ > 0) {
      save_rows(state + at.flags, {at.frames, 1, at.frames}, flag_rows(), position, behind_,
                out[0]);
      network_.save_condition(state + at.condition, at.frames, position, behind_, out[1]);
      out = out.subspan(2);
    }
    for (std::size_t i = 0; i < steps_.size(); ++i, position -= ahead_) {
      const float* own = state + at.steps + i * at.step_floats;
      if (ahead_ > 0) {
        save_rows(own, {ahead_ + at.chunk, values_, 1}, values_, position, ahead_, out[0]);
        out = out.subspan(1);
      }
      out = network_.save(own + at.memory, at.chunk, position, out);
    }
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    const Layout at = layout(max_frames);
    load_noise(state, in[0]);
    in = in.subspan(1);
    if (behind_ > 0) {
      load_rows(state + at.flags, {at.frames, 1, at.frames}, flag_rows(), position, behind_, in[0]);
      network_.load_condition(state + at.condition, at.chunk, at.frames, position, behind_, in[1]);
      in = in.subspan(2);
    }
    for (std::size_t i = 0; i < steps_.size(); ++i, position -= ahead_) {
      float* own = state + at.steps + i * at.step_floats;
      if (ahead_ > 0) {
        load_rows(own, {ahead_ + at.chunk, values_, 1}, values_, position, ahead_, in[0]);
        in = in.subspan(1);
      }
      in = network_.load(own + at.memory, at.chunk, position, in);
    }
  }

 private:
  // Where the parts of a state begin.
  struct Layout {
    int chunk;
    std::int64_t frames;  // of the rings of flags and of the condition
    std::size_t flags, condition, steps;
    std::size_t memory, step_floats;  // of a step
  };
  int chunk_of(int max_frames) const { return std::clamp(max_frames, 1, most_chunk_); }
  Layout layout(int max_frames) const {
    Layout at{};
    at.chunk = chunk_of(max_frames);
    at.frames = behind_ + std::max(max_frames, 1);
    at.flags = 16;
    at.condition = at.flags + aligned(static_cast<std::size_t>(flag_rows() * at.frames));
    at.steps = at.condition + aligned(network_.condition_floats(at.frames + at.chunk));
    at.memory = aligned(static_cast<std::size_t>((ahead_ + at.chunk) * values_));
    at.step_floats = at.memory + network_.memory_floats(at.chunk);
    return at;
  }

  // One step for a chunk of frames, in which the output holds x before and after it.
  void run(const Call& call, const Layout& at, std::size_t step, int begin,
           int count) const noexcept RTA_NONBLOCKING {
    std::int64_t index = call.position + begin - static_cast<std::int64_t>(step) * ahead_;
    const noise::Source source = noise::source_of(call.state, site_);
    float* x = call.output + std::ptrdiff_t{begin} * values_;
    if (step == 0) {
      take_condition(call, at, begin, count, index);
      start(call, at, source, index, count, x);
    }
    float* previous = call.scratch;
    float* found = previous + aligned(static_cast<std::size_t>(at.chunk * values_));
    float* rest = found + aligned(static_cast<std::size_t>(at.chunk * values_));
    float* own = call.state + at.steps + step * at.step_floats;
    keep(x, own, at, index, count);
    DiffWaveMemory memory = network_.memory(own + at.memory, at.chunk, step);
    memory.condition = call.state + at.condition;
    memory.flags = call.state + at.flags;
    memory.condition_frames = at.frames;
    network_.run(call.kernels, memory, index, count, x, found, rest);
    index -= ahead_;
    recall(own, at, index, count, previous);
    update(call, at, source, step, index, count, previous, found, x);
  }

  // The condition and what is known of these frames: whether they are real, and their spread.
  void take_condition(const Call& call, const Layout& at, int begin, int count,
                      std::int64_t index) const noexcept {
    const int channels = network_.condition() + extra_;
    const float* rows = call.inputs[0] + std::ptrdiff_t{begin} * row_floats(channels);
    for (int t = 0; t < count; ++t) {
      const bool valid = begin + t >= call.valid_begin && begin + t < call.valid_end;
      const std::int64_t slot = slot_of(index + t, at.frames);
      call.state[at.flags + static_cast<std::size_t>(slot)] = valid ? 1.0f : 0.0f;
      const float* prior = rows + t * row_floats(channels) + network_.condition();
      for (int i = 1; i < flag_rows(); ++i) {
        const float value = extra_ > 0 ? prior[i - 1] : 1.0f;
        call.state[at.flags + static_cast<std::size_t>(i * at.frames + slot)] =
            valid ? value : 0.0f;
      }
    }
    DiffWaveMemory memory{};
    memory.condition = call.state + at.condition;
    memory.flags = call.state + at.flags;
    memory.condition_frames = at.frames;
    memory.chunk = at.chunk;
    network_.take_condition(call.kernels, memory, index, rows, row_floats(channels), count);
  }

  // A flag's row, and those of a frame's spread or noise.
  int flag_rows() const { return 1 + std::max(1, extra_); }
  // The noise of a frame inside the signal, for the step that `left` more follow, as its prior has
  // it.
  void noise_of_frame(const Call& call, const Layout& at, const noise::Source& source,
                      std::int64_t index, std::size_t left, float* z) const noexcept {
    const float* row = call.state + at.flags + at.frames + slot_of(index, at.frames);
    if (given_) {
      row += static_cast<std::ptrdiff_t>(steps_.size() - left) * values_ * at.frames;
      for (int v = 0; v < values_; ++v) z[v] = row[v * at.frames];
      return;
    }
    refine::normals(source, index - delay_, static_cast<std::uint32_t>(left), values_, z);
    for (int v = 0; v < values_; ++v) z[v] = *row * z[v];
  }
  bool inside(const Call& call, const Layout& at, std::int64_t index) const noexcept {
    return call.state[at.flags + static_cast<std::size_t>(slot_of(index, at.frames))] > 0.0f;
  }

  void start(const Call& call, const Layout& at, const noise::Source& source, std::int64_t index,
             int count, float* x) const noexcept {
    for (int t = 0; t < count; ++t, ++index, x += values_) {
      std::fill_n(x, values_, 0.0f);
      if (!inside(call, at, index)) continue;
      noise_of_frame(call, at, source, index, steps_.size(), x);
    }
  }
  void update(const Call& call, const Layout& at, const noise::Source& source, std::size_t step,
              std::int64_t index, int count, const float* x, const float* found,
              float* to) const noexcept {
    const refine::Step& how = steps_[step];
    const std::size_t left = steps_.size() - 1 - step;
    float z[kMaxDiffWaveValues] = {};
    for (int t = 0; t < count; ++t, ++index, x += values_, found += values_, to += values_) {
      if (!inside(call, at, index)) {
        std::fill_n(to, values_, 0.0f);
        continue;
      }
      if (how.deviation > 0.0f) noise_of_frame(call, at, source, index, left, z);
      for (int v = 0; v < values_; ++v) to[v] = refine::update(how, x[v], found[v], z[v], clip_);
    }
  }

  // x waits in a ring for what the network finds in it.
  void keep(const float* x, float* ring, const Layout& at, std::int64_t index,
            int count) const noexcept {
    for (int t = 0; t < count; ++t) {
      std::copy_n(x + t * values_, values_, ring + slot_of(index + t, ahead_ + at.chunk) * values_);
    }
  }
  void recall(const float* ring, const Layout& at, std::int64_t index, int count,
              float* x) const noexcept {
    for (int t = 0; t < count; ++t) {
      std::copy_n(ring + slot_of(index + t, ahead_ + at.chunk) * values_, values_, x + t * values_);
    }
  }

  DiffWaveNetwork network_;
  int values_;
  std::int64_t ahead_;
  bool clip_;
  bool given_;
  int extra_;  // channels of the input after the condition's
  int delay_;
  std::uint32_t site_;
  int most_chunk_;  // a GPU takes a call as one
  std::vector<refine::Step> steps_;
  std::int64_t behind_ = 0;  // of the last step
};

}  // namespace

std::unique_ptr<Layer> make_refine(const LayerContext& context) {
  return context.spec().kind == "refine" ? std::make_unique<Refine>(context) : nullptr;
}

}  // namespace rtaudio
