#include "model/body.h"

#include <algorithm>
#include <map>
#include <new>

namespace rtaudio {
namespace {

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }
std::size_t floats_for(std::size_t bytes) { return aligned((bytes + 3) / 4); }

}  // namespace

Body::Body(const LayerContext& loop, int count, int source, int result, int condition) {
  const std::vector<BufferSpec>& buffers = loop.program().buffers;
  std::map<int, std::size_t> local;
  const auto place = [&](int buffer) {
    const int channels = buffers[static_cast<std::size_t>(buffer)].channels;
    local[buffer] = buffers_.size();
    buffers_.push_back(buffer_floats_);
    rows_.push_back(static_cast<std::size_t>(row_floats(channels)));
    channels_.push_back(channels);
    buffer_floats_ += aligned(rows_.back() + 16);
    return channels;
  };
  source_channels_ = place(source);
  std::vector<ChannelRange> held{{0, condition}};
  for (int i = 1; i <= count; ++i) {
    const LayerContext context = loop.at(loop.index() + i);
    context.require(context.spec().control < 0, "reads a control inside a loop");
    Step step{make_layer(context), {}, 0, state_floats_, {}, false};
    bool all_held = true;
    for (const int input : context.spec().inputs) {
      step.inputs.push_back(local.at(input));
      step.held.push_back(held[step.inputs.back()]);
      const int channels = buffers[static_cast<std::size_t>(input)].channels;
      all_held = all_held && step.held.back().begin == 0 && step.held.back().end == channels;
    }
    const int channels = place(context.spec().output);
    held.push_back({});
    if (step.layer->stateless()) {
      held.back() = all_held ? ChannelRange{0, channels} : step.layer->held_outputs(step.held);
    }
    step.is_held = held.back().begin == 0 && held.back().end == channels;
    step.output = local.at(context.spec().output);
    num_inputs_ += step.inputs.size();
    state_floats_ += aligned(step.layer->state_floats(1));
    steps_.push_back(std::move(step));
  }
  result_ = local.at(result);
  result_channels_ = buffers[static_cast<std::size_t>(result)].channels;
}

std::size_t Body::scratch_floats(int lanes) const {
  std::size_t own = 0;
  for (const Step& step : steps_) own += aligned(step.layer->scratch_floats(lanes));
  const auto count = static_cast<std::size_t>(lanes);
  return count * buffer_floats_ + floats_for(count * steps_.size() * sizeof(Call)) +
         floats_for(count * num_inputs_ * sizeof(float*)) + own + 16;
}

void Body::reset(float* state) const noexcept {
  for (const Step& step : steps_) step.layer->reset(state + step.state);
}

void Body::configure(float* state, const LaneSettings& settings) const noexcept {
  for (const Step& step : steps_) step.layer->configure(state + step.state, settings);
}

bool Body::can_save(const float* state) const {
  return std::all_of(steps_.begin(), steps_.end(), [state](const Step& step) {
    return step.layer->can_save(state + step.state);
  });
}

gpu::Signal Body::signal(std::size_t buffer, gpu::Memory scratch) const {
  return {scratch.after(static_cast<std::int64_t>(buffers_[buffer])),
          static_cast<int>(rows_[buffer]), channels_[buffer], 1};
}

void Body::record(Recorder& to, const gpu::Timing& timing, gpu::Memory state,
                  gpu::Memory scratch) const {
  std::size_t most = 0;
  for (const Step& step : steps_) {
    std::vector<gpu::Signal> inputs;
    for (const std::size_t input : step.inputs) inputs.push_back(signal(input, scratch));
    Recorder inner =
        to.inner({timing, std::move(inputs), signal(step.output, scratch),
                  state.after(static_cast<std::int64_t>(step.state)), to.scratch(0), 1, nullptr});
    step.layer->record(inner);
    most = std::max(most, inner.scratch_floats());
  }
  to.scratch(most);
}

std::vector<StateSpec> Body::state_specs() const {
  std::vector<StateSpec> all;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (StateSpec& spec : steps_[i].layer->state_specs()) {
      all.push_back({"body." + std::to_string(i) + "." + spec.name, spec.channels, spec.frames});
    }
  }
  return all;
}

void Body::save(const float* state, std::int64_t position,
                std::span<const std::span<float>> out) const {
  for (const Step& step : steps_) {
    const std::size_t count = step.layer->state_specs().size();
    step.layer->save(state + step.state, position, 1, out.first(count));
    out = out.subspan(count);
  }
}

void Body::load(float* state, std::int64_t position,
                std::span<const std::span<const float>> in) const {
  for (const Step& step : steps_) {
    const std::size_t count = step.layer->state_specs().size();
    step.layer->load(state + step.state, position, 1, in.first(count));
    in = in.subspan(count);
  }
}

Body::Run Body::bind(std::span<const Call> lanes, std::size_t offset,
                     float* scratch) const noexcept {
  const std::size_t count = lanes.size();
  float* table = scratch + count * buffer_floats_;
  auto* calls = reinterpret_cast<Call*>(table);
  table += floats_for(count * steps_.size() * sizeof(Call));
  auto* pointers = reinterpret_cast<const float**>(table);
  float* own = table + floats_for(count * num_inputs_ * sizeof(float*));
  // The lanes' rows of a buffer lie one after the other.
  const auto row = [&](std::size_t buffer, std::size_t lane) {
    return scratch + count * buffers_[buffer] + lane * rows_[buffer];
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const int frames = step.layer->stateless() ? static_cast<int>(count) : 1;
    for (std::size_t lane = 0; lane < count; ++lane, pointers += step.inputs.size()) {
      for (std::size_t k = 0; k < step.inputs.size(); ++k) pointers[k] = row(step.inputs[k], lane);
      new (calls + i * count + lane) Call{lanes[lane].kernels,
                                          {pointers, step.inputs.size()},
                                          row(step.output, lane),
                                          frames,
                                          frames,
                                          0,
                                          frames,
                                          0,
                                          lanes[lane].state + offset + step.state,
                                          own,
                                          nullptr,
                                          false,
                                          step.held};
    }
    own += aligned(step.layer->scratch_floats(static_cast<int>(count)));
  }
  Run run;
  run.body_ = this;
  run.calls_ = {calls, count * steps_.size()};
  run.source_ = row(0, 0);
  run.result_ = row(result_, 0);
  run.source_row_ = rows_[0];
  run.result_row_ = rows_[result_];
  return run;
}

void Body::Run::step(std::span<const std::int64_t> positions, int index, int repeats) noexcept {
  const std::size_t count = positions.size();
  Call* calls = calls_.data();
  for (const Step& step : body_->steps_) {
    if (step.is_held && index > 0) {
      calls += count;
      continue;
    }
    for (std::size_t lane = 0; lane < count; ++lane) {
      calls[lane].step = index;
      calls[lane].steps = repeats;
    }
    if (count == 1 || step.layer->stateless()) {
      calls[0].position = positions[0];
      step.layer->process(calls[0]);
    } else {
      for (std::size_t lane = 0; lane < count; ++lane) calls[lane].position = positions[lane];
      step.layer->process_lanes({calls, count});
    }
    calls += count;
  }
}

}  // namespace rtaudio
