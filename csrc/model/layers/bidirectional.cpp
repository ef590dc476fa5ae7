// A recurrent layer in both directions of time: exact over a whole signal, by chunks in a stream.
#include <algorithm>
#include <vector>

#include "model/gate_weights.h"
#include "model/layer.h"
#include "model/ring.h"

namespace rtaudio {
namespace {

constexpr int kMaxFrames = 1 << 20;

// Output frame i of a call belongs to the i-th row of the history and the call together.
class Bidirectional final : public Layer {
 public:
  explicit Bidirectional(const LayerContext& context)
      : cell_(static_cast<Cell>(context.integer("cell", 0, 2))),
        gates_(cell_ == Cell::gru ? 3 : (cell_ == Cell::lstm ? 4 : 1)),
        hidden_(context.integer("hidden", 1, 1 << 14)),
        chunk_(context.integer("chunk", 1, kMaxFrames)),
        lookahead_(context.integer("lookahead", 0, kMaxFrames)),
        in_delay_(context.input().delay),
        forward_(context, gates_, context.input().channels, hidden_),
        backward_(context, gates_, context.input().channels, hidden_, "_reverse"),
        ring_(context.input().channels, std::max(0, context.output().delay - in_delay_)) {
    context.require_inputs(1);
    context.require_output(2 * std::int64_t{hidden_});
    context.require(context.input().frames == context.output().frames &&
                        context.input().frames % chunk_ == 0 &&
                        context.output().delay % chunk_ == 0 &&
                        context.output().delay - in_delay_ >= lookahead_,
                    "does not fit the frames of its buffers");
  }

  // h and c of the forward cell, history rows since the signal's end, history.
  std::size_t state_floats(int max_frames) const override {
    return 2 * row() + 16 + ring_.floats(max_frames);
  }
  // W x of a piece of the signal, U h, h and c of the backward cell.
  std::size_t scratch_floats(int) const override {
    return static_cast<std::size_t>(piece() + 1) * gate_floats() + 2 * row();
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    float& ended = call.state[2 * row()];
    const int kept = ring_.history();
    const float* rows =
        ring_.append(call.state + 2 * row() + 16, call.max_frames, call.position, call.inputs[0],
                     call.num_frames, call.valid_begin, call.valid_end);
    const int missing = call.num_frames - call.valid_end +
                        (call.valid_begin < call.valid_end ? 0 : static_cast<int>(ended));
    ended = static_cast<float>(std::min(missing, kept));
    const int begin = static_cast<int>(
        std::clamp<std::int64_t>(in_delay_ + kept - call.position, 0, call.num_frames + kept));
    const int end = kept + call.num_frames - missing;
    const int chunk = call.whole ? call.num_frames : chunk_;
    const int lookahead = call.whole ? kept : lookahead_;
    for (int t = 0; t < call.num_frames; t += chunk) {
      const int low = std::clamp(begin, t, t + chunk), high = std::clamp(end, low, t + chunk);
      float* y = call.output + t * out_row();
      std::fill_n(y, (low - t) * out_row(), 0.0f);
      std::fill(y + (high - t) * out_row(), y + chunk * out_row(), 0.0f);
      if (high > low) answer(call, rows, low, high, std::min(t + chunk + lookahead, end));
    }
  }

  void record(Recorder& to) const override {
    const gpu::RingRows rows = to.ring(ring_, 2 * row() + 16);
    to.add(gpu::Append{to.timing(), to.input(), rows, false});
    const gpu::Window x{rows, 0, ring_.row(), 0, 1, forward_.inputs()};
    const int kept = ring_.history(), frames = to.input().frames;
    const gpu::Reach reach{to.timing(), kept, to.state(2 * row())};
    const auto project = [&](const GateWeights& weights, int more) {
      const auto count = static_cast<std::size_t>(to.max_frames() + more);
      const gpu::Memory wx = to.scratch(count * gate_floats());
      to.matmul(weights.wx(to), x, wx, static_cast<int>(gate_floats()), frames, false, more);
      return wx;
    };
    const gpu::Memory ahead = project(forward_, 0), back = project(backward_, kept);
    const auto chunks = static_cast<std::size_t>(to.max_frames() / chunk_);
    const gpu::Memory h = to.scratch(2 * row()), h_back = to.scratch(chunks * 3 * row());
    record_walk(to, forward_.cell(to, cell_, false),
                gpu::AlongTime{reach, 1, ahead, to.state(), h, to.output(), 2 * hidden_});
    record_walk(to, backward_.cell(to, cell_, false),
                gpu::AgainstTime{reach, back, h_back, to.output(), chunk_, lookahead_, to.whole()});
    to.add(gpu::NoteEnd{reach});
  }

  std::vector<StateSpec> state_specs() const override {
    std::vector<StateSpec> specs{{"h", hidden_, 1}, {"c", hidden_, 1}};
    if (ring_.history() > 0) {
      specs.push_back({"history", forward_.inputs(), ring_.history()});
    }
    return specs;
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const override {
    std::copy_n(state, hidden_, out[0].begin());
    std::copy_n(state + row(), hidden_, out[1].begin());
    if (out.size() > 2) ring_.save(state + 2 * row() + 16, max_frames, position, out[2]);
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const override {
    std::copy_n(in[0].begin(), hidden_, state);
    std::copy_n(in[1].begin(), hidden_, state + row());
    if (in.size() > 2) ring_.load(state + 2 * row() + 16, max_frames, position, in[2]);
  }

 private:
  using Cell = gpu::Cell::Kind;

  std::size_t row() const { return static_cast<std::size_t>(forward_.stride()); }
  std::size_t gate_floats() const { return static_cast<std::size_t>(gates_) * row(); }
  std::ptrdiff_t out_row() const { return row_floats(2 * hidden_); }
  // Frames whose W x is computed together.
  int piece() const { return std::min(chunk_, 64); }

  // Frames [low, high); the backward cell begins at `known`.
  void answer(const Call& call, const float* rows, int low, int high, int known) const noexcept {
    float* const wx = call.scratch;
    float* const h = wx + static_cast<std::size_t>(piece() + 1) * gate_floats();
    for (int t = low; t < high; t += piece()) {
      const int count = std::min(piece(), high - t);
      project(call, forward_, rows, t, count);
      for (int i = 0; i < count; ++i) {
        step(call, forward_, i, call.state);
        std::copy_n(call.state, hidden_, call.output + (t + i) * out_row());
      }
    }
    std::fill_n(h, 2 * row(), 0.0f);
    for (int t = known; t > low;) {
      const int count = std::min(piece(), t - low);
      t -= count;
      project(call, backward_, rows, t, count);
      for (int i = count - 1; i >= 0; --i) {
        step(call, backward_, i, h);
        if (t + i < high) std::copy_n(h, hidden_, call.output + (t + i) * out_row() + hidden_);
      }
    }
  }

  void project(const Call& call, const GateWeights& weights, const float* rows, int begin,
               int count) const noexcept {
    const Rows x{rows + std::ptrdiff_t{begin} * ring_.row(), ring_.row(), 0, 1, weights.inputs()};
    call.kernels.matmul(weights.wx(), x, call.scratch, static_cast<std::ptrdiff_t>(gate_floats()),
                        count);
  }

  // One frame of a projected piece; c lies one row after h.
  void step(const Call& call, const GateWeights& weights, int frame, float* h) const noexcept {
    const float* wx = call.scratch + static_cast<std::size_t>(frame) * gate_floats();
    float* const uh = call.scratch + static_cast<std::size_t>(piece()) * gate_floats();
    call.kernels.matmul(weights.uh(), Rows{h, 0, 0, 1, hidden_}, uh,
                        static_cast<std::ptrdiff_t>(gate_floats()), 1);
    const auto count = static_cast<std::size_t>(hidden_);
    switch (cell_) {
      case Cell::gru:
        call.kernels.gru({hidden_, wx, uh, weights.stride(), h});
        break;
      case Cell::lstm:
        call.kernels.lstm({hidden_, wx, uh, weights.stride(), h, h + row()});
        break;
      case Cell::rnn:
        call.kernels.add(wx, uh, h, count);
        call.kernels.unary(Unary::tanh, h, h, count, 0.0f, 0.0f);
        break;
    }
  }

  Cell cell_;
  int gates_;
  int hidden_;
  int chunk_;
  int lookahead_;
  int in_delay_;
  GateWeights forward_;
  GateWeights backward_;
  Ring ring_;
};

}  // namespace

std::unique_ptr<Layer> make_bidirectional(const LayerContext& context) {
  if (context.spec().kind != "bidirectional_rnn") return nullptr;
  return std::make_unique<Bidirectional>(context);
}

}  // namespace rtaudio
