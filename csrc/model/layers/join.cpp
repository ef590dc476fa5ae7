// Where branches meet, and the delay that aligns them.
#include <algorithm>

#include "model/layer.h"
#include "model/recorder.h"
#include "model/ring.h"

namespace rtaudio {
namespace {

class Join final : public Layer {
 public:
  Join(const LayerContext& context, bool multiply)
      : multiply_(multiply), channels_(context.output().channels) {
    context.require(context.num_inputs() >= 1, "has no input");
    for (int i = 0; i < context.num_inputs(); ++i) {
      const BufferSpec& input = context.input(static_cast<std::size_t>(i));
      context.require(input.channels == channels_ && input.frames == context.output().frames,
                      "joins buffers of different shapes");
    }
  }

  bool stateless() const override { return true; }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const auto floats =
        static_cast<std::size_t>(call.num_frames) * static_cast<std::size_t>(row_floats(channels_));
    auto* join = multiply_ ? call.kernels.multiply : call.kernels.add;
    if (call.inputs.size() == 1) {
      std::copy_n(call.inputs[0], floats, call.output);
      return;
    }
    join(call.inputs[0], call.inputs[1], call.output, floats);
    for (std::size_t i = 2; i < call.inputs.size(); ++i) {
      join(call.output, call.inputs[i], call.output, floats);
    }
  }

  void record(Recorder& to) const override {
    if (to.num_inputs() == 1) {
      to.add(gpu::Copy{to.timing(), to.input(), to.output(), 0, 0, channels_, nullptr});
      return;
    }
    const auto kind = multiply_ ? gpu::Pairwise::Kind::multiply : gpu::Pairwise::Kind::add;
    for (std::size_t i = 1; i < to.num_inputs(); ++i) {
      to.add(gpu::Pairwise{to.timing(), i == 1 ? to.input() : to.output(), to.input(i), to.output(),
                           kind, 0, nullptr});
    }
  }

 private:
  bool multiply_;
  int channels_;
};

class Concatenate final : public Layer {
 public:
  explicit Concatenate(const LayerContext& context) : out_channels_(context.output().channels) {
    std::int64_t total = 0;
    for (int i = 0; i < context.num_inputs(); ++i) {
      const BufferSpec& input = context.input(static_cast<std::size_t>(i));
      context.require(input.frames == context.output().frames,
                      "joins buffers of different lengths");
      channels_.push_back(input.channels);
      total += input.channels;
    }
    context.require(context.num_inputs() >= 1, "has no input");
    context.require_output(total);
  }

  bool stateless() const override { return true; }
  // The longest run of whole inputs that are held.
  ChannelRange held_outputs(std::span<const ChannelRange> inputs) const override {
    ChannelRange longest, run;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      run = {is_held(inputs[i], i) ? run.begin : run.end + channels_[i], run.end + channels_[i]};
      if (run.end - run.begin > longest.end - longest.begin) longest = run;
    }
    return longest;
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t out_row = row_floats(out_channels_);
    std::ptrdiff_t offset = 0;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      const std::ptrdiff_t row = row_floats(channels_[i]);
      if (call.step == 0 || !is_held(call.held[i], i)) {
        call.kernels.copy_rows(call.inputs[i], row, call.output + offset, out_row, channels_[i],
                               call.num_frames);
      }
      offset += channels_[i];
    }
  }

  void record(Recorder& to) const override {
    int offset = 0;
    for (std::size_t i = 0; i < channels_.size(); offset += channels_[i++]) {
      to.add(gpu::Copy{to.timing(), to.input(i), to.output(), 0, offset, channels_[i], nullptr});
    }
  }

 private:
  bool is_held(const ChannelRange& held, std::size_t i) const {
    return held.begin == 0 && held.end == channels_[i];
  }

  int out_channels_;
  std::vector<int> channels_;
};

class Delay final : public Layer {
 public:
  explicit Delay(const LayerContext& context)
      : channels_(context.input().channels),
        frames_(context.integer("frames", 0, 1 << 20)),
        ring_(channels_, frames_) {
    context.require_inputs(1);
    context.require_output(channels_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int max_frames) const override { return ring_.floats(max_frames); }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const float* rows = ring_.append(call.state, call.max_frames, call.position, call.inputs[0],
                                     call.num_frames, 0, call.num_frames);
    std::copy_n(rows, call.num_frames * std::ptrdiff_t{ring_.row()}, call.output);
  }
  void record(Recorder& to) const override {
    const gpu::RingRows rows = to.ring(ring_);
    to.add(gpu::Append{to.timing(), to.input(), rows, true});
    to.add(gpu::Recall{to.timing(), rows, to.output()});
  }

  std::vector<StateSpec> state_specs() const override {
    if (frames_ == 0) return {};
    return {{"history", channels_, frames_}};
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    if (frames_ > 0) ring_.save(state, max_frames, position, out[0]);
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    if (frames_ > 0) ring_.load(state, max_frames, position, in[0]);
  }

 private:
  int channels_;
  int frames_;
  Ring ring_;
};

}  // namespace

std::unique_ptr<Layer> make_join(const LayerContext& context) {
  const std::string& kind = context.spec().kind;
  if (kind == "add" || kind == "mul") return std::make_unique<Join>(context, kind == "mul");
  if (kind == "cat") return std::make_unique<Concatenate>(context);
  if (kind == "delay") return std::make_unique<Delay>(context);
  return nullptr;
}

}  // namespace rtaudio
