#include "model/body.h"

#include <algorithm>
#include <map>
#include <new>

namespace rtaudio {
namespace {

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }
std::size_t floats_for(std::size_t bytes) { return aligned((bytes + 3) / 4); }

}  // namespace

Body::Body(const LayerContext& loop, int count, int source, int result) {
  const std::vector<BufferSpec>& buffers = loop.program().buffers;
  std::map<int, std::size_t> local;
  const auto place = [&](int buffer) {
    const int channels = buffers[static_cast<std::size_t>(buffer)].channels;
    local[buffer] = buffers_.size();
    buffers_.push_back(buffer_floats_);
    buffer_floats_ += aligned(static_cast<std::size_t>(row_floats(channels)) + 16);
    return channels;
  };
  source_channels_ = place(source);
  std::size_t num_inputs = 0;
  for (int i = 1; i <= count; ++i) {
    const LayerContext context = loop.at(loop.index() + i);
    Step step{make_layer(context), {}, 0, state_floats_};
    for (const int input : context.spec().inputs) step.inputs.push_back(local.at(input));
    place(context.spec().output);
    step.output = local.at(context.spec().output);
    num_inputs += step.inputs.size();
    layer_scratch_ = std::max(layer_scratch_, step.layer->scratch_floats(1));
    state_floats_ += aligned(step.layer->state_floats(1));
    steps_.push_back(std::move(step));
  }
  result_ = local.at(result);
  result_channels_ = buffers[static_cast<std::size_t>(result)].channels;
  table_floats_ =
      floats_for(steps_.size() * sizeof(Call)) + floats_for(num_inputs * sizeof(float*));
}

std::size_t Body::scratch_floats() const {
  return buffer_floats_ + table_floats_ + aligned(layer_scratch_) + 16;
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

Body::Run Body::bind(const Call& call, float* state, float* scratch) const noexcept {
  float* table = scratch + buffer_floats_;
  float* rest = table + table_floats_;
  auto* calls = reinterpret_cast<Call*>(table);
  auto* pointers =
      reinterpret_cast<const float**>(table + floats_for(steps_.size() * sizeof(Call)));
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    for (std::size_t k = 0; k < step.inputs.size(); ++k) {
      pointers[k] = scratch + buffers_[step.inputs[k]];
    }
    new (calls + i) Call{call.kernels,
                         {pointers, step.inputs.size()},
                         scratch + buffers_[step.output],
                         1,
                         1,
                         0,
                         1,
                         0,
                         state + step.state,
                         rest,
                         nullptr};
    pointers += step.inputs.size();
  }
  Run run;
  run.calls_ = {calls, steps_.size()};
  run.steps_ = steps_.data();
  run.source_ = scratch + buffers_[0];
  run.result_ = scratch + buffers_[result_];
  return run;
}

}  // namespace rtaudio
