// Dilated layers that all see one condition: a WaveNet without feedback, stack by stack, with the
// matrices of one tap around them or without.
#include <algorithm>
#include <vector>

#include "model/layers/conditioned_layers.h"

namespace rtaudio {
namespace {

constexpr int kMaxStacks = 16;
// Narrow stacks run with time in lanes, unless calls bring too few frames to fill vectors.
constexpr int kFewestFrames = 12;

class Net final : public Layer {
  using Layout = ConditionedLayers::Layout;

 public:
  explicit Net(const LayerContext& context) : on_gpu_(context.device() != Device::cpu) {
    context.require_inputs(1);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    if (context.spec().kind == "conditioned_stack") {
      stacks_.emplace_back(context, "");
      context.require(context.input().channels == stacks_[0].width(),
                      "does not fit its input's channels");
      first_output_ = 0;
    } else {
      add_stacks(context);
    }
    context.require_output(outputs());
    inputs_ = context.input().channels;
    bind();
  }

  std::size_t state_floats(int max_frames) const override {
    std::size_t floats = 0;
    for (const auto& stack : stacks_) floats += stack.state_floats(max_frames, layout(max_frames));
    return floats;
  }
  // Enough for both ways: several lanes ask for their frames together, and come one by one.
  std::size_t scratch_floats(int) const override {
    const std::size_t rows = conditioned_rows_scratch_floats(net_);
    return is_narrow_ ? std::max(rows, conditioned_planes_scratch_floats(net_)) : rows;
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const bool in_planes = layout(call.max_frames) == Layout::planes;
    const auto run = in_planes ? call.kernels.conditioned_planes : call.kernels.conditioned_rows;
    run(net_, {call.state, call.max_frames, call.position, call.num_frames, call.valid_begin,
               call.valid_end, call.inputs[0], row_floats(inputs_), call.output,
               row_floats(net_.outputs), call.scratch});
  }

  void record(Recorder& to) const override {
    const int row = static_cast<int>(conditioned_row(net_));
    gpu::Signal x = to.input();
    std::size_t at = 0;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      gpu::Signal y = to.output();
      if (i + 1 < stages_.size() || first_output_ > 0) {
        const auto rows = static_cast<std::size_t>(to.max_frames());
        y = {to.scratch(rows * static_cast<std::size_t>(row)), row, stages_[i].width, x.frames};
      }
      if (maps_[i].empty()) to.add(gpu::Copy{to.timing(), x, y, 0, 0, y.channels, nullptr});
      for (const Map& map : maps_[i]) {
        const gpu::Window window{{x.memory, x.row, 0, 0}, map.from, x.row, 0, 1,
                                 map.matrix.view().depth};
        to.matmul(to.matrix(map.matrix), window, y.memory.after(map.to), y.row, y.frames);
      }
      if (i < stacks_.size()) {
        stacks_[i].record(to, y, at);
        at += stacks_[i].state_floats(to.max_frames(), Layout::gpu);
      }
      x = y;
    }
    if (first_output_ > 0) {
      to.add(gpu::Copy{to.timing(), x, to.output(), first_output_, 0, net_.outputs, nullptr});
    }
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs;
    for (std::size_t i = 0; i < stacks_.size(); ++i) {
      const bool is_alone = maps_[i].empty();
      stacks_[i].add_specs(is_alone ? "" : "arrays." + std::to_string(i) + ".", specs);
    }
    return specs;
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    for (const auto& stack : stacks_) {
      stack.save(state, position, max_frames, layout(max_frames), out.first(stack.num_specs()));
      out = out.subspan(stack.num_specs());
      state += stack.state_floats(max_frames, layout(max_frames));
    }
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    for (const auto& stack : stacks_) {
      stack.load(state, position, max_frames, layout(max_frames), in.first(stack.num_specs()));
      in = in.subspan(stack.num_specs());
      state += stack.state_floats(max_frames, layout(max_frames));
    }
  }

 private:
  struct Map {
    PackedWeights matrix;
    int from, to;
  };

  static Map map(const LayerContext& context, const std::string& path, int outputs, int inputs,
                 int from, int to, bool has_bias, bool is_conv) {
    std::vector<std::int64_t> shape{outputs, inputs};
    if (is_conv) shape.push_back(1);
    const float* bias = has_bias ? context.tensor(path + "bias", {outputs}) : nullptr;
    return {pack_matrix(context.tensor(path + "weight", shape), outputs, inputs, bias), from, to};
  }

  void add_stacks(const LayerContext& context) {
    const int num_stacks = context.integer("num_stacks", 1, kMaxStacks);
    const int outputs = context.integer("outputs", 0, 1 << 14);
    for (int i = 0; i < num_stacks; ++i) {
      const ConditionedLayers& stack =
          stacks_.emplace_back(context, "arrays." + std::to_string(i) + ".");
      const int on = stack.channels() + 1;
      if (i == 0) {
        const int inputs = context.input().channels;
        maps_.push_back({map(context, "input.", stack.width(), inputs, 0, 0, true, false)});
        continue;
      }
      const ConditionedLayers& before = stacks_[static_cast<std::size_t>(i - 1)];
      const int begin = before.channels() + 1;
      const std::string path = "join." + std::to_string(i - 1) + ".";
      maps_.push_back(
          {map(context, path + "x.linear.", on, begin, 0, 0, false, false),
           map(context, path + "head.conv.", stack.skip(), before.skip(), begin, on, true, true)});
    }
    const ConditionedLayers& last = stacks_.back();
    first_output_ = last.channels() + 1;
    if (outputs == 0) return;
    maps_.push_back(
        {map(context, "output.conv.", outputs, last.skip(), first_output_, 0, true, true)});
    first_output_ = 0;
  }

  int outputs() const {
    if (maps_.size() > stacks_.size()) return maps_.back()[0].matrix.view().outputs;
    return first_output_ > 0 ? stacks_.back().skip() : stacks_.back().width();
  }

  // What the kernel gets, once nothing moves any more.
  void bind() {
    maps_.resize(std::max(maps_.size(), stacks_.size()));
    int most = std::max(inputs_, outputs());
    is_narrow_ = most <= kMaxMapDepth;
    for (std::size_t i = 0; i < maps_.size(); ++i) {
      auto& views = views_.emplace_back();
      for (const Map& map : maps_[i]) views.push_back({map.matrix.view(), map.from, map.to});
      const bool has_stack = i < stacks_.size();
      const int width = has_stack ? stacks_[i].width() : outputs();
      most = std::max(most, width);
      is_narrow_ = is_narrow_ && (!has_stack || stacks_[i].is_narrow());
      stages_.push_back({nullptr, static_cast<int>(views.size()),
                         has_stack ? stacks_[i].view() : ConditionedStack{}, width});
    }
    for (std::size_t i = 0; i < stages_.size(); ++i) stages_[i].maps = views_[i].data();
    net_ = {
        stages_.data(), static_cast<int>(stages_.size()), inputs_, outputs(), first_output_, most};
  }

  Layout layout(int max_frames) const {
    if (on_gpu_) return Layout::gpu;
    return is_narrow_ && max_frames >= kFewestFrames ? Layout::planes : Layout::rows;
  }

  bool on_gpu_;
  bool is_narrow_ = false;
  int inputs_ = 0;
  int first_output_ = 0;
  std::vector<ConditionedLayers> stacks_;
  std::vector<std::vector<Map>> maps_;  // ahead of each stack; one more: behind the last
  std::vector<std::vector<ConditionedMap>> views_;
  std::vector<ConditionedStage> stages_;
  ConditionedNet net_{};
};

}  // namespace

std::unique_ptr<Layer> make_conditioned_net(const LayerContext& context) {
  const std::string& kind = context.spec().kind;
  if (kind != "conditioned_stack" && kind != "conditioned_net") return nullptr;
  return std::make_unique<Net>(context);
}

}  // namespace rtaudio
