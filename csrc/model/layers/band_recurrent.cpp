// Recurrent layers over maps [band][channel]: along time with the same weights at every band, and
// along the bands of one frame.
#include <algorithm>
#include <vector>

#include "model/gate_weights.h"
#include "model/layer.h"

namespace rtaudio {
namespace {

constexpr int kMaxBands = 1 << 16;
constexpr std::int64_t kMaxScratch = 1 << 24;

class BandCells : public Layer {
 public:
  explicit BandCells(const LayerContext& context)
      : lstm_(context.integer("lstm", 0, 1) != 0),
        bands_(context.integer("bands", 1, kMaxBands)),
        hidden_(context.integer("hidden", 1, 1 << 14)),
        weights_(context, lstm_ ? 4 : 3, context.input().channels / bands_, hidden_) {
    context.require_inputs(1);
    context.require(context.input().channels % bands_ == 0, "has channels that are no whole bands");
    context.require_output(std::int64_t{bands_} * hidden_);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    context.require(2 * bands_ * gate_floats() <= kMaxScratch, "is too large");
  }

 protected:
  std::ptrdiff_t row() const { return weights_.stride(); }
  std::ptrdiff_t gate_floats() const { return (lstm_ ? 4 : 3) * weights_.stride(); }
  std::ptrdiff_t in_row() const { return row_floats(bands_ * weights_.inputs()); }
  std::ptrdiff_t out_row() const { return row_floats(bands_ * hidden_); }

  // One step of one band: h and, for an LSTM, c one `row` after it.
  void step(const Call& call, const float* wx, const float* uh, float* h, float* c) const noexcept {
    if (lstm_) {
      call.kernels.lstm({hidden_, wx, uh, weights_.stride(), h, c});
    } else {
      call.kernels.gru({hidden_, wx, uh, weights_.stride(), h});
    }
  }

  gpu::Cell::Kind kind() const { return lstm_ ? gpu::Cell::Kind::lstm : gpu::Cell::Kind::gru; }

  bool lstm_;
  int bands_;
  int hidden_;
  GateWeights weights_;
};

// State: [band] rows of h, then [band] rows of c.
class BandRecurrent final : public BandCells {
 public:
  using BandCells::BandCells;

  std::size_t state_floats(int) const override {
    return static_cast<std::size_t>(2 * bands_ * row());
  }
  std::size_t scratch_floats(int) const override {
    return static_cast<std::size_t>(2 * bands_ * gate_floats());
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    std::fill_n(call.output, call.valid_begin * out_row(), 0.0f);
    std::fill(call.output + call.valid_end * out_row(), call.output + call.num_frames * out_row(),
              0.0f);
    float* const wx = call.scratch;
    float* const uh = wx + bands_ * gate_floats();
    const Rows state{call.state, row(), 0, 1, hidden_};
    for (int t = call.valid_begin; t < call.valid_end; ++t) {
      const Rows x{call.inputs[0] + t * in_row(), weights_.inputs(), 0, 1, weights_.inputs()};
      call.kernels.matmul(weights_.wx(), x, wx, gate_floats(), bands_);
      call.kernels.matmul(weights_.uh(), state, uh, gate_floats(), bands_);
      float* y = call.output + t * out_row();
      for (int band = 0; band < bands_; ++band, y += hidden_) {
        float* h = call.state + band * row();
        step(call, wx + band * gate_floats(), uh + band * gate_floats(), h, h + bands_ * row());
        std::copy_n(h, hidden_, y);
      }
    }
  }

  void record(Recorder& to) const override { weights_.record(to, kind(), false, bands_); }

  std::vector<StateSpec> state_specs() const override {
    if (lstm_) return {{"h", bands_ * hidden_, 1}, {"c", bands_ * hidden_, 1}};
    return {{"h", bands_ * hidden_, 1}};
  }
  void save(const float* state, std::int64_t, int,
            std::span<const std::span<float>> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      for (int band = 0; band < bands_; ++band, state += row()) {
        std::copy_n(state, hidden_, out[i].begin() + band * hidden_);
      }
    }
  }
  void load(float* state, std::int64_t, int,
            std::span<const std::span<const float>> in) const override {
    for (std::size_t i = 0; i < in.size(); ++i) {
      for (int band = 0; band < bands_; ++band, state += row()) {
        std::copy_n(in[i].begin() + band * hidden_, hidden_, state);
      }
    }
  }
};

// Both directions (and all groups) step as one cell: lanes of the backward cells read the bands in
// falling order. The lanes are [group][direction][hidden / (groups * directions)].
class BandScan final : public BandCells {
 public:
  explicit BandScan(const LayerContext& context)
      : BandCells(context),
        directions_(context.integer("directions", 1, 2)),
        run_(hidden_ / directions_ / context.integer("groups", 1, hidden_)) {
    context.require(run_ * directions_ * context.integer("groups", 1, hidden_) == hidden_,
                    "has a hidden size that does not split into its groups and directions");
    context.require(kTogether * (3 * gate_floats() + 2 * row()) * bands_ <= kMaxScratch,
                    "is too large");
    if (directions_ == 2) mask(context);
  }

  bool stateless() const override { return true; }

  // Of each frame: gates of W x for both orders, of U h for one step; states of all steps, and c.
  std::size_t scratch_floats(int frames) const override {
    return static_cast<std::size_t>(std::min(frames, kTogether)) *
           static_cast<std::size_t>((2 * bands_ + 1) * gate_floats() + (bands_ + 2) * row());
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    for (int t = 0; t < call.num_frames; t += kTogether) {
      scan(call, t, std::min(kTogether, call.num_frames - t));
    }
  }

  void record(Recorder& to) const override {
    const gpu::Cell cell = weights_.cell(to, kind(), false);
    const gpu::Window x = parts_of_input(to, bands_);
    const auto frames = static_cast<std::size_t>(to.max_frames());
    const auto project = [&](const gpu::Matrix& m) {
      const gpu::Memory gates = to.scratch(frames * static_cast<std::size_t>(bands_ * cell.row()));
      to.matmul(m, x, gates, cell.row(), bands_ * to.input().frames);
      return gates;
    };
    const bool both = directions_ == 2;
    const gpu::Memory wx = project(both ? to.matrix(directional_[0]) : weights_.wx(to));
    const gpu::Memory backward = both ? project(to.matrix(directional_[1])) : wx;
    const gpu::Memory h = to.scratch(frames * static_cast<std::size_t>(3 * cell.stride));
    record_walk(
        to, cell,
        gpu::AlongBands{to.timing(), bands_, directions_, run_, wx, backward, h, to.output()});
  }

 private:
  static constexpr int kTogether = 8;  // frames, which know nothing of one another

  void scan(const Call& call, int begin, int frames) const noexcept {
    float* const gates = call.scratch;
    float* const uh = gates + 2 * bands_ * frames * gate_floats();
    float* const c = uh + frames * gate_floats();
    float* const h = c + frames * row();  // [step][frame] rows; step i: before band i
    std::fill_n(c, 2 * frames * row(), 0.0f);
    const std::ptrdiff_t all_gates = 2 * bands_ * gate_floats();
    for (int t = 0; t < frames; ++t) {
      project(call, call.inputs[0] + (begin + t) * in_row(), gates + t * all_gates);
    }
    for (int i = 0; i < bands_; ++i) {
      const float* now = h + i * frames * row();
      float* const next = h + (i + 1) * frames * row();
      call.kernels.matmul(weights_.uh(), Rows{now, row(), 0, 1, hidden_}, uh, gate_floats(),
                          frames);
      std::copy_n(now, frames * row(), next);
      for (int t = 0; t < frames; ++t) {
        step(call, gates + t * all_gates + i * gate_floats(), uh + t * gate_floats(),
             next + t * row(), c + t * row());
      }
    }
    for (int t = 0; t < frames; ++t) {
      write(h + (frames + t) * row(), frames * row(), call.output + (begin + t) * out_row());
    }
  }

  // W x of every step: both orders, then one addition, where one of the two is always zero.
  void project(const Call& call, const float* x, float* wx) const noexcept {
    const int inputs = weights_.inputs();
    if (directions_ == 1) {
      call.kernels.matmul(weights_.wx(), Rows{x, inputs, 0, 1, inputs}, wx, gate_floats(), bands_);
      return;
    }
    float* const backward = wx + bands_ * gate_floats();
    const float* last = x + std::ptrdiff_t{bands_ - 1} * inputs;
    call.kernels.matmul(directional_[0].view(), Rows{x, inputs, 0, 1, inputs}, wx, gate_floats(),
                        bands_);
    call.kernels.matmul(directional_[1].view(), Rows{last, -inputs, 0, 1, inputs}, backward,
                        gate_floats(), bands_);
    call.kernels.add(wx, backward, wx, static_cast<std::size_t>(bands_ * gate_floats()));
  }

  // `h`, `step` apart: the states after each step. Forward lanes belong to band i, backward lanes
  // to the i-th band from the end.
  void write(const float* h, std::ptrdiff_t step, float* y) const noexcept {
    for (int band = 0; band < bands_; ++band, y += hidden_) {
      const float* forward = h + band * step;
      if (directions_ == 1) {
        std::copy_n(forward, hidden_, y);
        continue;
      }
      const float* backward = h + (bands_ - 1 - band) * step;
      for (int at = 0; at < hidden_; at += 2 * run_) {
        std::copy_n(forward + at, run_, y + at);
        std::copy_n(backward + at + run_, run_, y + at + run_);
      }
    }
  }

  void mask(const LayerContext& context) {
    const int gates = lstm_ ? 4 : 3, inputs = weights_.inputs();
    const float* weight = context.tensor("weight_ih", {gates * hidden_, inputs});
    const float* bias = context.tensor("bias_ih", {gates * hidden_});
    for (int direction = 0; direction < 2; ++direction) {
      std::vector<float> rows(static_cast<std::size_t>(gate_floats() * inputs));
      std::vector<float> biases(static_cast<std::size_t>(gate_floats()));
      for (int o = 0; o < gates * hidden_; ++o) {
        if (o % hidden_ / run_ % 2 != direction) continue;
        const std::ptrdiff_t to = o / hidden_ * row() + o % hidden_;
        biases[static_cast<std::size_t>(to)] = bias[o];
        std::copy_n(weight + std::ptrdiff_t{o} * inputs, inputs, rows.begin() + to * inputs);
      }
      directional_.push_back(
          pack_matrix(rows.data(), static_cast<int>(gate_floats()), inputs, biases.data()));
    }
  }

  int directions_;
  int run_;  // lanes of one group in one direction
  std::vector<PackedWeights> directional_;
};

}  // namespace

std::unique_ptr<Layer> make_band_recurrent(const LayerContext& context) {
  if (context.spec().kind == "band_recurrent") return std::make_unique<BandRecurrent>(context);
  if (context.spec().kind == "band_scan") return std::make_unique<BandScan>(context);
  return nullptr;
}

}  // namespace rtaudio
