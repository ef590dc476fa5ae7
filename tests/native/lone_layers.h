// Runs each layer of a model by itself, in blocks of memory of exactly the size that it asks for. A
// session lays them side by side, where no sanitizer sees a step into the next one's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/denormals.h"
#include "cpu/isa.h"
#include "model/model.h"

namespace rtaudio {

class LoneLayers {
 public:
  // `value(i)` is the i-th float of every input.
  template <class Value>
  static void run(const Model& model, int ticks, const Value& value) {
    const FlushDenormals guard;
    for (const Model::Operation& op : model.operations()) {
      for (const int lanes : {1, 3}) {
        LoneLayers alone(model, op, lanes, ticks);
        for (Signal& input : alone.inputs_) {
          for (std::size_t i = 0; i < input.size; ++i) input.rows[i] = value(i);
        }
        alone.run_once(ticks, 0, ticks);
        alone.run_once(1, 0, 1);
        if (op.layer->can_save(alone.states_[0].get())) alone.save_and_load();
        alone.run_once(ticks, 1, ticks - 1);  // both ends of a signal
      }
    }
  }

 private:
  // Rows of all lanes, one lane after the other, and room for a whole vector at the last row: as
  // a session has them.
  struct Signal {
    int channels, frames;  // of a tick
    std::size_t size;
    AlignedFloats rows;

    float* of(int lane, int ticks) const {
      return rows.get() + std::ptrdiff_t{lane} * ticks * frames * row_floats(channels);
    }
  };

  LoneLayers(const Model& model, const Model::Operation& op, int lanes, int ticks)
      : layer_(*op.layer),
        source_(model.buffers()[static_cast<std::size_t>(op.inputs[0])]),
        lanes_(lanes),
        max_frames_(source_.frames * ticks) {
    const auto signal = [&](int buffer) {
      const BufferSpec& b = model.buffers()[static_cast<std::size_t>(buffer)];
      const std::size_t size = static_cast<std::size_t>(lanes * ticks * b.frames) *
                                   static_cast<std::size_t>(row_floats(b.channels)) +
                               16;
      return Signal{b.channels, b.frames, size, make_aligned_floats(size)};
    };
    for (const int input : op.inputs) inputs_.push_back(signal(input));
    output_ = signal(op.output);
    if (op.control >= 0) control_.assign(static_cast<std::size_t>(lanes * max_frames_), 0.5f);
    make_states();
  }

  void make_states() {
    states_.clear();
    for (int lane = 0; lane < lanes_; ++lane) {
      states_.push_back(make_aligned_floats(layer_.state_floats(max_frames_)));
      layer_.reset(states_.back().get());
      layer_.configure(states_.back().get(), settings_);
    }
    scratch_ = make_aligned_floats(layer_.scratch_floats(max_frames_ * lanes_));
  }

  void run_once(int ticks, int valid_from, int valid_to) {
    const int frames = ticks * source_.frames;
    // Before its delay no signal is valid.
    const auto early = std::clamp<std::int64_t>(source_.delay - position_, 0, frames);
    const int begin = std::max(valid_from * source_.frames, static_cast<int>(early));
    const int end = std::max(begin, valid_to * source_.frames);
    std::vector<std::vector<const float*>> inputs(static_cast<std::size_t>(lanes_));
    std::vector<Call> calls;
    for (int lane = 0; lane < lanes_; ++lane) {
      auto& pointers = inputs[static_cast<std::size_t>(lane)];
      for (const Signal& input : inputs_) pointers.push_back(input.of(lane, ticks));
      calls.push_back({select_kernels(), pointers, output_.of(lane, ticks), frames, max_frames_,
                       begin, end, position_, states_[static_cast<std::size_t>(lane)].get(),
                       scratch_.get(), control_.empty() ? nullptr : control_.data()});
    }
    position_ += frames;
    if (layer_.stateless()) {
      Call all = calls[0];
      all.num_frames *= lanes_;
      all.valid_begin = 0;
      all.valid_end = all.num_frames;
      layer_.process(all);
    } else if (lanes_ == 1) {
      layer_.process(calls[0]);
    } else {
      layer_.process_lanes(calls);
    }
  }

  // Into states of longer calls, as a state may be moved to another session.
  void save_and_load() {
    std::vector<std::vector<float>> values;
    for (const StateSpec& spec : layer_.state_specs()) {
      values.emplace_back(static_cast<std::size_t>(spec.channels) *
                          static_cast<std::size_t>(spec.frames));
    }
    const std::vector<std::span<float>> out(values.begin(), values.end());
    layer_.save(states_[0].get(), position_, max_frames_, out);
    max_frames_ += source_.frames;
    if (!control_.empty()) control_.resize(static_cast<std::size_t>(lanes_ * max_frames_), 0.5f);
    make_states();
    const std::vector<std::span<const float>> in(values.begin(), values.end());
    for (const AlignedFloats& state : states_) {
      layer_.load(state.get(), position_, max_frames_, in);
    }
  }

  const Layer& layer_;
  BufferSpec source_;
  int lanes_;
  int max_frames_;
  std::int64_t position_ = 0;
  LaneSettings settings_{7, 1, {}, {}};
  std::vector<Signal> inputs_;
  Signal output_{};
  std::vector<AlignedFloats> states_;
  AlignedFloats scratch_;
  std::vector<float> control_;
};

}  // namespace rtaudio
