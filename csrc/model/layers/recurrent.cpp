// Layers with a state of their own: GRU, LSTM, RNN, the running mean.
#include <algorithm>
#include <vector>

#include "model/gate_weights.h"
#include "model/layer.h"

namespace rtaudio {
namespace {

class Gated final : public Layer {
 public:
  using Cell = gpu::Cell::Kind;

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
  std::size_t scratch_floats(int frames) const override {
    return static_cast<std::size_t>(frames) * (2 * gate_floats() + row());
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    process_lanes({&call, 1});
  }

  // W x has no memory: one product for all frames. U h follows the frames, all lanes at a time.
  void process_lanes(std::span<const Call> calls) const noexcept RTA_NONBLOCKING override {
    const Call& first = calls[0];
    const std::size_t lanes = calls.size();
    float* const uh = first.scratch;                   // [lane][gate]
    float* const states = uh + lanes * gate_floats();  // [lane][hidden]
    float* const wx = states + lanes * row();          // [lane][frame][gate]
    project(calls, wx);
    for (int t = 0; t < first.num_frames; ++t) {
      const int active = gather(calls, t, states);
      if (active > 0) {
        first.kernels.matmul(weights_.uh(), Rows{states, weights_.stride(), 0, 1, hidden_}, uh,
                             static_cast<std::ptrdiff_t>(gate_floats()), active);
      }
      const float* now = uh;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const Call& call = calls[lane];
        float* const out = call.output + t * row_floats(hidden_);
        if (!is_valid(call, t)) {
          std::fill_n(out, hidden_, 0.0f);
          continue;
        }
        const std::size_t frame =
            lane * static_cast<std::size_t>(call.num_frames) + static_cast<std::size_t>(t);
        step(call, wx + frame * gate_floats(), now);
        std::copy_n(call.state, hidden_, out);
        now += gate_floats();
      }
    }
  }

  void record(Recorder& to) const override {
    weights_.record(to, cell_, function_ == Unary::relu, 1);
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
  static bool is_valid(const Call& call, int t) {
    return call.valid_begin <= t && t < call.valid_end;
  }

  // W x of the valid frames. Lanes that lie one after the other are one product.
  void project(std::span<const Call> calls, float* wx) const noexcept {
    const std::ptrdiff_t in_row = row_floats(weights_.inputs());
    const auto gate_row = static_cast<std::ptrdiff_t>(gate_floats());
    for (std::size_t lane = 0; lane < calls.size();) {
      const Call& call = calls[lane];
      const float* const begin = call.inputs[0] + call.valid_begin * in_row;
      float* const to =
          wx + (static_cast<std::ptrdiff_t>(lane) * call.num_frames + call.valid_begin) * gate_row;
      const float* end = begin;
      const auto follows = [&](const Call& next) {
        return next.inputs[0] + next.valid_begin * in_row == end;
      };
      for (; lane < calls.size() && follows(calls[lane]); ++lane) {
        end = calls[lane].inputs[0] + calls[lane].valid_end * in_row;
      }
      const auto frames = static_cast<int>((end - begin) / in_row);
      if (frames > 0) {
        const Rows x{begin, in_row, 0, 1, weights_.inputs()};
        call.kernels.matmul(weights_.wx(), x, to, gate_row, frames);
      }
    }
  }

  // The states of the lanes whose frame t is valid, side by side; returns how many.
  int gather(std::span<const Call> calls, int t, float* states) const noexcept {
    int active = 0;
    for (const Call& call : calls) {
      if (is_valid(call, t))
        std::copy_n(call.state, hidden_, states + weights_.stride() * active++);
    }
    return active;
  }

  void step(const Call& call, const float* wx, const float* uh) const noexcept {
    float* const h = call.state;
    switch (cell_) {
      case Cell::gru:
        call.kernels.gru({hidden_, wx, uh, weights_.stride(), h});
        break;
      case Cell::lstm:
        call.kernels.lstm({hidden_, wx, uh, weights_.stride(), h, h + row()});
        break;
      case Cell::rnn:
        call.kernels.add(wx, uh, h, static_cast<std::size_t>(hidden_));
        call.kernels.unary(function_, h, h, static_cast<std::size_t>(hidden_), 0.0f, 0.0f);
        break;
    }
  }

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

  void record(Recorder& to) const override {
    to.add(gpu::MeanSubtract{to.timing(), to.input(), to.output(), to.state(), alpha_});
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
