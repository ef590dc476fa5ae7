// The rule of layers that read a window of input frames: convolutions, the STFT, deep filters.
#pragma once

#include <algorithm>

#include "model/layer.h"
#include "model/recorder.h"
#include "model/ring.h"

namespace rtaudio {

class WindowRule {
 public:
  // Output frame o of a call reads `width` input frames that end `extra` frames before its
  // stride block does.
  WindowRule(const LayerContext& context, int width, int stride)
      : stride_(stride),
        tail_(context.integer("tail", 0, 1 << 20)),
        skipped_(0),
        pointwise_(false),
        ring_(context.input().channels, 0) {
    const int context_frames = width - stride + context.integer("extra", 0, 1 << 20);
    skipped_ = std::max(0, -context_frames);
    // Equal delays and no tail: otherwise a valid output may read a frame outside the signal, which
    // is zero.
    pointwise_ = width == 1 && stride == 1 && context_frames == 0 && tail_ == 0 &&
                 context.input().delay == context.output().delay;
    ring_ = Ring(context.input().channels, std::max(0, context_frames));
    context.require(context.output().frames * std::int64_t{stride} == context.input().frames,
                    "does not fit the frames of its buffers");
  }

  int stride() const { return stride_; }
  int row() const { return ring_.row(); }
  // True where an output frame reads its own input frame alone: no ring and no masks.
  bool pointwise() const { return pointwise_; }
  bool has_memory() const { return ring_.history() > 0; }

  std::size_t state_floats(int max_frames) const {
    return pointwise_ ? 0 : ring_.floats(max_frames);
  }

  // The first row that the call's first output frame reads.
  const float* append(const Call& call) const noexcept {
    if (pointwise_) return call.inputs[0];
    return ring_.append(call.state, call.max_frames, call.position, call.inputs[0], call.num_frames,
                        call.valid_begin, call.valid_end) +
           skipped_ * row();
  }

  // The same on a GPU: the rows of `taps` taps that are `dilation` frames apart.
  gpu::Window record(Recorder& to, int taps, int dilation, int inputs) const {
    const std::ptrdiff_t step = row();
    if (pointwise_) {
      return {{to.input().memory, row(), 0, 0}, 0, step, 0, 1, inputs};
    }
    const gpu::RingRows rows = to.ring(ring_);
    to.add(gpu::Append{to.timing(), to.input(), rows, false});
    return {rows, skipped_ * step, stride_ * step, dilation * step, taps, inputs};
  }

  std::int64_t out_length(std::int64_t length) const {
    return length <= 0 ? 0 : (length + tail_ + stride_ - 1) / stride_;
  }

  const Ring& ring() const { return ring_; }

 private:
  int stride_;
  int tail_;
  int skipped_;
  bool pointwise_;
  Ring ring_;
};

// A layer whose memory is what its window looks back on.
class WindowLayer : public Layer {
 public:
  std::size_t state_floats(int max_frames) const final { return window().state_floats(max_frames); }

  std::int64_t out_length(std::int64_t length) const final { return window().out_length(length); }

  std::vector<StateSpec> state_specs() const final {
    if (!window().has_memory()) return {};
    return {{"history", window().ring().channels(), window().ring().history()}};
  }
  void save(const float* state, std::int64_t position, int max_frames,
            std::span<const std::span<float>> out) const final {
    if (window().has_memory()) window().ring().save(state, max_frames, position, out[0]);
  }
  void load(float* state, std::int64_t position, int max_frames,
            std::span<const std::span<const float>> in) const final {
    if (window().has_memory()) window().ring().load(state, max_frames, position, in[0]);
  }

 private:
  virtual const WindowRule& window() const = 0;
};

}  // namespace rtaudio
