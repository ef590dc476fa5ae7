// A loop of one WaveNet on a GPU. A lane's memory stays the session's, in the kernel's layout, and
// goes there and back with each call: so lanes, resets and saved states are those of the CPU.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "cuda/wavenet.h"
#include "model/layer.h"
#include "model/loop_state.h"
#include "model/loop_weights.h"

namespace rtaudio {
namespace {

constexpr std::size_t kMaxLanes = 64;  // of one call of the GPU

class GpuFeedback final : public Layer {
 public:
  GpuFeedback(const LayerContext& context, std::unique_ptr<Layer> loop)
      : cpu_(std::move(loop)),
        gpu_(loop_weights(context), context.device() == Device::cuda_strict),
        net_(gpu_.net()),
        voiced_(context.integer("mode", 0, 3) >= 2),
        row_(row_floats(context.input().channels)),
        hop_(context.integer("hop", 1, 1 << 16)),
        delay_(context.input().delay),
        site_(static_cast<std::uint32_t>(context.spec().output) & 0xffffu),
        loop_(net_.width, context.number("start")) {}

  bool on_gpu() const override { return true; }
  std::string fault() const override { return gpu_.fault(); }

  std::size_t state_floats(int) const override {
    return loop_.floats() + static_cast<std::size_t>(gpu_.ring_floats());
  }
  // The samples of all lanes, without the padding of their rows.
  std::size_t scratch_floats(int frames) const override {
    return static_cast<std::size_t>(frames) * static_cast<std::size_t>(hop_ * net_.width);
  }
  void reset(float* state) const noexcept override { loop_.reset(state); }
  void configure(float* state, const LaneSettings& settings) const noexcept override {
    loop_.configure(state, settings);
  }
  bool can_save(const float* state) const override { return loop_.prompt(state).steps == 0; }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override { run({&call, 1}); }
  void process_lanes(std::span<const Call> calls) const noexcept RTA_NONBLOCKING override {
    in_groups(calls, kMaxLanes, [this](std::span<const Call> group) { run(group); });
  }

  std::int64_t out_length(std::int64_t length) const override { return length * hop_; }

  std::vector<StateSpec> state_specs() const override { return cpu_->state_specs(); }
  void save(const float* state, std::int64_t position, int,
            std::span<const std::span<float>> out) const override {
    loop_.save(state, out);
    each_history(position, [&](std::size_t i, std::int64_t from, int at) {
      out[2 + i][static_cast<std::size_t>(at)] =
          state[loop_.floats() + static_cast<std::size_t>(from)];
    });
  }
  void load(float* state, std::int64_t position, int,
            std::span<const std::span<const float>> in) const override {
    loop_.load(state, in);
    each_history(position, [&](std::size_t i, std::int64_t to, int at) {
      state[loop_.floats() + static_cast<std::size_t>(to)] =
          in[2 + i][static_cast<std::size_t>(at)];
    });
  }

 private:
  void run(std::span<const Call> calls) const noexcept RTA_NONBLOCKING {
    const int begin = calls[0].valid_begin, end = std::max(begin, calls[0].valid_end);
    const std::ptrdiff_t steps = std::ptrdiff_t{end - begin} * hop_;
    std::array<wavenet::HostLane, kMaxLanes> lanes;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const Call& call = calls[i];
      const Prompt prompt = loop_.prompt(call.state);
      lanes[i] = {loop_.source(call.state, site_),
                  (call.position + begin - delay_) * hop_,
                  prompt.values,
                  prompt.steps,
                  call.inputs[0] + std::ptrdiff_t{begin} * row_,
                  call.state + loop_.floats(),
                  call.state,
                  calls[0].scratch + static_cast<std::ptrdiff_t>(i) * steps * net_.width};
    }
    const wavenet::HostCall all{{lanes.data(), calls.size()}, end - begin, hop_, voiced_, row_};
    bool done = false;
    if (steps > 0) RTA_WAKE(done = gpu_.run(all));  // the driver's calls are what they are
    const std::ptrdiff_t out_row = row_floats(net_.width);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const Call& call = calls[i];
      std::fill_n(call.output, std::ptrdiff_t{call.num_frames} * hop_ * out_row, 0.0f);
      float* to = call.output + std::ptrdiff_t{begin} * hop_ * out_row;
      for (std::ptrdiff_t t = 0; done && t < steps; ++t, to += out_row) {
        std::copy_n(lanes[i].audio + t * net_.width, net_.width, to);
      }
      if (lanes[i].position + steps >= lanes[i].prompt_steps) loop_.set_prompt(call.state, {});
    }
  }

  // f(history, float of the rings, float of the canonical state) for every float of every history.
  template <class F>
  void each_history(std::int64_t position, const F& f) const {
    const std::int64_t steps = std::max<std::int64_t>(0, position - delay_) * hop_;
    std::size_t i = 0;
    for (int layer = 0; layer < net_.num_layers; ++layer) {
      const int frames = net_.ring_frames(layer);
      if (frames == 0) continue;
      for (int t = 0; t < frames; ++t) {
        const std::int64_t row = (steps + t) % frames;  // oldest first
        for (int c = 0; c < net_.channels; ++c) {
          f(i, net_.ring_offsets[layer] + row * net_.ring_row() + c, c * frames + t);
        }
      }
      ++i;
    }
  }

  std::unique_ptr<Layer> cpu_;
  mutable wavenet::Gpu gpu_;
  const wavenet::Net& net_;
  bool voiced_;
  int row_;
  int hop_;
  int delay_;
  std::uint32_t site_;
  LoopState loop_;
};

}  // namespace

std::unique_ptr<Layer> make_gpu_feedback(const LayerContext& context, std::unique_ptr<Layer> loop) {
  return std::make_unique<GpuFeedback>(context, std::move(loop));
}

}  // namespace rtaudio
