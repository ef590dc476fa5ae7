// Autoregression: a body that runs sample by sample, fed with what was drawn from its output.
#include <algorithm>
#include <array>

#include "model/body.h"
#include "model/head.h"
#include "model/layer.h"
#include "model/loop_state.h"
#include "model/loop_weights.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }

constexpr std::size_t kMaxLanes = 16;  // that go through the body together

// A lane's state: the last values, its noise's seed and stream as halves of 16 bits, its prompt,
// the body's.
class Feedback final : public Layer {
 public:
  explicit Feedback(const LayerContext& context)
      : head_(make_head(context)),
        voiced_(context.integer("mode", 0, 3) >= 2 ? 1 : 0),
        condition_(context.input().channels - voiced_),
        body_(context, context.integer("operations", 0, 1 << 20),
              context.integer("source", 0, 1 << 20), context.integer("result", 0, 1 << 20),
              condition_),
        hop_(context.integer("hop", 1, 1 << 16)),
        width_(head_->width()),
        delay_(context.input().delay),
        site_(static_cast<std::uint32_t>(context.spec().output) & 0xffffu),
        loop_(width_, context.number("start")) {
    context.require_inputs(1);
    context.require_output(width_);
    context.require(std::int64_t{context.input().frames} * hop_ == context.output().frames,
                    "does not fit the frames of its buffers");
    context.require(condition_ >= 1 && body_.source_channels() == condition_ + width_,
                    "does not fit the input of its body");
    context.require(body_.result_channels() == head_->num_parameters(),
                    "does not fit the output of its body");
  }

  std::size_t state_floats(int) const override { return fixed_floats() + body_.state_floats(); }
  std::size_t scratch_floats(int frames) const override {
    const int lanes = std::min(frames, static_cast<int>(kMaxLanes));
    return aligned(head_->scratch_floats()) + body_.scratch_floats(lanes);
  }

  void reset(float* state) const noexcept override {
    loop_.reset(state);
    body_.reset(state + fixed_floats());
  }
  void configure(float* state, const LaneSettings& settings) const noexcept override {
    loop_.configure(state, settings);
    body_.configure(state + fixed_floats(), settings);
  }
  bool can_save(const float* state) const override {
    return loop_.prompt(state).steps == 0 && body_.can_save(state + fixed_floats());
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override { run({&call, 1}); }
  void process_lanes(std::span<const Call> calls) const noexcept RTA_NONBLOCKING override {
    in_groups(calls, kMaxLanes, [this](std::span<const Call> group) { run(group); });
  }

  std::int64_t out_length(std::int64_t length) const override { return length * hop_; }

  // Step by step, all lanes together: a few launches an operation of the body. WaveNets have a
  // kernel of their own (feedback_cuda.cpp).
  void record(Recorder& to) const override {
    static constexpr std::int64_t kEndless[] = {INT64_MAX / 2};
    const auto lanes = static_cast<std::size_t>(to.timing().lanes);
    const gpu::LoopLanes now{to.allocate<std::int64_t>(lanes), to.allocate<std::int32_t>(lanes),
                             to.allocate<std::int32_t>(lanes)};
    const gpu::Loop loop{to.timing(), to.ports(), now,        to.state(),
                         width_,      hop_,       to.input(), to.output()};
    const gpu::Timing timing{now.steps, now.held, to.table(kEndless, 1), 0, loop.timing.lanes,
                             1,         0};
    const gpu::Memory signals = to.scratch(body_.signal_floats());
    const int most_scores = head_->num_parameters() + 2 * sampler::kRuns;
    const gpu::Memory scores = to.scratch(static_cast<std::size_t>(most_scores));
    to.add(gpu::LoopBegin{loop});
    to.repeat(loop.timing.frames * hop_, [&] {
      to.add(gpu::LoopSource{loop, condition_, body_.source(signals)});
      body_.record(to, timing, to.state(fixed_floats()), signals);
      const heads::Softmax codes = head_->softmax(to);
      to.add(gpu::LoopDraw{loop, codes.levels > 0, codes, head_->mixture(),
                           voiced_ == 1 ? condition_ : -1, site_, body_.result(signals),
                           to.prompts(), scores});
    });
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs = loop_.specs();
    for (StateSpec& spec : body_.state_specs()) specs.push_back(std::move(spec));
    return specs;
  }
  void save(const float* state, std::int64_t position, int,
            std::span<const std::span<float>> out) const override {
    loop_.save(state, out);
    body_.save(state + fixed_floats(), steps(position), out.subspan(2));
  }
  void load(float* state, std::int64_t position, int,
            std::span<const std::span<const float>> in) const override {
    loop_.load(state, in);
    body_.load(state + fixed_floats(), steps(position), in.subspan(2));
  }

 private:
  // Lanes whose valid frames are the same ones, step by step together.
  void run(std::span<const Call> calls) const noexcept RTA_NONBLOCKING {
    const std::ptrdiff_t in_row = row_floats(condition_ + voiced_), out_row = row_floats(width_);
    const int begin = calls[0].valid_begin, end = calls[0].valid_end;
    std::array<std::int64_t, kMaxLanes> positions;
    std::array<Prompt, kMaxLanes> prompts;
    for (std::size_t lane = 0; lane < calls.size(); ++lane) {
      const Call& call = calls[lane];
      float* after = call.output + end * hop_ * out_row;
      std::fill(call.output, call.output + begin * hop_ * out_row, 0.0f);
      std::fill(after, call.output + call.num_frames * hop_ * out_row, 0.0f);
      positions[lane] = (call.position + begin - delay_) * hop_;
      prompts[lane] = loop_.prompt(call.state);
    }
    Body::Run run =
        body_.bind(calls, fixed_floats(), calls[0].scratch + aligned(head_->scratch_floats()));
    for (int t = begin; t < end; ++t) {
      for (std::size_t lane = 0; lane < calls.size(); ++lane) {
        std::copy_n(calls[lane].inputs[0] + t * in_row, condition_, run.source(lane));
      }
      for (int h = 0; h < hop_; ++h) {
        for (std::size_t lane = 0; lane < calls.size(); ++lane) {
          std::copy_n(calls[lane].state, width_, run.source(lane) + condition_);
        }
        run.step({positions.data(), calls.size()}, h, hop_);
        for (std::size_t lane = 0; lane < calls.size(); ++lane) {
          const Call& call = calls[lane];
          const bool voiced = voiced_ == 1 && call.inputs[0][t * in_row + condition_] > 0.5f;
          next(call, prompts[lane], run.result(lane), positions[lane]++, voiced);
          head_->decode(call.state, call.output + (std::ptrdiff_t{t} * hop_ + h) * out_row);
        }
      }
    }
    for (std::size_t lane = 0; lane < calls.size(); ++lane) {
      if (positions[lane] >= prompts[lane].steps) loop_.set_prompt(calls[lane].state, {});
    }
  }
  // The values after a step: the prompt's, while it lasts, else a draw.
  void next(const Call& call, const Prompt& prompt, const float* parameters, std::int64_t position,
            bool voiced) const noexcept {
    if (position < prompt.steps) {
      std::copy_n(prompt.values + position * width_, width_, call.state);
    } else {
      head_->draw({call.kernels, parameters, loop_.source(call.state, site_), position, voiced,
                   call.scratch},
                  call.state);
    }
  }

  std::size_t fixed_floats() const { return loop_.floats(); }
  // Steps made when `position` frames of the input have come.
  std::int64_t steps(std::int64_t position) const {
    return std::max<std::int64_t>(0, position - delay_) * hop_;
  }

  std::unique_ptr<Head> head_;
  int voiced_;
  int condition_;
  Body body_;
  int hop_;
  int width_;
  int delay_;
  std::uint32_t site_;
  LoopState loop_;
};

// A lane's constants behind every frame.
class WithConstant final : public Layer {
 public:
  explicit WithConstant(const LayerContext& context)
      : channels_(context.input().channels),
        count_(context.integer("count", 1, 1 << 16)),
        offset_(static_cast<std::size_t>(context.integer("offset", 0, 1 << 24))) {
    context.require_inputs(1);
    context.require_output(std::int64_t{channels_} + count_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int) const override { return static_cast<std::size_t>(count_); }
  void configure(float* state, const LaneSettings& settings) const noexcept override {
    for (int i = 0; i < count_; ++i) {
      const std::size_t at = offset_ + static_cast<std::size_t>(i);
      state[i] = at < settings.constants.size() ? settings.constants[at] : 0.0f;
    }
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t in_row = row_floats(channels_), out_row = row_floats(channels_ + count_);
    for (int t = 0; t < call.num_frames; ++t) {
      float* to = call.output + t * out_row;
      std::copy_n(call.state, count_, std::copy_n(call.inputs[0] + t * in_row, channels_, to));
    }
  }
  void record(Recorder& to) const override {
    const gpu::Signal constants{to.state(), 0, count_, to.input().frames};
    to.add(gpu::Copy{to.timing(), to.input(), to.output(), 0, 0, channels_, nullptr});
    to.add(gpu::Copy{to.timing(), constants, to.output(), 0, channels_, count_, nullptr});
  }

  std::vector<StateSpec> state_specs() const override { return {{"constant", count_, 1}}; }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    std::copy_n(state, count_, out[0].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    std::copy_n(in[0].begin(), count_, state);
  }

 private:
  int channels_;
  int count_;
  std::size_t offset_;
};

// The column of a code: a matrix times a one-hot vector.
class Embedding final : public Layer {
 public:
  explicit Embedding(const LayerContext& context)
      : levels_(context.integer("levels", 1, 1 << 16)), outputs_(context.output().channels) {
    context.require_inputs(1);
    context.require(context.input().channels == 1, "takes one channel of codes");
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    const float* weight = context.tensor("weight", {outputs_, levels_});
    const auto row = static_cast<std::size_t>(row_floats(outputs_));
    columns_.resize(row * static_cast<std::size_t>(levels_));
    for (int o = 0; o < outputs_; ++o) {
      for (int code = 0; code < levels_; ++code) {
        columns_[static_cast<std::size_t>(code) * row + static_cast<std::size_t>(o)] =
            weight[std::ptrdiff_t{o} * levels_ + code];
      }
    }
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats(outputs_);
    for (int t = 0; t < call.num_frames; ++t) {
      const int code = nearest_code(call.inputs[0][t], levels_);
      std::copy_n(columns_.data() + code * row, row, call.output + t * row);
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Embedding{to.timing(), to.input(), to.output(), to.table(columns_), levels_});
  }

 private:
  int levels_;
  int outputs_;
  std::vector<float> columns_;
};

}  // namespace

std::unique_ptr<Layer> make_feedback(const LayerContext& context) {
  if (context.spec().kind == "feedback") {
    auto loop = std::make_unique<Feedback>(context);  // checks the program, on a GPU as well
    if (context.device() == Device::cpu || context.device() == Device::emulated) return loop;
    if (!has_wavenet(context)) return loop;
    return make_gpu_feedback(context, std::move(loop));
  }
  if (context.spec().kind == "with_constant") return std::make_unique<WithConstant>(context);
  if (context.spec().kind == "embedding") return std::make_unique<Embedding>(context);
  return nullptr;
}

}  // namespace rtaudio
