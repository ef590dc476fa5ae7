// Channels in another order, repeated, or zero: what permutations, unfolding and broadcasting are.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/layer.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

class Gather final : public Layer {
 public:
  explicit Gather(const LayerContext& context)
      : channels_(context.input().channels), out_channels_(context.output().channels) {
    context.require_inputs(1);
    context.require(context.input().frames == context.output().frames,
                    "does not fit the frames of its buffers");
    const float* index = context.tensor("index", {out_channels_});
    for (int c = 0; c < out_channels_; ++c) {
      // Written so that NaN fails; the comparison with the rounded value is then safe.
      const bool in_range = index[c] >= -1.0f && index[c] < static_cast<float>(channels_);
      context.require(in_range && static_cast<float>(static_cast<int>(index[c])) == index[c],
                      "takes a channel that does not exist");
      index_.push_back(static_cast<std::int32_t>(index[c]));
      add(c, index_.back());
    }
  }

  bool stateless() const override { return true; }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const std::ptrdiff_t row = row_floats(channels_), out_row = row_floats(out_channels_);
    for (int t = 0; t < call.num_frames; ++t) {
      const float* x = call.inputs[0] + t * row;
      float* y = call.output + t * out_row;
      for (const Run& run : runs_) copy(x, y + run.to, run);
    }
  }
  void record(Recorder& to) const override {
    to.add(gpu::Copy{to.timing(), to.input(), to.output(), 0, 0, out_channels_, to.table(index_)});
  }

 private:
  // Output channels to, to + 1, ... come from input channels from, from + step, ...
  struct Run {
    int to;
    int from;  // -1: zeros
    int step;
    int count;
  };

  static void copy(const float* x, float* y, const Run& run) noexcept {
    if (run.from < 0) {
      std::fill_n(y, run.count, 0.0f);
    } else if (run.step == 1) {
      std::copy_n(x + run.from, run.count, y);
    } else {
      const float* from = x + run.from;
      for (int i = 0; i < run.count; ++i, from += run.step) y[i] = *from;
    }
  }

  void add(int to, int from) {
    if (!runs_.empty()) {
      Run& last = runs_.back();
      if (last.from < 0 && from < 0) {
        ++last.count;
        return;
      }
      if (last.from >= 0 && from >= 0) {
        if (last.count == 1) last.step = from - last.from;
        if (from == last.from + last.count * last.step) {
          ++last.count;
          return;
        }
      }
    }
    runs_.push_back({to, from, 1, 1});
  }

  int channels_;
  int out_channels_;
  std::vector<std::int32_t> index_;
  std::vector<Run> runs_;
};

}  // namespace

std::unique_ptr<Layer> make_arrange(const LayerContext& context) {
  if (context.spec().kind == "gather") return std::make_unique<Gather>(context);
  return nullptr;
}

}  // namespace rtaudio
