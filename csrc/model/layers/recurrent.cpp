// Layers with a state of their own: GRU, LSTM, RNN, the running mean.
#include <algorithm>
#include <vector>

#include "model/gate_weights.h"
#include "model/layer.h"

namespace rtaudio {
namespace {

class Gated final : public Layer {
 public:
  enum class Cell { gru, lstm, rnn };

  Gated(const LayerContext& context, Cell cell)
      : cell_(cell),
        gates_(cell == Cell::lstm ? 4 : (cell == Cell::gru ? 3 : 1)),
        function_(cell == Cell::rnn && context.integer("relu", 0, 1) != 0 ? Unary::relu
                                                                          : Unary::tanh),
        hidden_(context.integer("hidden", 1, 1 << 14)),
        weights_(context, gates_, context.input().channels, hidden_) {
    context.require_inputs(1);
    context.require_output(hidden_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int) const override { return 2 * row(); }
  std::size_t scratch_floats(int max_frames) const override {
    return static_cast<std::size_t>(max_frames + 1) * gate_floats();
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const int begin = call.valid_begin, end = call.valid_end;
    const std::ptrdiff_t out_row = row_floats(hidden_);
    std::fill(call.output, call.output + begin * out_row, 0.0f);
    std::fill(call.output + end * out_row, call.output + call.num_frames * out_row, 0.0f);
    if (end <= begin) return;
    const std::ptrdiff_t in_row = row_floats(weights_.inputs());
    const std::ptrdiff_t gate_row = static_cast<std::ptrdiff_t>(gate_floats());
    float* uh = call.scratch;
    float* wx = uh + gate_row;
    float* h = call.state;
    float* c = h + row();
    // W x has no memory: one product for all frames of the call.
    const Rows x{call.inputs[0] + begin * in_row, in_row, 0, 1, weights_.inputs()};
    call.kernels.matmul(weights_.wx(), x, wx, gate_row, end - begin);
    const Rows state{h, 0, 0, 1, hidden_};
    for (int t = begin; t < end; ++t) {
      call.kernels.matmul(weights_.uh(), state, uh, gate_row, 1);
      const float* now = wx + (t - begin) * gate_row;
      switch (cell_) {
        case Cell::gru:
          call.kernels.gru({hidden_, now, uh, weights_.stride(), h});
          break;
        case Cell::lstm:
          call.kernels.lstm({hidden_, now, uh, weights_.stride(), h, c});
          break;
        case Cell::rnn:
          call.kernels.add(now, uh, h, static_cast<std::size_t>(hidden_));
          call.kernels.unary(function_, h, h, static_cast<std::size_t>(hidden_), 0.0f, 0.0f);
          break;
      }
      std::copy_n(h, hidden_, call.output + t * out_row);
    }
  }

  std::vector<StateSpec> state_specs() const override {
    if (cell_ == Cell::lstm) return {{"h", hidden_, 1}, {"c", hidden_, 1}};
    return {{"h", hidden_, 1}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::copy_n(state + i * row(), hidden_, out[i].begin());
    }
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    for (std::size_t i = 0; i < in.size(); ++i) {
      std::copy_n(in[i].begin(), hidden_, state + i * row());
    }
  }

 private:
  std::size_t row() const { return static_cast<std::size_t>(weights_.stride()); }
  std::size_t gate_floats() const { return static_cast<std::size_t>(gates_) * row(); }

  Cell cell_;
  int gates_;
  Unary function_;  // of an rnn
  int hidden_;
  GateWeights weights_;
};

class MeanSubtract final : public Layer {
 public:
  explicit MeanSubtract(const LayerContext& context)
      : channels_(context.input().channels),
        alpha_(context.number("alpha")),
        initial_(context.number("initial")) {
    context.require_inputs(1);
    context.require_output(channels_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
  }

  std::size_t state_floats(int) const override { return row(); }
  void reset(float* state) const noexcept override { std::fill_n(state, channels_, initial_); }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t step = row_floats(channels_);
    std::fill(call.output, call.output + call.valid_begin * step, 0.0f);
    std::fill(call.output + call.valid_end * step, call.output + call.num_frames * step, 0.0f);
    for (int t = call.valid_begin; t < call.valid_end; ++t) {
      call.kernels.mean_subtract(alpha_, call.inputs[0] + t * step, call.state,
                                 call.output + t * step, channels_);
    }
  }

  std::vector<StateSpec> state_specs() const override { return {{"mean", channels_, 1}}; }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    std::copy_n(state, channels_, out[0].begin());
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    std::copy_n(in[0].begin(), channels_, state);
  }

 private:
  std::size_t row() const { return static_cast<std::size_t>((channels_ + 15) / 16 * 16); }

  int channels_;
  float alpha_;
  float initial_;
};

}  // namespace

std::unique_ptr<Layer> make_recurrent(const LayerContext& context) {
  const std::string& kind = context.spec().kind;
  if (kind == "gru") return std::make_unique<Gated>(context, Gated::Cell::gru);
  if (kind == "lstm") return std::make_unique<Gated>(context, Gated::Cell::lstm);
  if (kind == "rnn") return std::make_unique<Gated>(context, Gated::Cell::rnn);
  if (kind == "mean_subtract") return std::make_unique<MeanSubtract>(context);
  return nullptr;
}

}  // namespace rtaudio
