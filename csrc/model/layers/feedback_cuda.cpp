// A loop of one WaveNet on a GPU: a kernel that goes on from sample to sample by itself. A lane's
// memory has the kernel's layout; its saved states are the CPU's.
#include <algorithm>

#include "cuda/wavenet.h"
#include "model/layer.h"
#include "model/loop_state.h"
#include "model/loop_weights.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

class GpuFeedback final : public Layer {
 public:
  GpuFeedback(const LayerContext& context, std::unique_ptr<Layer> loop)
      : cpu_(std::move(loop)),
        gpu_(loop_weights(context), context.device() == Device::cuda_strict),
        net_(gpu_.net()),
        voiced_(context.integer("mode", 0, 3) >= 2),
        hop_(context.integer("hop", 1, 1 << 16)),
        delay_(context.input().delay),
        site_(static_cast<std::uint32_t>(context.spec().output) & 0xffffu),
        loop_(net_.width, context.number("start")) {}

  std::size_t state_floats(int) const override {
    return loop_.floats() + static_cast<std::size_t>(gpu_.ring_floats());
  }
  void reset(float* state) const noexcept override { loop_.reset(state); }
  void configure(float* state, const LaneSettings& settings) const noexcept override {
    loop_.configure(state, settings);
  }
  bool can_save(const float* state) const override { return loop_.prompt(state).steps == 0; }

  void process(const Call&) const noexcept RTA_NONBLOCKING override {}  // sessions record it
  void record(Recorder& to) const override {
    const auto lanes = static_cast<std::size_t>(to.timing().lanes);
    const gpu::Memory state = to.state();
    const gpu::Signal &in = to.input(), &out = to.output();
    auto* const now = to.allocate<wavenet::Lane>(lanes);
    to.add(gpu::WaveNetLanes{to.timing(), state, net_.width, hop_, site_, out, to.prompts(), now});
    const wavenet::Call call{to.timing().lanes,
                             0,
                             hop_,
                             voiced_,
                             in.memory.data,
                             in.memory.lane_step,
                             in.row,
                             now,
                             state.data + loop_.floats(),
                             state.lane_step,
                             state.data,
                             state.lane_step,
                             out.memory.data,
                             out.memory.lane_step,
                             out.row};
    to.add(gpu::WaveNetLoop{&gpu_, call, to.timing().frames,
                            to.allocate<char>(gpu_.mail_bytes(to.timing().lanes))});
    to.add(gpu::WaveNetEnd{state, net_.width, now, to.timing().lanes});
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
  wavenet::Gpu gpu_;
  const wavenet::Net& net_;
  bool voiced_;
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
